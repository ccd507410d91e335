"""Rows that the way out needs: a shop, members with devices, notices, comments to answer."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.bootstrap import Services
from domain.claims.ports import OutgoingReply, ReplyKind, SentReply
from domain.claims.replies import ReplyDraft, enqueue_replies
from domain.clock import FixedClock
from domain.ids import new_id
from domain.jobs import PUSH, NotYet, Payload
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.providers.platforms import PLATFORMS
from domain.settings import Environment, Settings
from domain.vault import Vault
from workers.outbox import Pushes, Replies

JOBS = PgQueuerJobs()
SECRET = "s" * 40


def services_at(clock: FixedClock, **settings: Any) -> Services:
    """Services on this clock, with no credentials unless given."""
    made = Settings(_env_file=None, environment=Environment.DEVELOPMENT, secret_key=SECRET, **settings)  # type: ignore[call-arg]
    return Services(made, clock, Vault(SECRET), JOBS, PLATFORMS)


@dataclass
class Desk:
    """One shop and a member of it who is a buyer there."""

    shop_id: UUID
    member_id: UUID
    buyer_id: UUID
    now: datetime
    comment_id: UUID | None = None

    async def device(self, target: str, *, kind: str = "TOKEN", locale: str = "zh-TW", member_id: UUID | None = None) -> UUID:
        device_id = new_id()
        await db.execute(
            """insert into device (id, member_id, installation_id, platform, target_kind, target, locale, created_at, last_seen_at)
               values ($1, $2, $3, 'ANDROID', $4, $5, $6, $7, $7)""",
            device_id, member_id or self.member_id, f"install-{device_id}", kind, target, locale, self.now,
        )  # fmt: skip
        return device_id

    async def notice(self, key: str = "n1", kind: NoticeKind = NoticeKind.ORDER_PLACED, **data: Any) -> None:
        """A notice with a push row per device and their jobs, in one transaction, as commands write it."""
        facts = {"shopName": "小芳團購", "orderNumber": "1001-7", "totalMinor": 1180, "currency": "TWD", **data}
        async with db.transaction() as tx:
            await enqueue(tx, self.shop_id, [NoticeDraft(self.buyer_id, kind, key, facts)], now=self.now, jobs=JOBS)

    async def replies(self, *keys: str, text: str = "已登記") -> int:
        assert self.comment_id is not None
        drafts = [ReplyDraft(self.comment_id, ReplyKind.PUBLIC, text, key) for key in keys]
        async with db.transaction() as tx:
            return await enqueue_replies(tx, self.shop_id, drafts, now=self.now, jobs=JOBS)


async def a_desk(now: datetime) -> Desk:
    shop_id, member_id, buyer_id = new_id(), new_id(), new_id()
    await db.execute(
        """insert into shop (id, handle, name, currency, time_zone, locale, pay_within_minutes, pickup_place, created_at)
           values ($1, $2, '小芳團購', 'TWD', 'Asia/Taipei', 'zh-TW', 4320, '', $3)""",
        shop_id, f"s-{shop_id}", now,
    )  # fmt: skip
    await db.execute("insert into member (id, ver, display_name, locale, created_at) values ($1, 1, '', 'zh-TW', $2)", member_id, now)
    await db.execute(
        """insert into buyer (id, shop_id, provider, external_id, name, member_id, created_at)
           values ($1, $2, 'facebook', 'psid-9', '陳小姐', $3, $4)""",
        buyer_id, shop_id, member_id, now,
    )  # fmt: skip
    return Desk(shop_id, member_id, buyer_id, now)


async def a_desk_with_comment(now: datetime) -> Desk:
    """The desk, and a comment of the buyer under a post of the shop's page."""
    desk = await a_desk(now)
    endpoint_id, channel_id, post_id, desk.comment_id = new_id(), new_id(), new_id(), new_id()
    await db.execute(
        """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
           values ($1, 'facebook', $2, '', '', '', $3)""",
        endpoint_id, f"e-{str(endpoint_id)[:30]}", now,
    )  # fmt: skip
    await db.execute(
        """insert into channel (id, shop_id, endpoint_id, platform, external_id, name, created_at)
           values ($1, $2, $3, 'FACEBOOK_PAGE', 'page-1', '小芳', $4)""",
        channel_id, desk.shop_id, endpoint_id, now,
    )  # fmt: skip
    await db.execute(
        """insert into sales_post (id, shop_id, title, state, delivery_method, opens_at, closes_at, version, created_at)
           values ($1, $2, '芒果', 'OPEN', 'PICKUP', $3, null, 1, $3)""",
        post_id, desk.shop_id, now,
    )  # fmt: skip
    await db.execute(
        """insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at)
           values ($1, $2, $3, $4, 'page-1_post-5', $5)""",
        new_id(), desk.shop_id, post_id, channel_id, now,
    )  # fmt: skip
    await db.execute(
        """insert into social_comment (id, shop_id, channel_id, post_id, external_id, parent_external_id, platform, buyer_id, author_name,
                                       text, written_at, text_at, received_at, is_owner, permalink, reply_token)
           values ($1, $2, $3, $4, 'comment-77', '', 'FACEBOOK_PAGE', $5, '陳小姐', '+1', $6, $6, $6, false, '', 'rt-3')""",
        desk.comment_id, desk.shop_id, channel_id, post_id, desk.buyer_id, now,
    )  # fmt: skip
    return desk


class Told:
    """A sender without idempotency keys that does as it is told."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[OutgoingReply] = []

    async def send(self, reply: OutgoingReply) -> SentReply:
        self.sent.append(reply)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return SentReply(outcome)


async def job_payloads(name: str, key: str) -> list[list[str]]:
    """Ids in the queued jobs of a name, in order."""
    rows = await db.fetch("select payload from pgqueuer where entrypoint = $1 order by id", name)
    return [db.from_jsonb(row["payload"].decode())[key] for row in rows]


async def pushes() -> list[dict[str, Any]]:
    """All pushes with what tests look at, by target."""
    rows = await db.fetch(
        """select d.target, p.state, p.tries, p.next_try_at, p.last_error, p.provider_id, p.sent_at, d.revoked_at is not null as revoked
           from push_delivery p join device d on d.id = p.device_id order by d.target"""
    )
    return [dict(row) for row in rows]


async def reply_rows() -> list[dict[str, Any]]:
    rows = await db.fetch("select dedupe_key, state, tries, external_id, last_error, sent_at from platform_reply order by dedupe_key")
    return [dict(row) for row in rows]


def states(rows: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["state"], row["tries"]) for row in rows]


async def run(handler: Pushes | Replies, payload: Payload) -> None:
    """A job as the runner runs it, who keeps those that are not to be had yet."""
    with contextlib.suppress(NotYet):
        await handler.handle(payload)


async def push_all(handler: Pushes) -> None:
    """Every queued PUSH job once, as the runner would; the jobs stay."""
    for ids in await job_payloads(PUSH, "deliveries"):
        await run(handler, {"deliveries": ids})


async def inbox() -> int:
    """Notices of members."""
    return await db.fetchval("select count(*) from notice where member_id is not null")
