"""Buyers' acts on orders in parallel with payments, comments and each other. Each race has a twin without the guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import new_id
from domain.orders import lines, merging, requests
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from plusone.invariants import check
from tests import build
from tests.build import NOW
from tests.domain.claims.acts import STAFF, first_order, pay
from tests.domain.claims.taps import a_fan
from tests.races.turns import HeldUp, names, until_somebody_waits
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(seconds=59)


async def a_line(text: str = "紅+2") -> tuple[Wall, UUID, UUID]:
    wall, member = await a_wall(variants=("紅", "白")), await a_fan("小美")
    await wall.says("小美", text, at=NOW)
    await wall.drain()
    return wall, member, await database.fetchval("select id from order_line order by created_at, id limit 1")


def smaller(wall: Wall, member: UUID, line: UUID, quantity: int = 1) -> Awaitable[Any]:
    return lines.reduce(line_id=line, quantity=quantity, member_id=member, now=NOW, jobs=wall.services.jobs)


def undone(wall: Wall, member: UUID, line: UUID) -> Awaitable[Any]:
    return lines.undo(line_id=line, member_id=member, now=NOW, jobs=wall.services.jobs)


async def pay_what_was_seen(wall: Wall, due: int) -> None:
    """The shop takes the amount that it saw."""
    await mark_paid(
        order_id=await first_order(), shop_id=wall.shop.id, method=PaymentMethod.CASH, reference="r", amount_minor=due, expected_version=None,
        actor=STAFF, by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip


# --- money arrives ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [smaller, undone])
async def test_a_line_is_taken_back_or_its_order_is_paid(db: str, act: Any) -> None:
    wall, member, line = await a_line()
    done = await names(act(wall, member, line), pay_what_was_seen(wall, 1180))
    assert done in (["IsPaid", "done"], ["done", "AmountMismatch"], ["done", "InvalidTransition"])
    held, committed = (await wall.level())[1:]
    assert (held + committed) == (2 if done[0] == "IsPaid" else 1 if act is smaller else 0)
    assert await check(LATER) == []


def unlocked(monkeypatch: pytest.MonkeyPatch, before: asyncio.Event, go_on: asyncio.Event) -> None:
    """Lines are taken back without a lock on their order, and whatever its version is; after looking, they wait."""
    monkeypatch.setattr(lines, "LOCK_BUYER", lines.LOCK_BUYER.replace("for no key update", ""))
    monkeypatch.setattr(lines, "LOCK_ORDER", lines.LOCK_ORDER.replace("for update of o", ""))
    monkeypatch.setattr(lines, "CHEAPER", lines.CHEAPER.replace("and version = $4", "and $4::int > 0"))
    levels = lines.lock_levels

    async def looked(*args: Any) -> Any:
        before.set()
        await go_on.wait()
        return await levels(*args)

    monkeypatch.setattr(lines, "lock_levels", looked)


async def test_twin_without_the_order_s_lock_takes_back_what_was_paid(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, member, line = await a_line("紅+2")
    other = await build.an_order(wall.shop, {build.AVariant(wall.product.variants[0].id, wall.shop.id, wall.product.id, 590, "紅"): 5})
    looked, go_on = asyncio.Event(), asyncio.Event()
    unlocked(monkeypatch, looked, go_on)
    await database.execute('alter table "order" drop constraint order_paid')
    try:
        task = asyncio.create_task(names(smaller(wall, member, line)))
        await looked.wait()
        await pay(wall)
        go_on.set()
        assert await task == ["done"]
        # Held pieces of another's order were freed, and the paid order is short of one.
        assert await wall.level() == (10, 4, 2)
        assert await database.fetchval('select paid_minor - total_minor from "order" where id <> $1', other.id) == 590
    finally:
        await database.execute('update "order" set paid_minor = least(paid_minor, total_minor), version = version + 1')
        await database.execute('alter table "order" add constraint order_paid check (paid_minor between 0 and total_minor)')


async def test_two_who_take_back_at_once_take_back_once(db: str) -> None:
    wall, member, line = await a_line("紅+3")
    assert await names(*(smaller(wall, member, line) for _ in range(4))) == ["done"] * 4
    assert await wall.level() == (10, 1, 0)
    assert await names(*(undone(wall, member, line) for _ in range(4))) == ["done"] * 4
    assert await wall.level() == (10, 0, 0)
    assert await check(LATER) == []


async def test_a_line_is_taken_back_while_its_comment_changes(db: str) -> None:
    wall, member, line = await a_line("紅+3")
    comment = await database.fetchval("select external_id from social_comment")
    await wall.says("小美", "紅+5", comment=comment, verb="edited", at=NOW + timedelta(seconds=1))
    assert (await names(smaller(wall, member, line), wall.drain()))[1] == "done"
    assert (await wall.pieces("小美"))["紅"] in (1, 5)
    assert await check(LATER) == []


async def test_a_request_is_answered_once(db: str) -> None:
    wall, member, _ = await a_line()
    order = await first_order()
    await requests.request(order_id=order, reason="", member_id=member, now=NOW)

    def answer(*, accept: bool) -> Awaitable[None]:
        return requests.answer(
            order_id=order, shop_id=wall.shop.id, accept=accept, note="", refund_reference="", may_refund=True, actor=STAFF, now=NOW,
            jobs=wall.services.jobs,
        )  # fmt: skip

    done = await names(answer(accept=True), answer(accept=False), answer(accept=True))
    assert done.count("done") == 1
    assert await wall.level() == ((10, 2, 0) if done[1] == "done" else (10, 0, 0))
    assert await check(LATER) == []


# --- merging ---------------------------------------------------------------------------------------------------------------------


async def two_names() -> tuple[Wall, UUID, list[UUID]]:
    """A member with two names, an open order each."""
    wall, member = await a_wall(variants=("紅", "白")), await a_fan("小美")
    await wall.says("小美", "紅+1", at=NOW)
    await wall.says("美美", "白+1", at=NOW)
    await wall.drain()
    await database.execute("update buyer set member_id = $1", member)
    await database.execute('update "order" set member_id = $1, version = version + 1', member)
    await database.execute("update notice set member_id = $1", member)
    return wall, member, [row["id"] for row in await database.fetch('select id from "order" order by created_at, id')]


def as_one(wall: Wall, member: UUID, orders: list[UUID]) -> Awaitable[UUID]:
    return merging.merge(order_ids=orders, member_id=member, now=NOW, jobs=wall.services.jobs)


async def test_orders_become_one_while_a_comment_adds_to_them(db: str) -> None:
    wall, member, orders = await two_names()
    await wall.says("小美", "紅+1", at=NOW + timedelta(seconds=1))
    await wall.says("美美", "白+2", at=NOW + timedelta(seconds=1))
    assert await names(as_one(wall, member, orders), wall.drain()) == ["done", "done"]
    assert await database.fetchval("select sum(quantity)::int from order_line") == 5
    living = await database.fetchval(
        """select sum(l.quantity)::int from order_line l join "order" o on o.id = l.order_id where o.state = 'OPEN'"""
    )
    assert living == 5
    assert (await wall.level(0), await wall.level(1)) == ((10, 2, 0), (10, 3, 0))
    assert await check(LATER) == []


async def test_twin_without_locks_a_comment_adds_to_the_order_that_is_gone(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, member, orders = await two_names()
    monkeypatch.setattr(merging, "LOCK_BUYERS", merging.LOCK_BUYERS.replace("for no key update", ""))
    monkeypatch.setattr(merging, "LOCK_ORDERS", merging.LOCK_ORDERS.replace("for update of o", ""))
    pour = HeldUp(monkeypatch, merging, "_pour")
    task = asyncio.create_task(as_one(wall, member, orders))
    await pour.reached.wait()
    await wall.says("美美", "白+2", at=NOW + timedelta(seconds=1))
    await wall.drain()
    pour.go_on.set()
    await task
    assert "I6a" in [violation.invariant for violation in await check(LATER)]


async def test_orders_are_merged_or_one_of_them_is_paid(db: str) -> None:
    wall, member, orders = await two_names()
    done = await names(as_one(wall, member, orders), pay(wall, orders[1]))
    assert done in (["done", "InvalidTransition"], ["InvalidTransition", "done"])
    assert await check(LATER) == []


async def test_a_comment_waits_for_a_merge_that_began_before_it(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, member, orders = await two_names()
    tell = HeldUp(monkeypatch, merging, "_tell")
    task = asyncio.create_task(as_one(wall, member, orders))
    await tell.reached.wait()
    await wall.says("美美", "白+2", at=NOW + timedelta(seconds=1))
    drained = asyncio.create_task(wall.drain())
    await until_somebody_waits(drained)
    tell.go_on.set()
    await asyncio.gather(task, drained)
    rows = await database.fetch("""select count(*)::int as n, sum(subtotal_minor)::int as sum from "order" where state = 'OPEN'""")
    assert [tuple(row.values()) for row in rows] == [(2, 4 * 590)]
    assert await check(LATER) == []
