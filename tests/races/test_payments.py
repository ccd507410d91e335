"""Two payments, a cancellation and the clock at the same instant; the twins do without the lock, and then money is counted wrongly."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.orders.commands import COLUMNS, as_locked, cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.payments import results
from plusone.invariants import check
from tests.build import NOW
from tests.domain.payments.online import JOBS, Till, a_till, attempt_of, begun, no_money_is_lost, order_of, paid

ROUNDS = 12
OWNER = Actor("member:1", "OWNER")


async def cancelled(till: Till) -> None:
    await cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)


async def test_two_attempts_paid_at_once_pay_one_order_and_one_goes_back(db: str) -> None:
    for _ in range(ROUNDS):
        till = await a_till()
        first, second = await begun(till), await begun(till)
        await asyncio.gather(paid(till, first), paid(till, second))
        ends = sorted([await attempt_of(first), await attempt_of(second)])
        assert ends == [("PAID", 1180, 0, None), ("PAID", 1180, 1180, "ALREADY_PAID")]
        assert await order_of(till) == ("OPEN", "PAID", 1180)
    await no_money_is_lost()
    assert await check(NOW) == []


async def test_without_the_locks_both_attempts_pay_the_order(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: both read the order before either writes; only the version's trigger is left, and it refuses one of them, money and all."""
    till = await a_till()
    first, second = await begun(till), await begun(till)
    both = asyncio.Barrier(2)

    async def unlocked(tx: Any, order_id: Any, shop_id: Any) -> Any:
        row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.shop_id = $2', order_id, shop_id)
        await both.wait()
        return as_locked(row)

    monkeypatch.setattr(results, "lock_order", unlocked)
    answers = await asyncio.gather(paid(till, first), paid(till, second), return_exceptions=True)
    came = [await attempt_of(number) for number in (first, second)]
    # Either one notice fails, or the second payment counts as the order's too: never one order's payment and one surplus.
    wrong = any(isinstance(answer, BaseException) for answer in answers) or [surplus for _, _, surplus, _ in came] == [0, 0]
    assert wrong
    assert sorted(came) != [("PAID", 1180, 0, None), ("PAID", 1180, 1180, "ALREADY_PAID")]


async def test_paid_and_cancelled_at_once_is_one_of_both_and_the_money_is_known(db: str) -> None:
    ends = set()
    for _ in range(ROUNDS):
        till = await a_till()
        number = await begun(till)
        answers = await asyncio.gather(paid(till, number), cancelled(till), return_exceptions=True)
        assert not isinstance(answers[0], BaseException)
        assert answers[1] is None or isinstance(answers[1], InvalidTransition)
        ends.add((*(await order_of(till))[:2], (await attempt_of(number))[2:]))
    assert ends <= {("OPEN", "PAID", (0, None)), ("CANCELLED", "UNPAID", (1180, "ORDER_CLOSED"))}
    await no_money_is_lost()
    assert await check(NOW) == []


async def test_paid_and_expired_at_once_is_one_of_both(db: str) -> None:
    late = NOW + timedelta(days=3, hours=1)
    for _ in range(ROUNDS):
        till = await a_till()
        number = await begun(till)
        await asyncio.gather(paid(till, number, at=late), expire_due(now=late, limit=10, jobs=JOBS))
        state, payment, _ = await order_of(till)
        assert (state, payment, (await attempt_of(number))[2]) in (("OPEN", "PAID", 0), ("CANCELLED", "EXPIRED", 1180))
    await no_money_is_lost()
    assert await database.fetchval("select count(*) from payment_attempt where state <> 'PAID'") == 0
    assert await check(late) == []
