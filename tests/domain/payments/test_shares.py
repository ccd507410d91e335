"""Where money falls that came online, and the ways to pay that are offered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orders.rules import OrderState, PaymentState
from domain.payments.attempts import LEAST_LEFT, methods_for
from domain.payments.rules import OnlinePaymentMethod, Share, SurplusReason, share_of
from tests.build import NOW

S, P = OrderState, PaymentState
M = OnlinePaymentMethod


@pytest.mark.parametrize(
    ("received", "asked", "state", "payment", "due", "share"),
    [
        (680, 680, S.OPEN, P.UNPAID, 680, Share(680, True, 0, None)),
        (680, 680, S.OPEN, P.FAILED, 680, Share(680, True, 0, None)),
        (680, 680, S.OPEN, P.UNPAID, 900, Share(680, False, 0, None)),
        (680, 680, S.OPEN, P.PARTIALLY_PAID, 220, Share(220, True, 460, SurplusReason.MORE_THAN_DUE)),
        (680, 680, S.OPEN, P.UNPAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.OPEN, P.PAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.COMPLETED, P.PAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.CANCELLED, P.UNPAID, 680, Share(0, False, 680, SurplusReason.ORDER_CLOSED)),
        (680, 680, S.CANCELLED, P.EXPIRED, 680, Share(0, False, 680, SurplusReason.ORDER_CLOSED)),
        (1, 680, S.OPEN, P.UNPAID, 680, Share(0, False, 1, SurplusReason.OTHER_AMOUNT)),
        (681, 680, S.OPEN, P.UNPAID, 680, Share(0, False, 681, SurplusReason.OTHER_AMOUNT)),
    ],
)
def test_where_money_falls(received, asked, state, payment, due, share) -> None:
    assert share_of(received, asked, state, payment, due) == share


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(S), st.sampled_from(P), st.integers(0, 10**9))
def test_shares_are_all_that_came_and_never_more_than_is_due(received, asked, state, payment, due) -> None:
    share = share_of(received, asked, state, payment, due)
    assert share.takes + share.surplus == received
    assert share.takes <= due
    assert (share.surplus > 0) is (share.reason is not None)
    assert not share.settles or share.takes == due > 0


def test_the_ways_that_fit_amount_time_and_currency() -> None:
    later = NOW + timedelta(days=3)
    assert methods_for(680, "TWD", later, NOW) == [M.CARD, M.ATM, M.STORE_CODE]
    assert methods_for(680, "TWD", NOW + timedelta(hours=5), NOW) == [M.CARD, M.STORE_CODE]
    assert methods_for(30, "TWD", None, NOW) == [M.CARD, M.ATM]
    assert methods_for(20_001, "TWD", None, NOW) == [M.CARD, M.ATM]
    assert methods_for(680, "TWD", NOW + LEAST_LEFT - timedelta(seconds=1), NOW) == []
    assert methods_for(200_001, "TWD", later, NOW) == methods_for(0, "TWD", later, NOW) == methods_for(680, "HKD", later, NOW) == []
