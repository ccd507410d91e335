"""Lending, renewing and revoking a pass while it is scanned; each race has a twin without the lock, in which the wrong thing happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.pickup import commands, hand_over, issuing
from domain.pickup.hand_over import HandOverResult
from domain.pickup.issuing import IssuedPass
from domain.pickup.rules import PickupRefusal
from tests.books import books_agree
from tests.build import NOW, a_buyer, a_shop, a_variant, an_order
from tests.races.test_pickup import CLERKS, ROUNDS, SIGNER, Due, a_pass, all_of, confirmed, elsewhere, pay, refusals, scanned
from tests.races.turns import levels_unlocked

R = PickupRefusal


async def whose(due: Due) -> tuple[UUID, UUID]:
    """Member and pass."""
    row = await database.fetchrow(
        "select p.member_id, p.id from pickup p join pickup_order po on po.pickup_id = p.id where po.order_id = $1", due.order.id
    )
    assert row is not None
    return row["member_id"], row["id"]


async def lend(due: Due) -> IssuedPass:
    member, pickup = await whose(due)
    return await commands.lend(member_id=member, pickup_id=pickup, to="媽媽", signer=SIGNER, now=NOW)


async def renew(due: Due) -> IssuedPass:
    member, pickup = await whose(due)
    return await commands.issue(member_id=member, pickup_id=pickup, shop_id=None, signer=SIGNER, now=NOW)


async def revoke(due: Due) -> UUID:
    member, pickup = await whose(due)
    return await commands.revoke(member_id=member, pickup_id=pickup, now=NOW)


ACTS: list[Callable[[Due], Awaitable[Any]]] = [lend, renew, revoke]


def outcome(answer: Any) -> Any:
    return getattr(answer, "refusal", type(answer).__name__)


@pytest.mark.parametrize("act", ACTS)
async def test_a_code_that_dies_while_it_is_scanned_hands_over_or_is_refused(db: str, act: Callable[[Due], Awaitable[Any]]) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for number in range(ROUNDS):
        due = await a_pass(shop, variant)
        scan = await scanned(due, CLERKS[0])
        race = [act(due), confirmed(due, scan, CLERKS[0])]
        done, handed = (await all_of(*race)) if number % 2 else reversed(await all_of(*reversed(race)))
        for answer in (done, handed):
            refusals([answer])
        if isinstance(handed, HandOverResult):
            assert outcome(done) in (R.ALREADY_USED, "NotFound")
        else:
            assert outcome(handed) is R.REVOKED
            assert not isinstance(done, BaseException)
    await books_agree()


def not_locking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "LOCK_ORDERS", hand_over.LOCK_ORDERS.replace("for update of o", ""))
    monkeypatch.setattr(hand_over, "LOCK_PASS", hand_over.LOCK_PASS.replace("for update of p", ""))
    monkeypatch.setattr(hand_over, "lock_levels", levels_unlocked)


@pytest.mark.parametrize("act", ACTS)
async def test_without_the_lock_a_dead_code_hands_over(
    db: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[Due], Awaitable[Any]]
) -> None:
    """The twin: the code dies between the look at the pass and the hand-over."""
    shop = await a_shop()
    due = await a_pass(shop, await a_variant(shop, on_hand=9))
    scan = await scanned(due, CLERKS[0])
    covered_by, dead = hand_over.covered_by, []

    async def look_and_die(*args: Any) -> Any:
        seen = await covered_by(*args)
        dead.append(await elsewhere(act(due)))  # type: ignore[arg-type]
        return seen

    not_locking(monkeypatch)
    monkeypatch.setattr(hand_over, "covered_by", look_and_die)
    assert isinstance(await confirmed(due, scan, CLERKS[0]), HandOverResult)
    assert len(dead) == 1
    row = await database.fetchrow(
        "select h.issue_number, p.issue_number as now, p.not_after from hand_over h join pickup p on p.id = h.pickup_id"
    )
    assert row is not None
    assert row["issue_number"] < row["now"] or row["not_after"] is None


async def test_a_lent_code_at_two_scanners_is_one_hand_over(db: str) -> None:
    """Each takes one piece of two: what is left would allow both."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS):
        due = await a_pass(shop, variant, pieces=2)
        loan = Due(shop, due.order, (await lend(due)).token)
        scans = [await scanned(loan, clerk) for clerk in CLERKS[:2]]
        answers = await all_of(*(confirmed(loan, scan, clerk, pieces=1) for scan, clerk in zip(scans, CLERKS[:2], strict=True)))
        assert refusals(answers) == [R.ALREADY_USED]
    await books_agree()


async def test_without_the_lock_a_lent_code_hands_over_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await a_shop()
    due = await a_pass(shop, await a_variant(shop, on_hand=9), pieces=2)
    loan = Due(shop, due.order, (await lend(due)).token)
    scans = [await scanned(loan, clerk) for clerk in CLERKS[:2]]
    both_looked, covered_by = asyncio.Barrier(2), hand_over.covered_by

    async def look_and_wait(*args: Any) -> Any:
        seen = await covered_by(*args)
        await both_looked.wait()
        return seen

    not_locking(monkeypatch)
    monkeypatch.setattr(hand_over, "covered_by", look_and_wait)
    answers = await all_of(*(confirmed(loan, scan, clerk, pieces=1) for scan, clerk in zip(scans, CLERKS[:2], strict=True)))
    handed = [answer for answer in answers if isinstance(answer, HandOverResult)]
    assert len(handed) == 2, answers


async def test_a_pass_is_lent_once_however_often_it_is_asked(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS // 3):
        due = await a_pass(shop, variant)
        answers = await all_of(*(lend(due) for _ in range(4)))
        assert refusals(answers) == [R.RULES] * 3
        assert await database.fetchval("select issue_number from pickup where lent_issue is not null order by id desc limit 1") == 2


async def test_without_the_lock_a_pass_is_lent_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await a_shop()
    due = await a_pass(shop, await a_variant(shop, on_hand=9))
    both_looked, covered_by = asyncio.Barrier(2), issuing.covered_by

    async def look_and_wait(*args: Any) -> Any:
        seen = await covered_by(*args)
        await both_looked.wait()
        return seen

    monkeypatch.setattr(issuing, "LOCK_OWN", issuing.LOCK_OWN.replace("for update of p", ""))
    monkeypatch.setattr(issuing, "covered_by", look_and_wait)
    answers = await all_of(lend(due), lend(due))
    assert [outcome(answer) for answer in answers] == ["IssuedPass", "IssuedPass"]


async def test_passes_that_are_gathered_while_one_is_scanned_hand_over_each_piece_once(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS):
        due = await a_pass(shop, variant)
        member, _ = await whose(due)
        other = await an_order(shop, [(variant, 1)], buyer=await a_buyer(shop, member_id=member))
        await pay(other)
        newest = await database.fetchval("select pickup_id from pickup_order where order_id = $1", other.id)
        scan = await scanned(due, CLERKS[0])
        issued, handed = await all_of(
            commands.issue(member_id=member, pickup_id=newest, shop_id=None, signer=SIGNER, now=NOW), confirmed(due, scan, CLERKS[0])
        )
        assert isinstance(issued, IssuedPass)
        refusals([handed])
        orders = len(issued.order_ids)
        assert (orders, outcome(handed)) in {(2, R.CANCELLED), (1, "HandOverResult")}
        rest = await confirmed(Due(shop, other, issued.token), await scanned(Due(shop, other, issued.token), CLERKS[1]), CLERKS[1])
        assert (rest.left, len(rest.order_ids)) == (0, orders)
    await books_agree()
    assert await database.fetchval("select count(*) from \"order\" where state <> 'COMPLETED'") == 0
