"""What needs a fresh sign-in: money given back, a file of all data, an account given up to another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import public_id
from domain.members.claim_codes import start
from domain.members.rules import FRESH_ACT, FRESH_SIGN_IN, CodeKind
from domain.orders import requests
from domain.shops.rules import Role
from tests import build
from tests.api.graphql.matrix import said
from tests.api.graphql.test_payments import a_surplus, a_till
from tests.build import NOW

JUST = timedelta(seconds=1)


@dataclass(slots=True)
class Act:
    """A mutation, who may do it, how long a sign-in is fresh for it, and what shows that it was done."""

    query: str
    input: dict[str, Any]
    who: UUID
    stranger_gets: str
    done: str
    within: timedelta = FRESH_ACT
    shop: build.AShop | None = None


def mutation(name: str, answer: str, *, keyed: bool) -> str:
    title = name[0].upper() + name[1:]
    directive = ' @idempotent(key: "k")' if keyed else ""
    return f"mutation ($input: {title}Input!) {{ found: {name}(input: $input){directive} {{ {answer} userErrors {{ code }} }} }}"


async def a_return() -> Act:
    till = await a_till()
    attempt = await a_surplus(till)
    owner = await build.a_membership(till.shop, role=Role.OWNER)
    query = mutation("paymentReturnRecord", "order { number }", keyed=True)
    return Act(query, {"attemptId": attempt, "note": "退回"}, owner, "NOT_FOUND", "select returned_at is not null from payment_attempt")


async def a_refund() -> Act:
    shop, member = await build.a_shop(), await build.a_member()
    order = await build.an_order(
        shop, {await build.a_variant(shop): 1}, buyer=await build.a_buyer(shop, member_id=member), payment=build.PaymentState.PAID
    )
    await requests.request(order_id=order.id, reason="太多了", member_id=member, now=NOW)
    query = mutation("orderCancelAnswer", "order { number }", keyed=True)
    given = {"orderId": public_id("order", order.id), "accept": True, "refundReference": "R1"}
    manager = await build.a_membership(shop, role=Role.MANAGER)
    return Act(query, given, manager, "NOT_FOUND", "select state = 'CANCELLED' from \"order\"", shop=shop)


async def a_file() -> Act:
    query = mutation("dataExportRequest", "export { id }", keyed=False)
    return Act(query, {"format": "JSON"}, await build.a_member(), "", "select count(*) > 0 from data_export")


async def a_merge() -> Act:
    code = await start(member_id=await build.a_member(), kind=CodeKind.MERGE, now=NOW)
    query = mutation("membersMerge", "merged", keyed=False)
    done = "select count(*) > 0 from member_merge"
    return Act(query, {"code": code.text}, await build.a_member(), "", done, FRESH_SIGN_IN)


ACTS: dict[str, Callable[[], Awaitable[Act]]] = {"return": a_return, "refund": a_refund, "file": a_file, "merge": a_merge}


@pytest.mark.parametrize("what", ACTS)
async def test_an_old_sign_in_is_not_enough_and_a_confirmed_one_is(services, signed_in, clock, what: str) -> None:
    act = await ACTS[what]()
    client = await signed_in(act.who)
    moved = await database.execute("update session set created_at = $2 where member_id = $1", act.who, NOW - act.within - JUST)
    assert moved == 1
    for _ in range(2):
        assert said((await client.ask(act.query, {"input": act.input})).body) == "SIGN_IN_AGAIN"
        assert await database.fetchval(act.done) is False
    await database.execute("update session set confirmed_at = $2 where member_id = $1", act.who, NOW - act.within)
    assert said((await client.ask(act.query, {"input": act.input})).body) == "yes"  # with the same key
    assert await database.fetchval(act.done) is True


@pytest.mark.parametrize("what", ["return", "refund"])
async def test_to_others_it_says_no_more_than_ever(services, signed_in, what: str) -> None:
    """An old session learns nothing of another shop's order by being asked to sign in again."""
    act = await ACTS[what]()
    stranger = await build.a_member()
    client = await signed_in(stranger)
    await database.execute("update session set created_at = $2 where member_id = $1", stranger, NOW - timedelta(hours=1))
    assert said((await client.ask(act.query, {"input": act.input})).body) == act.stranger_gets


async def test_what_moves_no_money_needs_none(services, signed_in) -> None:
    """Declining, and cancelling what nobody paid, go on all day; a helper who may not refund is told that."""
    act = await a_refund()
    assert act.shop is not None
    helper = await build.a_membership(act.shop, role=Role.HELPER)
    for who, given, expected in ((helper, {}, "PERMISSION_DENIED"), (act.who, {"accept": False, "refundReference": ""}, "yes")):
        client = await signed_in(who)
        await database.execute("update session set created_at = $2 where member_id = $1", who, NOW - timedelta(hours=1))
        assert said((await client.ask(act.query, {"input": act.input | given})).body) == expected
