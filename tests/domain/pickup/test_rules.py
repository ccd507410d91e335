"""Why a pass is refused, which pieces may leave, what the counter sees of a name."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from domain.orders.rules import FulfilmentState as F
from domain.orders.rules import OrderState as O
from domain.orders.rules import PaymentState as P
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import choose
from domain.pickup.passes import DueLine
from domain.pickup.rules import CoveredOrder, LineQuantity, PickupRefusal, PickupState, masked, refusal_of

R = PickupRefusal


def an(state: O = O.OPEN, payment: P = P.PAID, fulfilment: F = F.READY_FOR_PICKUP, left: int = 1) -> CoveredOrder:
    return CoveredOrder(state, payment, fulfilment, left, 0)


READY = an()
DONE = an(O.COMPLETED, P.PAID, F.HANDED_OVER, 0)


@pytest.mark.parametrize(
    ("state", "shown", "orders", "refusal"),
    [
        (PickupState.OPEN, 2, [READY], None),
        (PickupState.OPEN, None, [READY], None),
        (PickupState.CANCELLED, 2, [READY], R.CANCELLED),
        (PickupState.CANCELLED, 1, [READY], R.CANCELLED),
        (PickupState.COLLECTED, 2, [DONE], R.ALREADY_USED),
        (PickupState.COLLECTED, 1, [DONE], R.ALREADY_USED),
        (PickupState.OPEN, 1, [READY], R.REVOKED),
        (PickupState.OPEN, 3, [READY], R.INVALID),
        (PickupState.OPEN, 2, [an(payment=P.REFUNDED)], R.UNPAID),
        (PickupState.OPEN, 2, [an(payment=P.UNPAID)], R.UNPAID),
        (PickupState.OPEN, 2, [an(fulfilment=F.WAITING_STOCK)], R.NOT_READY),
        (PickupState.OPEN, 2, [an(O.LOCKED)], R.NOT_READY),
        (PickupState.OPEN, 2, [an(payment=P.UNPAID), an(fulfilment=F.WAITING_STOCK)], R.UNPAID),
        (PickupState.OPEN, 2, [an(O.CANCELLED)], R.CANCELLED),
        (PickupState.OPEN, 2, [an(O.CANCELLED), DONE], R.ALREADY_USED),
        (PickupState.OPEN, 2, [], R.NOT_READY),
        (PickupState.OPEN, 2, [an(O.CANCELLED), an(payment=P.UNPAID), an(fulfilment=F.PARTIAL)], None),
    ],
)
def test_the_first_reason_that_holds(state: PickupState, shown: int | None, orders: list[CoveredOrder], refusal: R | None) -> None:
    assert refusal_of(state, 2, shown, orders) is refusal


def test_goods_leave_only_for_open_paid_ready_orders_with_something_left() -> None:
    may = [c for c in itertools.product(O, P, F, (0, 1)) if an(*c).may_leave]
    assert may == [(O.OPEN, P.PAID, F.PARTIAL, 1), (O.OPEN, P.PAID, F.READY_FOR_PICKUP, 1)]


def test_a_pass_is_let_through_exactly_when_one_of_its_orders_may_leave() -> None:
    for pair in itertools.product(itertools.product(O, P, F, (0, 1)), [READY, DONE, an(payment=P.UNPAID)]):
        orders = [an(*pair[0]), pair[1]]
        assert (refusal_of(PickupState.OPEN, 2, 2, orders) is None) is any(order.may_leave for order in orders)


A, B = UUID(int=1), UUID(int=2)


def line(line_id: UUID, left: int) -> DueLine:
    return DueLine(line_id, UUID(int=9), "1001-000001", UUID(int=8), "方巾", "紅", left, left, True)


def test_all_pieces_leave_when_no_lines_are_named() -> None:
    assert choose([line(A, 2), line(B, 1)], None) == {A: 2, B: 1}


def test_named_pieces_leave() -> None:
    assert choose([line(A, 2), line(B, 1)], [LineQuantity(A, 1)]) == {A: 1}


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [LineQuantity(A, 0)],
        [LineQuantity(A, -1)],
        [LineQuantity(A, 3)],
        [LineQuantity(A, 1), LineQuantity(A, 1)],
        [LineQuantity(A, 1), LineQuantity(UUID(int=3), 1)],
    ],
)
def test_other_pieces_do_not(wanted: list[LineQuantity]) -> None:
    with pytest.raises(PickupRefused) as refused:
        choose([line(A, 2), line(B, 1)], wanted)
    assert refused.value.refusal is R.RULES


def test_nothing_leaves_when_nothing_is_due() -> None:
    with pytest.raises(PickupRefused) as refused:
        choose([], None)
    assert refused.value.refusal is R.NOT_READY


@pytest.mark.parametrize(
    ("name", "seen"), [("王小明", "王○明"), ("陳美", "陳○"), ("Mary Lin", "M○n"), ("林", "林"), ("", ""), ("  歐陽小美 ", "歐○美")]
)
def test_the_counter_sees_a_masked_name(name: str, seen: str) -> None:
    assert masked(name) == seen
