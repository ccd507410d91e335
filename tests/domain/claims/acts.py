"""What staff, time and LINE do to a wall, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.claims import waiting
from domain.ids import new_id
from domain.inbox.rules import lane_number
from domain.orders.commands import expire_due
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.providers.platforms import PLATFORMS
from domain.shops.rules import SourcePlatform
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from tests.build import NOW, a_channel, a_post, an_endpoint
from tests.wall import Wall

STAFF = Actor("member:00000000-0000-0000-0000-000000000001", "OWNER")
GROUP = "C1"


async def first_order() -> UUID:
    """The oldest order's id."""
    found: UUID = await db.fetchval('select id from "order" order by created_at, id limit 1')
    return found


async def pay(wall: Wall, order_id: UUID | None = None) -> None:
    """The shop takes the money of an order, by default of the oldest."""
    await mark_paid(
        order_id=order_id or await first_order(), shop_id=wall.shop.id, method=PaymentMethod.CASH, reference="r", amount_minor=None,
        expected_version=None, actor=STAFF, by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip


async def expire(wall: Wall, *, at: datetime = NOW + timedelta(days=9)) -> int:
    """Time passes."""
    return await expire_due(now=at, limit=100, jobs=wall.services.jobs)


async def fill(wall: Wall, *, more: int = 0) -> int:
    """The waiting list's job, after so many pieces of the first variant arrived."""
    if more:
        await adjust(
            shop_id=wall.shop.id, variant_id=wall.product.variants[0].id, delta=more, reason=AdjustReason.RECEIPT, actor=STAFF, now=NOW,
            jobs=wall.services.jobs,
        )  # fmt: skip
    return await waiting.fill(shop_id=wall.shop.id, variant_ids=[v.id for v in wall.product.variants], now=NOW, jobs=wall.services.jobs)


async def close(post_id: UUID) -> None:
    """The shop closes a post."""
    await db.execute("update sales_post set state = 'CLOSED', version = version + 1 where id = $1", post_id)


async def _group(wall: Wall) -> UUID:
    """The endpoint of a LINE group where the wall's post is open; a second post stands at the message `post-message`."""
    found: UUID | None = await db.fetchval("select endpoint_id from channel where external_id = $1", GROUP)
    if found is not None:
        return found
    endpoint = await an_endpoint(source="line")
    channel = await a_channel(wall.shop, endpoint_id=endpoint, platform=SourcePlatform.LINE_GROUP, external_id=GROUP)
    await db.execute(
        "insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at) values ($1, $2, $3, $4, '', $5)",
        new_id(), wall.shop.id, wall.post_id, channel.id, NOW,
    )  # fmt: skip
    await a_post(wall.shop, products=[wall.product], channel=channel, external_post_id="post-message")
    return endpoint


async def tell_line(
    wall: Wall, author: str, message: str, text: str | None, *, at: datetime, quotes: str = "", edit: bool = False, event: str = ""
) -> None:
    """Store one event of a LINE group: a message, its edit, or (no text) that it was unsent."""
    endpoint = await _group(wall)
    kind = "unsend" if text is None else "messageEdited" if edit else "message"
    body: dict[str, object] = {
        "type": kind, "mode": "active", "timestamp": int(at.timestamp() * 1000), "source": {"type": "group", "groupId": GROUP, "userId": author},
        "webhookEventId": f"{message}-{kind}-{event}",
    }  # fmt: skip
    body |= {"unsend": {"messageId": message}} if text is None else {"message": {"type": "text", "id": message, "text": text}}
    if quotes:
        body["message"] |= {"quotedMessageId": quotes}  # type: ignore[operator]
    for raw in PLATFORMS["line"].split(db.jsonb({"destination": "x", "events": [body]}).encode(), received_at=at):
        await db.execute(
            """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
               values ($1, 'line', $2, $3, $4, $5::jsonb, 'PENDING', '', 0, $6, '')""",
            endpoint, raw.external_key, lane_number(raw.lane), raw.occurred_at or at, db.jsonb(dict(raw.payload)), at,
        )  # fmt: skip
