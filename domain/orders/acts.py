"""What else the buyer of an order may do, as one column beside the order's states: until when, and whether at all. Pure but for its SQL.

The column is a text of whole numbers, so that both ways of reading a screen carry it; instants are milliseconds since 1970. What depends on
the time is compared with the instant of the request (`domain.clock.asked_at`), never with the database's clock.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from domain.orders.attached import BEING_PAID
from domain.orders.rules import FulfilmentState, OrderAction, OrderState, PaymentState

F, P = FulfilmentState, PaymentState
AMOUNT_OPEN: Final = frozenset({P.UNPAID, P.FAILED})
"""No money is under way: lines may still be taken back."""
NOT_GONE: Final = frozenset({F.UNFULFILLED, F.WAITING_STOCK, F.READY, F.READY_FOR_PICKUP})
"""No piece has left, and no label was printed."""
WAITS_TO_SHIP: Final = frozenset({F.UNFULFILLED, F.WAITING_STOCK, F.READY})
SETTLED: Final = frozenset({P.PAID, P.NONE_DUE, P.COLLECT_ON_DELIVERY})

EVER: Final = 9_999_999_999_999
_MS: Final = "(extract(epoch from {0}) * 1000)::bigint"
REDUCIBLE_UNTIL: Final = f"""case coalesce(pv.policy ->> 'cancel_until', 'CLOSE') when 'PAYMENT' then {EVER} when 'NEVER' then 0
    else case when sp.id is null then {EVER} when sp.state <> 'OPEN' then 0 else coalesce({_MS.format("sp.closes_at")}, {EVER}) end end"""
"""Last instant at which the buyer of a line may take pieces of it back, by the rule that it was ordered under; aliases of RULE_OF_LINE."""
RULE_OF_LINE: Final = """left join claim_policy_version pv on pv.id = al.policy_version_id left join sales_post sp on sp.id = al.post_id"""
LINES: Final = f"""(select concat_ws(' ', coalesce(max({_MS.format("al.created_at")}), 0) + s.undo_minutes * 60000, coalesce(max({REDUCIBLE_UNTIL}), 0))
    from order_line al {RULE_OF_LINE} where al.order_id = o.id and al.quantity > 0)"""
ANOTHER: Final = f"""exists (select from "order" x
    where x.buyer_id = any(array(select xb.id from buyer xb where xb.member_id = o.member_id and xb.shop_id = o.shop_id)) and x.shop_id = o.shop_id
    and x.state = 'OPEN' and x.payment_state = 'UNPAID' and x.id <> o.id and x.cancel_requested_at is null and not {BEING_PAID.format("x")})"""
"""There is another order of the member's to merge with; whether this one may be merged is for its own states to say."""
ACTS: Final = f"""case when o.state <> 'OPEN' then '' else concat_ws(' ',
    case when o.payment_state in ('UNPAID', 'FAILED') then {LINES} else '0 0' end,
    case when o.payment_state = 'UNPAID' and {ANOTHER} then 1 else 0 end,
    case when o.cancel_requested_at is null then 0 else 1 end,
    coalesce({_MS.format("o.ship_later_until")}, 0), s.ship_later_days,
    case when o.payment_state in ('UNPAID', 'FAILED', 'REPORTED') and {BEING_PAID.format("o")} then 1 else 0 end) end"""
"""Aliases `o` and `s` (the order's shop)."""


UNDO_UNTIL: Final = f"""case when o.state = 'OPEN' and o.payment_state in ('UNPAID', 'FAILED') and s.undo_minutes > 0
    and not {BEING_PAID.format("o")} then
    (select max(al.created_at) + s.undo_minutes * interval '1 minute' from order_line al where al.order_id = o.id and al.quantity > 0) end"""
"""The same aliases."""


class Acts(NamedTuple):
    """What the column says of an open order."""

    undo_until: int
    reduce_until: int
    may_merge: bool
    cancel_requested: bool
    ship_later_until: int
    ship_later_days: int
    being_paid: bool
    """An online payment may still succeed."""


NOTHING: Final = Acts(0, 0, may_merge=False, cancel_requested=False, ship_later_until=0, ship_later_days=0, being_paid=False)


@lru_cache(maxsize=1_024)
def read_acts(text: str) -> Acts:
    """A value of ACTS."""
    if not text:
        return NOTHING
    undo, reduce, merge, requested, later, days, paying = map(int, text.split(" "))
    return Acts(undo, reduce, merge == 1, requested == 1, later, days, paying == 1)


def buyer_acts(
    state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, acts: Acts, now: datetime | None
) -> list[OrderAction]:
    """What the buyer may do beside paying and collecting; without an instant nothing that depends on one."""
    if state is not OrderState.OPEN:
        return []
    found: list[OrderAction] = []
    at = None if now is None else now.timestamp() * 1000
    if at is not None and payment in AMOUNT_OPEN and not acts.being_paid:
        if at < acts.undo_until:
            found.append(OrderAction.UNDO)
        if at <= acts.reduce_until:
            found.append(OrderAction.REDUCE)
    if fulfilment in NOT_GONE and not acts.cancel_requested:
        found.append(OrderAction.REQUEST_CANCEL)
    if acts.may_merge and payment is P.UNPAID and not acts.being_paid and not acts.cancel_requested:
        found.append(OrderAction.MERGE)
    return found


def parcel_acts(
    state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, acts: Acts, now: datetime | None
) -> list[OrderAction]:
    """Whether a parcel that is sent may wait for others, or need not any more. The caller has made sure that it is sent."""
    if state is not OrderState.OPEN or payment not in SETTLED or fulfilment not in WAITS_TO_SHIP or now is None:
        return []
    if now.timestamp() * 1000 < acts.ship_later_until:
        return [OrderAction.SHIP_NOW]
    return [OrderAction.SHIP_LATER] if acts.ship_later_days else []


def seller_acts(state: OrderState, acts: Acts) -> list[OrderAction]:
    """What staff may do beside the rest. A request may be declined also once goods are packed or gone; left alone, it would stand for ever."""
    return [OrderAction.ANSWER_CANCEL] if state is OrderState.OPEN and acts.cancel_requested else []
