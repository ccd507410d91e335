"""Two at the counter, at the till and at the clock at the same instant; each race has a twin without the lock, in which the wrong thing happens."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import db as database
from domain.audit.commands import Actor
from domain.db import Tx
from domain.orders.commands import COLUMNS, LockedOrder, as_locked, cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.orders.rules import PaymentState
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.pickup import commands, hand_over
from domain.pickup.commands import PickupSigner
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import HandOverResult
from domain.pickup.rules import LineQuantity, PickupRefusal
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason, SellBeyond
from domain.vault import Vault
from tests.books import books_agree, figures
from tests.build import NOW, AnOrder, AShop, AVariant, a_buyer, a_member, a_shop, a_variant, an_order
from tests.conftest import empty
from tests.races.turns import levels_unlocked

T = TypeVar("T")
ROUNDS = int(os.environ.get("PLUSONE_RACE_ROUNDS", "30"))
JOBS = PgQueuerJobs()
VAULT = Vault("a secret of at least thirty-two characters")
SIGNER = PickupSigner(0, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEYS = {0: SIGNER.private_key.public_key()}
CLERKS = [UUID(int=7), UUID(int=8), UUID(int=9)]
LATE = NOW + timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Due:
    """A pass that was just issued."""

    shop: AShop
    order: AnOrder
    token: str


async def pay(order: AnOrder, now: Any = NOW) -> None:
    await mark_paid(
        order_id=order.id, shop_id=order.shop_id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=Actor(f"member:{CLERKS[0]}"), by_member_id=CLERKS[0], now=now, jobs=JOBS,
    )  # fmt: skip


async def a_pass(shop: AShop, variant: AVariant, pieces: int = 1) -> Due:
    member = await a_member()
    order = await an_order(shop, [(variant, pieces)], buyer=await a_buyer(shop, member_id=member))
    await pay(order)
    issued = await commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW)
    return Due(shop, order, issued.token)


async def scanned(due: Due, clerk: UUID) -> str:
    return (
        await commands.scan(shop_id=due.shop.id, token=due.token, scanner_id=clerk, device="", public_keys=KEYS, vault=VAULT, now=NOW)
    ).scan_id


async def confirmed(due: Due, scan_id: str, clerk: UUID, pieces: int | None = None) -> HandOverResult:
    lines = None if pieces is None else [LineQuantity(due.order.lines[0], pieces)]
    return await commands.confirm(
        shop_id=due.shop.id, scan_id=scan_id, lines=lines, collected_minor=0, actor=Actor(f"member:{clerk}"), by_member_id=clerk, device="",
        vault=VAULT, now=NOW, jobs=JOBS,
    )  # fmt: skip


async def all_of(*races: Awaitable[T]) -> list[T | BaseException]:
    return await asyncio.gather(*races, return_exceptions=True)


def refusals(answers: list[Any]) -> list[PickupRefusal]:
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, PickupRefused):
            raise answer
    return [answer.refusal for answer in answers if isinstance(answer, PickupRefused)]


# two scanners, one pass


async def test_two_scanners_and_one_pass_make_one_hand_over(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=10_000)
    for number in range(ROUNDS):
        due = await a_pass(shop, variant)
        scans = [await scanned(due, clerk) for clerk in CLERKS[:2]]
        answers = await all_of(*(confirmed(due, scan, clerk) for scan, clerk in zip(scans, CLERKS[:2], strict=True)))
        assert refusals(answers) == [PickupRefusal.ALREADY_USED]
        assert await database.fetchval("select count(*) from hand_over") == number + 1
    assert await figures(variant) == (10_000 - ROUNDS, 0, 0)
    await books_agree()


@pytest.fixture
async def without_the_last_net(db: str) -> AsyncIterator[None]:
    """The table's own CHECKs off, so that only the lock stands between the two scanners."""
    pieces = await database.fetchval("select pg_get_constraintdef(oid) from pg_constraint where conname = 'order_line_pieces'")
    await database.execute("alter table order_line drop constraint order_line_handed_over, drop constraint order_line_pieces")
    yield
    await empty(db)
    await database.execute(f"alter table order_line add constraint order_line_pieces {pieces}")
    await database.execute("alter table order_line add constraint order_line_handed_over check (handed_over between 0 and quantity)")


async def test_without_the_locks_two_scanners_hand_over_twice(without_the_last_net: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: both look before either writes."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order(shop, [(variant, 5)], payment=PaymentState.PAID)
    due = await a_pass(shop, variant)
    scans = [await scanned(due, clerk) for clerk in CLERKS[:2]]
    both_looked = asyncio.Barrier(2)
    covered_by = hand_over.covered_by

    async def look_and_wait(*args: Any) -> Any:
        seen = await covered_by(*args)
        await both_looked.wait()
        return seen

    monkeypatch.setattr(hand_over, "LOCK_ORDERS", hand_over.LOCK_ORDERS.replace("for update of o", ""))
    monkeypatch.setattr(hand_over, "LOCK_PASS", hand_over.LOCK_PASS.replace("for update of p", ""))
    monkeypatch.setattr(hand_over, "lock_levels", levels_unlocked)
    monkeypatch.setattr(hand_over, "covered_by", look_and_wait)
    answers = await all_of(*(confirmed(due, scan, clerk) for scan, clerk in zip(scans, CLERKS[:2], strict=True)))
    assert [type(answer) for answer in answers] == [HandOverResult, HandOverResult]
    assert await database.fetchval("select count(*) from hand_over") == 2
    assert await database.fetchval("select handed_over from order_line where order_id = $1", due.order.id) == 2
    assert (await figures(variant))[0] == 7


async def test_one_scan_confirmed_many_times_at_once_is_one_hand_over(db: str) -> None:
    shop = await a_shop()
    due = await a_pass(shop, await a_variant(shop, on_hand=9), pieces=2)
    scan = await scanned(due, CLERKS[0])
    answers = await all_of(*(confirmed(due, scan, CLERKS[0]) for _ in range(8)))
    assert refusals(answers) == []
    assert answers == [answers[0]] * 8
    assert await database.fetchval("select count(*) from hand_over") == 1
    await books_agree()


async def test_three_scanners_take_one_piece_each_of_two(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=100)
    for _ in range(ROUNDS // 3):
        due = await a_pass(shop, variant, pieces=2)
        scans = [await scanned(due, clerk) for clerk in CLERKS]
        answers = await all_of(*(confirmed(due, scan, clerk, pieces=1) for scan, clerk in zip(scans, CLERKS, strict=True)))
        assert refusals(answers) == [PickupRefusal.ALREADY_USED]
    await books_agree()


async def test_a_pass_renewed_while_it_is_scanned_hands_over_once_or_not(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=100)
    outcomes = set()
    for _ in range(ROUNDS):
        due = await a_pass(shop, variant)
        member = await database.fetchval("select member_id from buyer where id = $1", due.order.buyer_id)
        scan = await scanned(due, CLERKS[0])
        renewed, handed = await all_of(
            commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW), confirmed(due, scan, CLERKS[0])
        )
        outcomes.add((getattr(renewed, "refusal", type(renewed).__name__), getattr(handed, "refusal", type(handed).__name__)))
    # Whoever comes first wins; the buyer's phone may also find no open pass any more.
    assert outcomes <= {
        ("IssuedPass", PickupRefusal.REVOKED),
        (PickupRefusal.ALREADY_USED, "HandOverResult"),
        ("NotFound", "HandOverResult"),
    }
    await books_agree()


async def test_an_order_that_joins_the_pass_meanwhile_is_kept_for_later(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS):
        buyer = await a_buyer(shop, member_id=member)
        first = await an_order(shop, [(variant, 1)], buyer=buyer)
        await pay(first)
        pickup_id = await database.fetchval("select pickup_id from pickup_order where order_id = $1", first.id)
        issued = await commands.issue(member_id=member, pickup_id=pickup_id, shop_id=None, signer=SIGNER, now=NOW)
        due = Due(shop, first, issued.token)
        second = await an_order(shop, [(variant, 1)], buyer=buyer)
        scan = await scanned(due, CLERKS[0])
        answers = await all_of(pay(second), confirmed(due, scan, CLERKS[0]))
        assert refusals(answers) == []
        row = await database.fetchrow(
            """select o.state, p.state as pickup from "order" o join pickup_order po on po.order_id = o.id join pickup p on p.id = po.pickup_id
               where o.id = $1""",
            second.id,
        )
        assert row is not None
        assert tuple(row) in {("OPEN", "OPEN"), ("COMPLETED", "COLLECTED")}
    await books_agree()


# cancel and pay


async def cancelled(order: AnOrder) -> None:
    await cancel(order_id=order.id, shop_id=order.shop_id, reason="", actor=Actor("member:x"), now=NOW, jobs=JOBS)


async def ends() -> list[tuple[str, str]]:
    return [tuple(row) for row in await database.fetch('select state, payment_state from "order" order by id')]


async def test_an_order_is_cancelled_or_paid_and_never_both(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    paid = 0
    for number in range(ROUNDS):
        order = await an_order(shop, [(variant, 1)])
        race = [pay(order), cancelled(order)] if number % 2 else [cancelled(order), pay(order)]
        answers = await all_of(*race)
        assert sorted(type(answer).__name__ for answer in answers) == ["InvalidTransition", "NoneType"]
        paid += await database.fetchval("select count(*) from payment where order_id = $1", order.id)
    assert set(await ends()) <= {("CANCELLED", "UNPAID"), ("OPEN", "PAID")}
    assert await figures(variant) == (1000, 0, paid)
    await books_agree()


async def elsewhere(act: Coroutine[Any, Any, T]) -> T:
    """Run this outside of the caller's transaction, as another process would."""
    return await asyncio.create_task(act, context=contextvars.Context())


async def looked_at(tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
    """`lock_order` without its lock."""
    row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.shop_id = $2', order_id, shop_id)
    assert row is not None
    return as_locked(row)


@pytest.fixture
async def without_the_guard(db: str) -> AsyncIterator[None]:
    """The table's own guard of legal moves off, so that only the lock stands between the two."""
    await database.execute('alter table "order" disable trigger order_guard')
    yield
    await database.execute('alter table "order" enable trigger order_guard')


async def test_without_the_lock_a_cancelled_order_is_paid(without_the_guard: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: another order's held piece is committed for an order that is no more."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order(shop, [(variant, 3)])
    order = await an_order(shop, [(variant, 1)])

    async def look_and_be_cancelled(tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
        seen = await looked_at(tx, order_id, shop_id)
        await elsewhere(cancelled(order))
        return seen

    monkeypatch.setattr("domain.payments.commands.lock_order", look_and_be_cancelled)
    await pay(order)
    assert await database.fetchval("select count(*) from payment") == 1
    assert await database.fetchval("select count(*) from stock_movement where kind = 'RELEASED'") == 1
    with pytest.raises(AssertionError):
        await books_agree()


# time runs out while money comes in


async def test_fifty_orders_expire_while_they_are_paid(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    orders = [await an_order(shop, [(variant, 1)]) for _ in range(50)]
    room = asyncio.Semaphore(12)

    async def at_the_till(order: AnOrder) -> None:
        async with room:
            await pay(order, LATE)

    answers = await all_of(*(at_the_till(order) for order in orders), *(expire_due(now=LATE, limit=500, jobs=JOBS) for _ in range(4)))
    tills, sweeps = answers[:50], answers[50:]
    assert {type(answer) for answer in tills} <= {type(None), InvalidTransition}
    paid = tills.count(None)
    last = await expire_due(now=LATE, limit=500, jobs=JOBS)
    assert paid + sum(sweeps) + last == 50  # type: ignore[arg-type]
    found = await ends()
    assert (found.count(("OPEN", "PAID")), found.count(("CANCELLED", "EXPIRED"))) == (paid, 50 - paid)
    assert await figures(variant) == (1000, 0, paid)
    assert await database.fetchval("select count(*) from notice where kind = 'ORDER_EXPIRED'") == 50 - paid
    assert await database.fetchval("select count(*) from payment") == paid
    await books_agree()


async def test_without_the_lock_an_expired_order_is_paid(without_the_guard: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the deadline passes between the look and the writing."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order(shop, [(variant, 3)], pay_by=None)
    order = await an_order(shop, [(variant, 1)])

    async def look_and_expire(tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
        seen = await looked_at(tx, order_id, shop_id)
        assert await elsewhere(expire_due(now=LATE, limit=10, jobs=JOBS)) == 1
        return seen

    monkeypatch.setattr("domain.payments.commands.lock_order", look_and_expire)
    await pay(order, LATE)
    assert await database.fetchval('select state from "order" where id = $1', order.id) == "OPEN"
    assert await database.fetchval("select count(*) from payment") == 1
    with pytest.raises(AssertionError):
        await books_agree()


async def test_many_sweeps_at_once_expire_each_order_once(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(30):
        await an_order(shop, [(variant, 1)])
    done = await asyncio.gather(*(expire_due(now=LATE, limit=500, jobs=JOBS) for _ in range(6)))
    assert sum(done) == 30
    assert await figures(variant) == (1000, 0, 0)
    await books_agree()


# goods arrive while money comes in


async def test_orders_paid_while_goods_arrive_all_become_ready_in_the_end(db: str) -> None:
    shop = await a_shop()
    variants = [await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=50) for _ in range(2)]
    orders = []
    for number in range(20):
        lines = [(variant, 1) for variant in (variants if number % 2 else variants[::-1])]
        orders.append(await an_order(shop, lines, buyer=await a_buyer(shop)))
    room = asyncio.Semaphore(12)

    async def arrive(variant: AVariant) -> None:
        async with room:
            await adjust(
                shop_id=shop.id, variant_id=variant.id, delta=5, reason=AdjustReason.RECEIPT, actor=Actor("member:x"), now=NOW, jobs=JOBS
            )
            await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[variant.id], now=NOW, jobs=JOBS)

    async def till(order: AnOrder) -> None:
        async with room:
            await pay(order)

    answers = await all_of(*(till(order) for order in orders), *(arrive(variant) for variant in variants * 4))
    assert answers == [None] * 28
    await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[v.id for v in variants], now=NOW, jobs=JOBS)
    assert await database.fetch('select distinct fulfilment_state from "order"') == [("READY_FOR_PICKUP",)]
    assert await database.fetchval("select count(*) from pickup_order") == 20
    await books_agree()
