"""Orders of one member become one: same shop, unpaid. Lines move as they are; nothing is freed and nothing is held anew.

A buyer has one open, unpaid order per way of delivery, so what is merged are orders of one person's different names (docs/rules/people.md), or
of different ways. Where they would be delivered differently, or one is a gift, the buyer says which of them the merged one follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.attached import Attached, attached_to, hand_delivery_on, hand_gift_on
from domain.orders.commands import COLUMNS, LockedOrder, add_events, as_locked, end_attempts, move
from domain.orders.errors import CrossShopMerge, DeliveryDiffers, GiftDiffers, HoldOver, InvalidTransition, NotMergeable
from domain.orders.rules import OrderState, PaymentState

MOST: Final = 10
"""Orders that one request makes one of."""
MORE: Final = ("pay_by", "subtotal_minor", "shipping_minor", "discount_minor", "created_at", "cancel_requested_at")
LOCK_BUYERS: Final = """select id from buyer where id in (select buyer_id from "order" where id = any($1::uuid[]) and member_id = $2)
  order by id for no key update"""
LOCK_ORDERS: Final = f"""select {COLUMNS}, {", ".join(f"o.{name}" for name in MORE)} from "order" o
  where o.id = any($1::uuid[]) and o.member_id = $2 order by o.id for update of o"""
MOVE_LINES: Final = "update order_line set order_id = $1 where order_id = any($2::uuid[])"
EMPTY: Final = """update "order" set subtotal_minor = 0, shipping_minor = 0, discount_minor = 0, total_minor = 0, version = version + 1, updated_at = $2
  where id = any($1::uuid[])"""
GROW: Final = """
update "order" o set subtotal_minor = $2, shipping_minor = $3, discount_minor = least($4::bigint, $2::bigint + $3::bigint),
  total_minor = $2::bigint + $3::bigint - least($4::bigint, $2::bigint + $3::bigint), pay_by = $5, delivery_method = $6,
  flagged = exists (select from claim c where c.shop_id = o.shop_id and c.order_id = o.id and c.review = 'OPEN'),
  version = version + 1, updated_at = $7 where o.id = $1"""
SECOND: Final = """select id from "order" where buyer_id = $1 and shop_id = $2 and delivery_method = $3 and state = 'OPEN' and payment_state = 'UNPAID'
  and id <> all($4::uuid[])"""
OTHER_REMINDERS: Final = "delete from payment_reminder where order_id = any($1::uuid[]) and order_id <> $2"
EARLIEST_REMINDERS: Final = "update payment_reminder set order_id = $1 where order_id = $2"
"""The reminders of the earliest deadline are the merged order's."""


@dataclass(frozen=True, slots=True)
class Follows:
    """Which order the merged one follows: in how it is delivered, in what that costs (None: the highest fee), and as a gift (None: it is none)."""

    delivery: LockedOrder
    shipping_minor: int | None
    gift: UUID | None


async def merge(
    *, order_ids: Sequence[UUID], member_id: UUID, delivery_from: UUID | None = None, gift_from: UUID | None = None, now: datetime, jobs: JobQueue
) -> UUID:  # fmt: skip
    """Make one of these orders of mine, the oldest; answers which. The nearest deadline counts, and one shipping fee: of what was chosen, else
    the highest. `delivery_from`, `gift_from`: the one of them whose delivery (with its recipient), and whose gift, the merged order has.

    Raises:
        NotFound: one of them is not this member's, there are fewer than two, or one to be followed is not among them.
        CrossShopMerge: they are of several shops.
        InvalidTransition: one is not open and unpaid.
        PaymentUnderWay: an online payment of one may still succeed.
        DeliveryDiffers: they go different ways, or different ones were chosen, and `delivery_from` is not given.
        GiftDiffers: one is a gift, and `gift_from` does not name a gift.
        NotMergeable: the shop was asked to cancel one, or the buyer would have a second unpaid order of that way.
        HoldOver: the time to pay one of them is over.
    """
    wanted = sorted(set(order_ids))
    actor = Actor(f"member:{member_id}", "buyer")
    async with db.transaction() as tx:
        # The buyers first, as everybody does who adds to their orders: what a comment adds, it adds before or after.
        await tx.execute(LOCK_BUYERS, wanted, member_id)
        rows = await tx.fetch(LOCK_ORDERS, wanted, member_id)
        if len(rows) != len(wanted) or len(rows) < 2 or not {delivery_from, gift_from} - {None} <= set(wanted):
            raise NotFound
        rows.sort(key=lambda row: (row["created_at"], row["id"]))
        orders = [as_locked({name: value for name, value in row.items() if name not in MORE}) for row in rows]  # type: ignore[arg-type]
        _check(orders, rows, now)
        follows = _followed(orders, rows, await attached_to(tx, wanted), delivery_from, gift_from)
        second = await tx.fetchval(SECOND, orders[0].buyer_id, orders[0].shop_id, follows.delivery.delivery_method.value, wanted)
        if second is not None:
            raise NotMergeable(second)
        await end_attempts(tx, orders, actor=actor, now=now)
        await _pour(tx, orders, rows, follows, now)
        await _tell(tx, orders, sum(row["subtotal_minor"] for row in rows[1:]), actor, now, jobs)
        return orders[0].id


def _check(orders: Sequence[LockedOrder], rows: Sequence[Record], now: datetime) -> None:
    if len({order.shop_id for order in orders}) > 1:
        raise CrossShopMerge(orders[0].id)
    for order, row in zip(orders, rows, strict=True):
        if order.state is not OrderState.OPEN:
            raise InvalidTransition(order.id, "state", order.state.value, OrderState.OPEN.value)
        if order.payment_state is not PaymentState.UNPAID:
            raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.UNPAID.value)
        if row["pay_by"] is not None and row["pay_by"] <= now:
            raise HoldOver(order.id)
        if row["cancel_requested_at"] is not None:
            raise NotMergeable(order.id)


def _followed(
    orders: Sequence[LockedOrder],
    rows: Sequence[Record],
    attached: dict[UUID, Attached],
    delivery_from: UUID | None,
    gift_from: UUID | None,
) -> Follows:
    """Which of them the merged order follows. Without a word they must go the same way, and not more than one place may have been chosen."""
    chose = [order for order in orders if attached[order.id].chosen is not None]
    if delivery_from is None and (
        len({order.delivery_method for order in orders}) > 1 or len({attached[order.id].chosen for order in chose}) > 1
    ):
        raise DeliveryDiffers()
    gifts = [order.id for order in orders if attached[order.id].is_gift]
    if (gift_from is None) != (not gifts) or (gift_from is not None and gift_from not in gifts):
        raise GiftDiffers()
    followed = next((order for order in orders if order.id == delivery_from), chose[0] if chose else orders[0])
    fees = {row["id"]: row["shipping_minor"] for row in rows}
    return Follows(followed, fees[followed.id] if chose or delivery_from is not None else None, gift_from)


async def _pour(tx: Tx, orders: Sequence[LockedOrder], rows: Sequence[Record], follows: Follows, now: datetime) -> None:
    """Lines, amounts, deadline and what claims point to go to the first; the others are empty and cancelled."""
    first, others = orders[0], orders[1:]
    left, all_ids = [order.id for order in others], [order.id for order in orders]
    await tx.execute(MOVE_LINES, first.id, left)
    await tx.execute("update claim set order_id = $1 where order_id = any($2::uuid[])", first.id, left)
    deadlines = [(row["pay_by"], row["id"]) for row in rows if row["pay_by"] is not None]
    by, of = min(deadlines) if deadlines else (None, first.id)
    await hand_delivery_on(tx, all_ids, source=follows.delivery.id, to=first.id)
    if follows.gift is not None:
        await hand_gift_on(tx, all_ids, source=follows.gift, to=first.id)
    await tx.execute(OTHER_REMINDERS, all_ids, of)
    await tx.execute(EARLIEST_REMINDERS, first.id, of)
    # Before the first goes their way: a buyer has one unpaid order of each.
    await tx.execute(EMPTY, left, now)
    for order in others:
        await move(tx, order, state=OrderState.CANCELLED, now=now)
    fee = max(row["shipping_minor"] for row in rows) if follows.shipping_minor is None else follows.shipping_minor
    await tx.execute(
        GROW, first.id, sum(row["subtotal_minor"] for row in rows), fee, sum(row["discount_minor"] for row in rows), by,
        follows.delivery.delivery_method.value, now,
    )  # fmt: skip


async def _tell(tx: Tx, orders: Sequence[LockedOrder], more_minor: int, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    first, others = orders[0], orders[1:]
    data: dict[UUID, dict[str, Any]] = {order.id: {"into": str(first.id), "number": first.number} for order in others}
    data[first.id] = {"from": [order.number for order in others], "amountMinor": more_minor}
    await add_events(tx, "MERGED", orders, data, actor=actor, now=now)
    entries = [Entry(order.shop_id, "order.merge", "order", order.id, {"number": order.number, "into": str(first.id)}) for order in orders]
    await record(tx, actor, entries, now=now)
    row = await tx.fetchrow('select total_minor, version from "order" where id = $1', first.id)
    assert row is not None
    facts = first.facts() | {"totalMinor": row["total_minor"]}
    draft = NoticeDraft(first.buyer_id, NoticeKind.LINES_CHANGED, f"merged:{first.id}:{row['version']}", facts)
    await enqueue(tx, first.shop_id, [draft], now=now, jobs=jobs)
