"""An order that is for somebody else: its buyer hands a link on, and whoever has it sees what comes and when, and no price.

The link's token is drawn anew each time and kept as a hash. A view is of exactly what GIFT says: no amounts, no number, no buyer, no address.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.delivery.errors import InvalidDelivery
from domain.delivery.rules import GIFT_LIFE, LONGEST_FROM, LONGEST_MESSAGE
from domain.orders.commands import add_events, lock_own_order, move
from domain.orders.errors import InvalidTransition
from domain.orders.rules import may_make_gift
from domain.paging import Row

PREFIX: Final = "gift_"
TOKEN_BYTES: Final = 24
MOST_ITEMS: Final = 100


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def make_link(*, order_id: UUID, member_id: UUID, sender: str, message: str, now: datetime) -> tuple[str, datetime]:
    """Make one's own order a gift, with a new link; answers its token and until when it is good. An older link is void from here on.

    Raises:
        NotFound: the member has no such order.
        InvalidTransition: it was handed over, delivered, returned or cancelled.
        InvalidDelivery: a text is too long.
    """
    if len(sender) > LONGEST_FROM:
        raise InvalidDelivery("sender")
    if len(message) > LONGEST_MESSAGE:
        raise InvalidDelivery("message")
    actor = Actor(f"member:{member_id}", "buyer")
    async with db.transaction() as tx:
        order = await lock_own_order(tx, order_id, member_id)
        if not may_make_gift(order.state, order.fulfilment_state):
            raise InvalidTransition(order.id, "state", order.state.value, "GIFT")
        token, until = PREFIX + secrets.token_urlsafe(TOKEN_BYTES), now + GIFT_LIFE
        await tx.execute(
            """insert into order_gift (order_id, shop_id, token_hash, sender, message, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (order_id) do update set token_hash = excluded.token_hash, sender = excluded.sender, message = excluded.message,
                 expires_at = excluded.expires_at""",
            order.id,
            order.shop_id,
            _hash(token),
            sender,
            message,
            until,
            now,
        )
        given = await move(tx, order, now=now)
        await add_events(tx, "GIFT_LINK_MADE", [given], {}, actor=actor, now=now)
        await record(tx, actor, [Entry(order.shop_id, "order.gift", "order", order.id, {"number": order.number})], now=now)
    return token, until


async def revoke_link(*, order_id: UUID, member_id: UUID, now: datetime) -> None:
    """The order's link is void; it stays a gift. Twice is once.

    Raises:
        NotFound: the member has no such order, or it is no gift.
    """
    actor = Actor(f"member:{member_id}", "buyer")
    async with db.transaction() as tx:
        order = await lock_own_order(tx, order_id, member_id)
        if not await tx.execute("update order_gift set token_hash = null where order_id = $1 and token_hash is not null", order.id):
            return
        kept = await move(tx, order, now=now)
        await add_events(tx, "GIFT_LINK_REVOKED", [kept], {}, actor=actor, now=now)
        await record(tx, actor, [Entry(order.shop_id, "order.gift_revoke", "order", order.id, {"number": order.number})], now=now)


GIFT: Final = f"""
select s.name as shop_name, g.sender, g.message, g.expires_at, o.fulfilment_state, coalesce(f.place, '') as place, f.kind, k.starts_at, k.ends_at,
  d.store_name, f.chain, s.time_zone,
  array(select row(l.title, l.variant_label, l.quantity) from order_line l where l.order_id = o.id and l.quantity > 0
    order by l.created_at, l.id limit {MOST_ITEMS}) as items
from order_gift g join "order" o on o.id = g.order_id join shop s on s.id = g.shop_id
  left join order_delivery d on d.order_id = o.id left join delivery_offer f on f.id = d.offer_id left join pickup_slot k on k.id = d.slot_id
where g.token_hash = $1 and g.expires_at > $2 and o.state <> 'CANCELLED'"""


async def gift_of(token: str, *, now: datetime) -> Row | None:
    """What the holder of a link sees; None for a link that is unknown, void or over, or an order that is no more."""
    row = await db.fetchrow(GIFT, _hash(token), now)
    if row is None:
        return None
    items: list[Any] = row["items"]
    return {
        "shop_name": row["shop_name"],
        "sender": row["sender"] or None,
        "message": row["message"] or None,
        "expires_at": row["expires_at"],
        "fulfilment_state": row["fulfilment_state"],
        "items": [{"title": title, "variant_label": label, "quantity": quantity} for title, label, quantity in items],
        "delivery": None
        if row["kind"] is None
        else {
            "kind": row["kind"],
            "place": row["place"] or None,
            "starts_at": row["starts_at"],
            "ends_at": row["ends_at"],
            "time_zone": row["time_zone"],
            "chain": row["chain"],
            "store_name": row["store_name"] or None,
        },
    }
