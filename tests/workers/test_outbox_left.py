"""Rows that their job cannot have when it runs: leased, locked, or due by another clock. The job stays until they are closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import asyncpg
import pytest

from api.notifications.fcm import Outcome, PushMessage, PushResult
from domain import db as database
from domain.bootstrap import Services
from domain.claims import replies
from domain.claims.ports import OutgoingReply, ReplyRefused, SentReply
from domain.clock import FixedClock
from domain.db import DatabaseAway, credentials
from domain.jobs import LEASE, LOOK, PUSH, REPLY, SOONEST, NotYet, Payload
from domain.notices import deliveries
from domain.providers.pgqueuer_jobs import PgQueuerRunner
from tests.providers.jobs_help import LIMITS, queued, running, until
from tests.workers.outbox_rows import Desk, a_desk_with_comment, job_payloads, pushes, reply_rows, run, states
from workers import outbox
from workers.outbox import Pushes, Replies


class Platform:
    """Takes every reply but those it is told to refuse."""

    def __init__(self, refused: int = 0) -> None:
        self.refused = refused
        self.sent: list[str] = []

    async def send(self, reply: OutgoingReply) -> SentReply:
        if self.refused:
            self.refused -= 1
            raise ReplyRefused("never")
        self.sent.append(reply.reply_id)
        return SentReply(f"id-{len(self.sent)}")


class Phones:
    """Takes every push."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        self.sent += [message.target for message in messages]
        return [PushResult(Outcome.SENT, "id") for _ in messages]


class DueNow:
    """Runs jobs of a name by `handler`; those that are kept for later come at once, as if that time had passed."""

    def __init__(self, dsn: str, name: str) -> None:
        self.runs, self.kept = 0, 0
        self.runner, self.name = PgQueuerRunner(dsn, LIMITS), name

    @contextlib.asynccontextmanager
    async def working(self, handler: Replies | Pushes, *, keeps: bool = True) -> AsyncIterator[None]:
        async def handle(payload: Payload) -> None:
            try:
                await handler.handle(payload)
            except NotYet:
                self.kept += 1
                if keeps:
                    raise
            finally:
                self.runs += 1

        self.runner.handle(self.name, handle)
        async with running(self.runner):
            yield

    async def ran(self, times: int) -> None:
        async def enough() -> bool:
            await self._hurry()
            return self.runs >= times

        await until(enough)

    async def over(self) -> None:
        async def gone() -> bool:
            await self._hurry()
            return await queued() == 0

        await until(gone)

    async def _hurry(self) -> None:
        await database.execute("update pgqueuer set execute_after = now() where status = 'queued'")


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    return await a_desk_with_comment(clock.now())


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_reply_whose_sender_died_leaves_when_its_lease_is_over_and_the_twin_waits_for_the_sweep(
    db: str, desk: Desk, services: Services, clock: FixedClock, *, keeps: bool
) -> None:
    await desk.replies("a")
    await replies.claim_due(now=clock.now())  # by a worker of which nothing is heard any more
    platform, due = Platform(), DueNow(db, REPLY)
    async with due.working(Replies(platform, services), keeps=keeps):
        if keeps:
            await due.ran(2)
            assert (platform.sent, due.kept) == ([], due.runs)
            clock.at += LEASE
        await due.over()
    assert states(await reply_rows()) == ([("SENT", 2)] if keeps else [("PENDING", 1)])


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_reply_that_is_locked_by_a_claim_that_fails_is_sent_and_the_twin_waits_for_the_sweep(
    db: str, desk: Desk, services: Services, *, keeps: bool
) -> None:
    await desk.replies("a")
    other = await asyncpg.connect(**credentials(db))
    claim = other.transaction()
    await claim.start()
    await other.execute("select id from platform_reply for update")
    platform, due = Platform(), DueNow(db, REPLY)
    async with due.working(Replies(platform, services), keeps=keeps):
        await due.ran(1)
        await claim.rollback()
        await other.close()
        await due.over()
    assert states(await reply_rows()) == ([("SENT", 1)] if keeps else [("PENDING", 0)])


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_push_of_a_machine_whose_clock_is_ahead_is_sent_and_the_twin_waits_for_the_sweep(
    db: str, desk: Desk, services: Services, clock: FixedClock, *, keeps: bool
) -> None:
    await desk.device("t1")
    desk.now += timedelta(milliseconds=40)
    await desk.notice()
    phones, due = Phones(), DueNow(db, PUSH)
    async with due.working(Pushes(phones, services), keeps=keeps):
        await due.ran(1)
        clock.at += SOONEST
        await due.over()
    assert (phones.sent, states(await pushes())) == ((["t1"], [("SENT", 1)]) if keeps else ([], [("PENDING", 0)]))


async def test_a_push_whose_sender_died_is_looked_at_until_its_lease_is_over(desk: Desk, services: Services, clock: FixedClock) -> None:
    await desk.device("t1")
    await desk.notice()
    await deliveries.claim_due(now=clock.now())
    phones = Phones()
    (ids,) = await job_payloads(PUSH, "deliveries")
    with pytest.raises(NotYet) as kept:
        await Pushes(phones, services).handle({"deliveries": ids})
    assert kept.value.wait == LOOK
    clock.at += LEASE
    await Pushes(phones, services).handle({"deliveries": ids})
    await Pushes(phones, services).handle({"deliveries": ids})
    assert phones.sent == ["t1"]


@pytest.mark.parametrize(("due_in", "wait"), [(-1.0, 0.5), (0.1, 0.5), (3.0, 3.0), (60.0, 5.0), (61.0, 61.0), (3600.0, 3600.0)])
def test_what_is_leased_is_looked_at_soon_and_what_is_put_off_when_it_is_due(due_in: float, wait: float) -> None:
    assert NotYet(timedelta(seconds=due_in)).wait == timedelta(seconds=wait)


def test_no_lease_is_longer_than_a_job_takes_it_for() -> None:
    assert max(replies.LEASE, deliveries.LEASE) <= LEASE


async def test_what_became_of_a_reply_is_written_down_although_the_database_is_away_for_a_moment(
    desk: Desk, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [DatabaseAway("no connection became free in time"), asyncpg.LockNotAvailableError("canceling statement")]
    mark_sent = replies.mark_sent

    async def busy(*args: object, **named: object) -> None:
        if failures:
            raise failures.pop()
        await mark_sent(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(replies, "mark_sent", busy)
    monkeypatch.setattr(outbox, "MARK_AGAIN_SECONDS", (0.0, 0.0))
    await desk.replies("a")
    platform = Platform()
    for ids in await job_payloads(REPLY, "replies"):
        await Replies(platform, services, keyed=False).handle({"replies": ids})
    assert (len(platform.sent), states(await reply_rows())) == (1, [("SENT", 1)])
    # The twin does not write again: what was sent once is to be looked at by a human.
    failures.append(DatabaseAway("again"))
    monkeypatch.setattr(outbox, "MARK_AGAIN_SECONDS", ())
    await desk.replies("b")
    for ids in (await job_payloads(REPLY, "replies"))[1:]:
        with pytest.raises(DatabaseAway):
            await Replies(platform, services, keyed=False).handle({"replies": ids})
    assert states(await reply_rows()) == [("SENT", 1), ("PENDING", 1)]


async def test_a_sweep_goes_on_behind_replies_that_are_too_late_and_those_that_are_refused(
    desk: Desk, services: Services, clock: FixedClock
) -> None:
    lot = 4 * outbox.REPLIES_AT_A_TIME
    await desk.replies(*(f"late {n}" for n in range(lot + 1)))
    clock.at += replies.USE_BY
    desk.now = clock.now()
    await desk.replies(*(f"no {n}" for n in range(lot)))
    desk.now += timedelta(milliseconds=1)
    await desk.replies("yes")
    platform = Platform(refused=lot)
    await Replies(platform, services).sweep()
    found = {row["dedupe_key"]: row["state"] for row in await reply_rows()}
    assert [state for key, state in found.items() if key != "yes"] == ["DROPPED"] * (2 * lot + 1)
    assert (found["yes"], len(platform.sent)) == ("SENT", 1)


async def test_a_sweep_goes_on_behind_pushes_that_are_not_to_be_sent(
    desk: Desk, services: Services, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SWEEP_LIMIT", 2)
    gone = [await desk.device(f"gone {n}") for n in range(5)]
    await desk.notice("a")
    await database.execute("update device set revoked_at = $1 where id = any($2::uuid[])", clock.now(), gone)
    await desk.device("here")
    desk.now += timedelta(milliseconds=1)
    await desk.notice("b")
    clock.at += timedelta(milliseconds=1)
    phones = Phones()
    await Pushes(phones, services).sweep()
    assert phones.sent == ["here"]
    assert sorted(row["state"] for row in await pushes()) == ["DROPPED"] * 5 + ["SENT"]


async def test_a_job_that_finds_all_closed_is_done(desk: Desk, services: Services) -> None:
    await desk.replies("a")
    handler = Replies(Platform(), services)
    (ids,) = await job_payloads(REPLY, "replies")
    await asyncio.gather(*(run(handler, {"replies": ids}) for _ in range(3)))
    await handler.handle({"replies": ids})
    assert states(await reply_rows()) == [("SENT", 1)]


async def test_what_falls_due_at_one_time_is_sent_lot_by_lot_as_long_as_any_goes() -> None:
    lots, sent = [100, 100, 3, 0, 100], []

    async def send() -> int:
        sent.append(lots[len(sent)])
        return sent[-1]

    await outbox.lot_by_lot(send)
    assert sent == lots[:4]
