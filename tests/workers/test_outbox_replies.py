"""Replies: through a real server of replies, at most once there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain import bootstrap
from domain import db as database
from domain.bootstrap import Services
from domain.claims import replies
from domain.claims.ports import ReplyDelayed, ReplyKind, ReplyRefused
from domain.clock import FixedClock
from domain.jobs import LOT, REPLY, JobQueue
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from domain.providers.platforms.fake import FakePlatformServer, HttpReplySender
from domain.settings import Settings
from tests.workers.outbox_rows import JOBS, SECRET, Desk, Told, a_desk_with_comment, job_payloads, reply_rows, run, services_at, states
from workers.outbox import Replies


@pytest.fixture
async def platform() -> AsyncIterator[FakePlatformServer]:
    async with FakePlatformServer() as server:
        yield server


@pytest.fixture
async def sender(platform: FakePlatformServer) -> AsyncIterator[HttpReplySender]:
    made = HttpReplySender(platform.url)
    yield made
    await made.aclose()


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    return await a_desk_with_comment(clock.now())


@pytest.fixture
def services(clock: FixedClock) -> Services:
    return services_at(clock)


async def run_jobs(handler: Replies) -> None:
    for ids in await job_payloads(REPLY, "replies"):
        await run(handler, {"replies": ids})


async def test_a_reply_goes_out_with_all_that_the_platform_needs(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    assert await desk.replies("public:1", text="已登記，謝謝！") == 1
    await run_jobs(Replies(sender, services))
    reply_id = await database.fetchval("select id from platform_reply")
    assert platform.replies == [
        {
            "reply_id": str(reply_id),
            "platform": "facebook",
            "kind": "PUBLIC",
            "channel_id": "page-1",
            "comment_id": "comment-77",
            "post_id": "page-1_post-5",
            "author_id": "psid-9",
            "reply_token": "rt-3",
            "text": "已登記，謝謝！",
        }
    ]
    (row,) = await reply_rows()
    assert (row["state"], row["tries"], row["external_id"], row["sent_at"]) == ("SENT", 1, f"fake-{reply_id}", clock.now())


async def test_the_same_cause_writes_one_reply_and_its_job(desk: Desk) -> None:
    assert await desk.replies("public:1", "public:1", "public:2") == 2
    assert await desk.replies("public:2", "public:3") == 1
    assert await desk.replies() == 0
    assert [row["dedupe_key"] for row in await reply_rows()] == ["public:1", "public:2", "public:3"]
    assert [len(ids) for ids in await job_payloads(REPLY, "replies")] == [2, 1]
    assert await desk.replies(*(f"many:{n}" for n in range(LOT + 1))) == LOT + 1
    assert [len(ids) for ids in await job_payloads(REPLY, "replies")] == [2, 1, LOT, 1]


async def test_a_reply_and_its_job_vanish_with_their_transaction(desk: Desk, clock: FixedClock) -> None:
    assert desk.comment_id is not None
    draft = replies.ReplyDraft(desk.comment_id, replies.ReplyKind.PUBLIC, "x", "k")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            assert await replies.enqueue_replies(tx, desk.shop_id, [draft], now=clock.now(), jobs=JOBS) == 1
            raise ZeroDivisionError
    assert await reply_rows() == []
    assert await job_payloads(REPLY, "replies") == []


async def test_the_same_job_again_sends_nothing_again(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services
) -> None:
    await desk.replies("a", "b", "c")
    jobs = await job_payloads(REPLY, "replies")
    handler = Replies(sender, services)
    await asyncio.gather(*(run(Replies(sender, services), {"replies": ids}) for ids in jobs * 4), handler.sweep())
    await handler.sweep()
    assert platform.attempts == 3
    assert len(platform.replies) == 3


async def test_throttling_is_obeyed(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    platform.fail_next(1, 429, retry_after_seconds=90)
    await desk.replies("a")
    handler = Replies(sender, services)
    await run_jobs(handler)
    (row,) = await reply_rows()
    assert (row["state"], row["tries"], row["sent_at"]) == ("PENDING", 1, clock.now() + timedelta(seconds=90))
    clock.at += timedelta(seconds=89)
    await run_jobs(handler)
    await handler.sweep()
    assert platform.attempts == 1
    clock.at += timedelta(seconds=1)
    await run_jobs(handler)
    assert states(await reply_rows()) == [("SENT", 2)]


async def test_a_platform_that_stays_away_parks_the_reply_in_the_end(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    platform.fail_next(50, 503)
    await desk.replies("a")
    handler = Replies(sender, services)
    waits = []
    for _ in range(replies.MAX_TRIES):
        await run_jobs(handler)
        (row,) = await reply_rows()
        waits.append(((row["sent_at"] or clock.now()) - clock.now()).total_seconds())
        clock.at += timedelta(seconds=waits[-1])
    assert waits[:-1] == list(replies.DELAYS)
    assert (row["state"], row["tries"]) == ("PARKED", replies.MAX_TRIES)
    await handler.sweep()
    assert platform.attempts == replies.MAX_TRIES


async def test_a_refusal_is_final(desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services) -> None:
    platform.fail_next(1, 403)
    await desk.replies("a")
    handler = Replies(sender, services)
    await run_jobs(handler)
    await run_jobs(handler)
    (row,) = await reply_rows()
    assert (row["state"], row["tries"]) == ("DROPPED", 1)
    assert row["last_error"].startswith("403")
    assert platform.attempts == 1


async def test_success_that_looked_like_failure_counts_once_there(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    platform.fail_next(1, 503, take_first=True)
    await desk.replies("a")
    handler = Replies(sender, services)
    await run_jobs(handler)
    clock.at += timedelta(seconds=replies.DELAYS[0])
    await run_jobs(handler)
    assert platform.attempts == 2
    assert len(platform.replies) == 1
    assert states(await reply_rows()) == [("SENT", 2)]


async def test_after_a_crash_a_keyed_reply_goes_once_more_and_counts_once(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    await desk.replies("a")
    (leased,) = await replies.claim_due(now=clock.now())
    await sender.send(leased.outgoing)  # and here the process dies
    handler = Replies(sender, services)
    await handler.sweep()
    assert platform.attempts == 1
    clock.at += replies.LEASE
    await handler.sweep()
    assert platform.attempts == 2
    assert len(platform.replies) == 1
    assert states(await reply_rows()) == [("SENT", 2)]


async def test_after_a_crash_a_reply_without_a_key_is_parked_and_never_said_twice(
    desk: Desk, services: Services, clock: FixedClock
) -> None:
    await desk.replies("a")
    (leased,) = await replies.claim_due(now=clock.now())
    assert not leased.outcome_unknown
    clock.at += replies.LEASE
    told = Told()
    await Replies(told, services, keyed=False).sweep()
    assert told.sent == []
    (row,) = await reply_rows()
    assert (row["state"], row["last_error"]) == ("PARKED", replies.IN_FLIGHT)


async def test_without_a_key_only_a_known_failure_is_tried_again(desk: Desk, services: Services, clock: FixedClock) -> None:
    await desk.replies("a")
    told = Told(ReplyDelayed("limit", 1.0), "id-9")
    handler = Replies(told, services, keyed=False)
    await run_jobs(handler)
    clock.at += timedelta(seconds=replies.DELAYS[0])
    await run_jobs(handler)
    assert states(await reply_rows()) == [("SENT", 2)]
    await desk.replies("b")
    odd = Told(RuntimeError("who knows"))
    await run_jobs(Replies(odd, services, keyed=False))
    clock.at += timedelta(hours=1)
    await Replies(odd, services, keyed=False).sweep()
    assert len(odd.sent) == 1
    assert states(await reply_rows()) == [("SENT", 2), ("PARKED", 1)]


async def test_one_odd_reply_does_not_hold_up_the_others(desk: Desk, services: Services) -> None:
    await desk.replies("a", "b", "c")
    told = Told(RuntimeError("bug"), ReplyRefused("no"), "id-3")
    await run_jobs(Replies(told, services))
    assert sorted(states(await reply_rows())) == [("DROPPED", 1), ("PENDING", 1), ("SENT", 1)]


async def test_without_a_sender_replies_are_closed_with_the_reason(desk: Desk, services: Services) -> None:
    await desk.replies("a")
    handler = Replies(None, services)
    await run_jobs(handler)
    await desk.replies("b")
    await handler.sweep()
    assert [(row["state"], row["last_error"]) for row in await reply_rows()] == [("DROPPED", replies.NO_SENDER)] * 2


async def test_where_nobody_sends_replies_none_is_written_until_somebody_does(desk: Desk) -> None:
    assert desk.comment_id is not None
    drafts = [replies.ReplyDraft(desk.comment_id, ReplyKind.PUBLIC, "已登記", key) for key in ("a", "a", "b")]
    async with database.transaction() as tx:
        assert await replies.enqueue_replies(tx, desk.shop_id, drafts, now=desk.now, jobs=PgQueuerJobs(unheard=(REPLY,))) == 0
    assert await reply_rows() == []
    assert await job_payloads(REPLY, "replies") == []
    assert await desk.replies("a") == 1


def test_the_settings_say_whether_anybody_sends_replies(clock: FixedClock) -> None:
    def jobs(**settings: str) -> JobQueue:
        return bootstrap.services(Settings(_env_file=None, secret_key=SECRET, **settings), clock=clock).jobs  # type: ignore[arg-type, call-arg]

    assert set(jobs().unheard) == {REPLY}
    assert set(jobs(reply_base_url="http://127.0.0.1:1").unheard) == set()


async def test_replies_to_removed_comments_and_of_yesterday_are_not_sent(
    desk: Desk, platform: FakePlatformServer, sender: HttpReplySender, services: Services, clock: FixedClock
) -> None:
    await desk.replies("late")
    clock.at += replies.USE_BY
    handler = Replies(sender, services)
    await handler.sweep()
    desk.now = clock.now()
    await desk.replies("removed")
    await database.execute("update social_comment set removed_at = $1", clock.now())
    await handler.sweep()
    assert platform.attempts == 0
    assert [(row["state"], row["last_error"]) for row in await reply_rows()] == [("DROPPED", "too late"), ("DROPPED", "comment removed")]


async def test_a_late_sender_cannot_undo_what_another_did(desk: Desk, services: Services, clock: FixedClock) -> None:
    await desk.replies("a")
    (mine,) = await replies.claim_due(now=clock.now())
    clock.at += replies.LEASE
    (theirs,) = await replies.claim_due(now=clock.now())
    before = await reply_rows()
    await replies.retry_at(mine, clock.now(), "late", jobs=services.jobs)
    await replies.park(mine, "late")
    await replies.refuse(mine, "late")
    assert await reply_rows() == before
    await replies.mark_sent(theirs, "id-1", now=clock.now())
    await replies.park(theirs, "after all")
    assert states(await reply_rows()) == [("SENT", 2)]
