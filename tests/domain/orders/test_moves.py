"""The three axes: the tables of the rules, the tables of the database, and what each event does in every state."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import DomainError
from domain.orders.commands import cancel, expire_due, lock_order, move
from domain.orders.errors import InvalidTransition
from domain.orders.rules import (
    NEXT_FULFILMENT,
    NEXT_ORDER,
    NEXT_PAYMENT,
    UNPAID_STATES,
    FulfilmentState,
    OrderAction,
    OrderState,
    PaymentState,
    list_of,
    seller_actions,
)
from domain.payments.commands import mark_paid
from domain.payments.errors import AlreadyPaid
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.books import books_agree, everything, many_orders
from tests.build import NOW, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
CLERK = Actor("member:00000000-0000-0000-0000-000000000001", "OWNER")
CLERK_ID = UUID(int=1)
AXES: dict[str, tuple[str, Mapping[StrEnum, frozenset[StrEnum]]]] = {
    "state": ("state", NEXT_ORDER),  # type: ignore[dict-item]
    "payment": ("payment_state", NEXT_PAYMENT),  # type: ignore[dict-item]
    "fulfilment": ("fulfilment_state", NEXT_FULFILMENT),  # type: ignore[dict-item]
}


@pytest.mark.parametrize(("table", "states"), [(NEXT_ORDER, OrderState), (NEXT_PAYMENT, PaymentState), (NEXT_FULFILMENT, FulfilmentState)])
def test_every_state_has_its_row_and_none_follows_itself(table: Mapping[StrEnum, frozenset[StrEnum]], states: type[StrEnum]) -> None:
    assert set(table) == set(states)
    assert [state for state in states if state in table[state]] == []


async def test_the_databases_table_says_the_same(db: str) -> None:
    in_rules = {(axis, str(old), str(new)) for axis, (_, table) in AXES.items() for old, nexts in table.items() for new in nexts}
    in_table = {
        (row["axis"], row["old"], row["new"])
        for row in await database.fetch("select axis, old, new from legal_move where axis <> 'shipment'")
    }
    assert in_table == in_rules


@pytest.mark.parametrize("axis", list(AXES))
async def test_the_trigger_lets_legal_moves_through_and_no_other(db: str, axis: str) -> None:
    column, table = AXES[axis]
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    seen = {}
    for old, new in itertools.product(table, table):
        async with database.transaction() as tx:
            await tx.execute('alter table "order" disable trigger order_guard')
            await tx.execute(f'update "order" set {column} = $2 where id = $1', order.id, str(old))
            await tx.execute('alter table "order" enable trigger order_guard')
            try:
                async with tx.raw.transaction():
                    await tx.execute(f'update "order" set {column} = $2, version = version + 1 where id = $1', order.id, str(new))
                seen[old, new] = "moved"
            except asyncpg.CheckViolationError as error:
                seen[old, new] = str(error.constraint_name)
    assert seen == {(old, new): "moved" if new in table[old] or new == old else "order_legal_move" for old in table for new in table}


async def test_the_version_rises_by_exactly_one(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    for step in ("version", "version + 2", "version - 1"):
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await database.execute(f'update "order" set flagged = true, version = {step} where id = $1', order.id)
        assert refused.value.constraint_name == "order_version_step"
    assert await database.fetchval('select version from "order" where id = $1', order.id) == 1


async def test_a_command_moves_along_legal_moves_and_no_others(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    for axis, (column, table) in AXES.items():
        for old, new in itertools.product(table, table):
            async with database.transaction() as tx:
                await tx.execute('alter table "order" disable trigger order_guard')
                await tx.execute(f'update "order" set {column} = $2 where id = $1', order.id, str(old))
                await tx.execute('alter table "order" enable trigger order_guard')
                locked = await lock_order(tx, order.id, shop.id)
                if new in table[old]:
                    moved = await move(tx, locked, **{axis: new}, now=NOW)  # type: ignore[arg-type]
                    assert (moved, moved.version) == (await lock_order(tx, order.id, shop.id), locked.version + 1)
                else:
                    with pytest.raises(InvalidTransition) as refused:
                        await move(tx, locked, **{axis: new}, now=NOW)  # type: ignore[arg-type]
                    assert vars(refused.value) == {"order_id": order.id, "axis": axis, "current": old.value, "wanted": new.value}
                    assert await lock_order(tx, order.id, shop.id) == locked


async def test_the_list_column_equals_the_rule_over_all_states(db: str) -> None:
    shop = await a_shop()
    everything_possible = list(itertools.product(OrderState, PaymentState, FulfilmentState, DeliveryMethod, (False, True)))
    await many_orders(shop, None, everything_possible)
    rows = await database.fetch('select state, payment_state, fulfilment_state, delivery_method, flagged, list from "order"')
    assert len(rows) == len(everything_possible) == 4 * 11 * 11 * 2 * 2
    for row in rows:
        state, payment, fulfilment, method, flagged, stored = row
        rule = list_of(OrderState(state), PaymentState(payment), FulfilmentState(fulfilment), DeliveryMethod(method), flagged=flagged)
        assert stored == rule.value, tuple(row)


ALL = [(*axes, DeliveryMethod.PICKUP, False) for axes in itertools.product(OrderState, PaymentState, FulfilmentState)]


async def _after(order_ids: list[UUID]) -> list[tuple[str, str, int]]:
    rows = await database.fetch('select id, state, payment_state, version from "order" where id = any($1)', order_ids)
    by_id = {row["id"]: (row["state"], row["payment_state"], row["version"]) for row in rows}
    return [by_id[order_id] for order_id in order_ids]


async def test_cancelling_in_every_state(db: str) -> None:
    shop = await a_shop()
    ids = await many_orders(shop, await a_variant(shop, on_hand=1000), ALL)
    for order_id, (state, payment, fulfilment, *_) in zip(ids, ALL, strict=True):
        allowed = OrderAction.CANCEL in seller_actions(state, payment, fulfilment)
        try:
            await cancel(order_id=order_id, shop_id=shop.id, reason="", actor=CLERK, now=NOW, jobs=JOBS)
            assert allowed or state is OrderState.CANCELLED
        except InvalidTransition:
            assert (allowed, state is OrderState.CANCELLED) == (False, False)
    expected = [
        ("CANCELLED", payment.value, 2)
        if OrderAction.CANCEL in seller_actions(state, payment, fulfilment)
        else (state.value, payment.value, 1)
        for state, payment, fulfilment, *_ in ALL
    ]
    assert await _after(ids) == expected
    assert await database.fetchval("select count(*) from order_event") == sum(version == 2 for *_, version in expected) == 5 * 11
    await books_agree()


async def test_marking_paid_in_every_state(db: str) -> None:
    shop = await a_shop()
    ids = await many_orders(shop, await a_variant(shop, on_hand=1000), ALL)
    for order_id, (state, payment, fulfilment, *_) in zip(ids, ALL, strict=True):
        allowed = OrderAction.MARK_PAID in seller_actions(state, payment, fulfilment)
        refusal: type[DomainError] | None = None
        try:
            await mark_paid(
                order_id=order_id, shop_id=shop.id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
                actor=CLERK, by_member_id=CLERK_ID, now=NOW, jobs=JOBS,
            )  # fmt: skip
        except DomainError as error:
            refusal = type(error)
        assert refusal is (None if allowed else AlreadyPaid if payment is PaymentState.PAID else InvalidTransition)
    expected = [
        (state.value, "PAID", 2) if OrderAction.MARK_PAID in seller_actions(state, payment, fulfilment) else (state.value, payment.value, 1)
        for state, payment, fulfilment, *_ in ALL
    ]
    assert await _after(ids) == expected
    assert await database.fetchval("select count(*) from payment") == len(UNPAID_STATES) * 11
    await books_agree()


async def test_time_running_out_in_every_state(db: str) -> None:
    shop = await a_shop()
    ids = await many_orders(shop, await a_variant(shop, on_hand=1000), ALL)
    assert await expire_due(now=NOW, limit=5_000, jobs=JOBS) == 0
    assert await expire_due(now=NOW + timedelta(microseconds=1), limit=5_000, jobs=JOBS) == 22
    runs_out = [(OrderState.OPEN, PaymentState.UNPAID), (OrderState.OPEN, PaymentState.FAILED)]
    assert await _after(ids) == [
        ("CANCELLED", "EXPIRED", 2) if (state, payment) in runs_out else (state.value, payment.value, 1) for state, payment, *_ in ALL
    ]
    await books_agree()
    before = await everything()
    assert await expire_due(now=NOW + timedelta(days=9), limit=5_000, jobs=JOBS) == 0
    assert await everything() == before
