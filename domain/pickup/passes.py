"""A pass as the counter sees it: its row, its orders, and what of them is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record
from domain.orders.parcels import pass_slot
from domain.orders.rules import FulfilmentState, OrderState, PaymentState, amount_due_minor
from domain.paging import Row
from domain.pickup.errors import PickupRefused
from domain.pickup.rules import CoveredOrder, PickupRefusal, PickupState, refusal_of

Fetch = Callable[..., Awaitable[list[Record]]]
"""`db.fetch`, or that of an open transaction."""

PICKUP_ROWS = """select p.id, p.shop_id, p.buyer_id, p.code_id, p.state, p.issue_number, p.short_code, p.not_after, p.lent_issue, p.lent_to, p.lent_used_at,
    b.name as buyer_name, b.member_id, p.slot_id, t.starts_at, t.ends_at, (select f.place from delivery_offer f where f.id = t.offer_id and f.shop_id = p.shop_id) as place
  from pickup p join buyer b on b.id = p.buyer_id left join pickup_slot t on t.id = p.slot_id and t.shop_id = p.shop_id"""


@dataclass(frozen=True, slots=True)
class PassSlot:
    """When and where the orders of a pass are handed over. `place` may be empty."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    place: str

    def shown(self) -> Row:
        """As screens have it."""
        return pass_slot(self.id, starts_at=self.starts_at, ends_at=self.ends_at, place=self.place)


@dataclass(frozen=True, slots=True)
class Pass:
    """One buyer's pass in one shop, for one slot or for none."""

    id: UUID
    shop_id: UUID
    buyer_id: UUID
    code_id: int
    state: PickupState
    issue_number: int
    short_code: str
    not_after: datetime | None
    """Null before the first code, and while the newest is revoked."""
    lent_issue: int | None
    lent_to: str | None
    lent_used_at: datetime | None
    buyer_name: str
    member_id: UUID | None
    slot: PassSlot | None

    @property
    def is_lent(self) -> bool:
        """True when the newest code was made for somebody else."""
        return self.lent_issue is not None and self.lent_issue == self.issue_number

    @property
    def dead(self) -> PickupRefusal | None:
        """Why the newest code is good for nothing; None while it is good."""
        if self.is_lent and self.lent_used_at is not None:
            return PickupRefusal.ALREADY_USED
        return PickupRefusal.REVOKED if self.issue_number and self.not_after is None else None

    def on_loan(self, now: datetime) -> bool:
        """True while somebody else may come with it."""
        return self.is_lent and self.dead is None and self.not_after is not None and now <= self.not_after


@dataclass(frozen=True, slots=True)
class DueLine:
    """A line of a pass; `left` pieces of `quantity` are neither handed over yet nor in a parcel, `may_leave` says whether they may now."""

    order_line_id: UUID
    order_id: UUID
    order_number: str
    variant_id: UUID
    title: str
    variant_label: str
    quantity: int
    left: int
    may_leave: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """All that a pass stands for. `due_minor` is owed for its open orders that are not paid, in minor units of `currency`."""

    order_ids: list[UUID]
    orders: list[CoveredOrder]
    lines: list[DueLine]
    due_minor: int
    currency: str


def as_pass(row: Record) -> Pass:
    """A row of PICKUP_ROWS."""
    facts = dict(row)
    slot_id, starts_at, ends_at, place = (facts.pop(name) for name in ("slot_id", "starts_at", "ends_at", "place"))
    slot = None if slot_id is None else PassSlot(slot_id, starts_at, ends_at, place)
    return Pass(**{**facts, "state": PickupState(facts["state"]), "slot": slot})


async def covered_by(fetch: Fetch, pickup_id: UUID) -> Covered:
    """The orders and lines of a pass as they stand, one statement."""
    rows = await fetch(
        """select o.id as order_id, o.number, o.state, o.payment_state, o.fulfilment_state, o.total_minor, o.paid_minor, o.currency,
             l.id as line_id, l.variant_id, l.title, l.variant_label, l.quantity, l.quantity - l.handed_over - l.packed - l.shipped as left_pieces
           from pickup_order po join "order" o on o.id = po.order_id join order_line l on l.order_id = o.id
           where po.pickup_id = $1 order by o.id, l.created_at, l.id""",
        pickup_id,
    )
    by_order: dict[UUID, list[Record]] = {}
    for row in rows:
        by_order.setdefault(row["order_id"], []).append(row)
    orders = {order_id: _order(of_order) for order_id, of_order in by_order.items()}
    owed = sum(o.due_minor for o in orders.values() if o.state is OrderState.OPEN and o.payment is not PaymentState.PAID)
    lines = [_line(row, orders[row["order_id"]].may_leave) for row in rows if row["quantity"]]
    return Covered(list(orders), list(orders.values()), lines, owed, rows[0]["currency"] if rows else "")


def _order(rows: Sequence[Record]) -> CoveredOrder:
    first = rows[0]
    return CoveredOrder(
        OrderState(first["state"]),
        PaymentState(first["payment_state"]),
        FulfilmentState(first["fulfilment_state"]),
        sum(row["left_pieces"] for row in rows),
        amount_due_minor(first["total_minor"], first["paid_minor"]),
    )


def _line(row: Record, order_may_leave: bool) -> DueLine:
    left = row["left_pieces"]
    return DueLine(
        order_line_id=row["line_id"],
        order_id=row["order_id"],
        order_number=row["number"],
        variant_id=row["variant_id"],
        title=row["title"],
        variant_label=row["variant_label"],
        quantity=row["quantity"],
        left=left,
        may_leave=order_may_leave and left > 0,
    )


async def refuse_or_go_on(fetch: Fetch, found: Pass, shown_issue: int | None, covered: Covered) -> None:
    """Go on when something of this pass may leave.

    Raises:
        PickupRefused: why not, with what the clerk may know beside it.
    """
    refusal = refusal_of(found.state, found.issue_number, shown_issue, covered.orders, found.dead)
    if refusal is None:
        return
    facts: dict[str, Any] = {}
    if refusal is PickupRefusal.UNPAID:
        facts = {"due_minor": covered.due_minor, "currency": covered.currency}
    elif refusal is PickupRefusal.ALREADY_USED:
        last = await fetch(
            "select at, by_member_id, device from hand_over where pickup_id = $1 order by at desc, id desc limit 1", found.id
        )
        facts = {"collected_at": last[0]["at"], "by_member_id": last[0]["by_member_id"], "device": last[0]["device"]} if last else {}
    raise PickupRefused(refusal, facts, found.id)


async def record_refusal(shop_id: UUID, actor: Actor, device: str, refused: PickupRefused, *, now: datetime) -> None:
    """Note in the audit that a code was refused: at the pass where it named one, otherwise at the shop."""
    object_type, object_id = ("pickup", refused.pickup_id) if refused.pickup_id else ("shop", shop_id)
    detail = {"refusal": refused.refusal.value, "device": device[:120]}
    async with db.transaction() as tx:
        await record(tx, actor, [Entry(shop_id, "pickup.refused", object_type, object_id, detail)], now=now)
