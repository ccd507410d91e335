"""`@idempotent(key:)` where money, stock or goods move."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from domain.stock import commands as stock
from tests import books, build
from tests.api.graphql.conftest import pid
from tests.api.graphql.test_mutations import ADJUST, CANCEL, CONFIRM, ISSUE, MARK_PAID, SCAN, SET, a_ready_pickup, do, refused

KEYED = {
    "orderMarkPaid": (MARK_PAID, {"orderId": "order_x", "method": "CASH", "reference": "r"}),
    "orderCancel": (CANCEL, {"orderId": "order_x"}),
    "stockAdjust": (ADJUST, {"variantId": "variant_x", "delta": 1, "reason": "RECEIPT"}),
    "stockSet": (SET, {"variantId": "variant_x", "quantity": 1, "changeFromQuantity": 1}),
    "pickupConfirm": (CONFIRM, {"shopId": "shop_x", "scanId": "s"}),
}


@pytest.mark.parametrize("name", KEYED)
async def test_the_key_is_required(people, signed_in, name) -> None:
    query, given = KEYED[name]
    client = await signed_in(people.owner)
    bare = query.replace(", $key: String!", "").replace(" @idempotent(key: $key)", "")
    answer = await client.ask(bare, {"input": given})
    assert refused(answer.data[name]) == ["IDEMPOTENCY_KEY_MISSING"]


@pytest.mark.parametrize("key", ["", "x" * 121, "鍵"])
async def test_an_odd_key_is_refused_and_has_no_effect(people, signed_in, key) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.owner)
    answer = await client.ask(ADJUST, {"input": {"variantId": pid("variant", variant.id), "delta": 1, "reason": "RECEIPT"}, "key": key})
    assert refused(answer.data["stockAdjust"]) == ["IDEMPOTENCY_KEY_UNUSABLE"]
    assert await books.figures(variant) == (3, 0, 0)


async def test_the_same_key_and_input_has_one_effect_and_one_answer(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.owner)
    given = {"variantId": pid("variant", variant.id), "delta": 2, "reason": "RECEIPT"}
    first = await do(client, ADJUST, given, key="one")
    assert first == await do(client, ADJUST, given, key="one")
    assert await books.figures(variant) == (5, 0, 0)
    assert refused(await do(client, ADJUST, {**given, "delta": 3}, key="one")) == ["IDEMPOTENCY_KEY_REUSED"]
    assert refused(await do(client, SET, {"variantId": given["variantId"], "quantity": 9, "changeFromQuantity": 5}, key="one")) == [
        "IDEMPOTENCY_KEY_REUSED"
    ]
    assert (await do(client, ADJUST, given, key="two"))["stockLevel"]["onHand"] == 7
    other = await signed_in(people.helper)
    assert (await do(other, ADJUST, given, key="one"))["stockLevel"]["onHand"] == 9
    await books.books_agree()


async def test_a_key_in_the_document_counts_like_one_in_a_variable(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.owner)
    given = {"variantId": pid("variant", variant.id), "delta": 2, "reason": "RECEIPT"}
    literal = ADJUST.replace(", $key: String!", "").replace("$key", '"same"')
    await client.get(literal, {"input": given})
    await do(client, ADJUST, given, key="same")
    assert await books.figures(variant) == (5, 0, 0)


async def test_a_refusal_is_answered_again_even_when_it_would_now_pass(people, signed_in) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1})
    client = await signed_in(people.owner)
    given = {"orderId": pid("order", order.id), "method": "CASH", "reference": "r", "expectedVersion": 2}
    first = await do(client, MARK_PAID, given, key="one")
    await database.execute('update "order" set version = 2 where id = $1', order.id)
    again = await do(client, MARK_PAID, given, key="one")
    assert first == again
    assert refused(again) == ["VERSION_CONFLICT"]
    assert again["userErrors"][0]["conflictingVersion"] == 1
    assert (await do(client, MARK_PAID, given, key="two"))["userErrors"] == []


async def test_missing_rights_are_not_kept_under_the_key(people, signed_in) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1})
    client = await signed_in(people.helper)
    given = {"orderId": pid("order", order.id), "method": "CASH", "reference": "r"}
    assert refused(await do(client, MARK_PAID, given, key="one")) == ["PERMISSION_DENIED"]
    await database.execute("update membership set role = 'MANAGER' where member_id = $1", people.helper)
    assert (await do(client, MARK_PAID, given, key="one"))["userErrors"] == []


async def many(count: int, ask: Any) -> list[Any]:
    return await asyncio.gather(*(ask() for _ in range(count)))


async def test_taps_at_once_pay_once(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    order = await build.an_order(people.shop, {variant: 2}, buyer=people.buyer)
    client = await signed_in(people.owner)
    given = {"orderId": pid("order", order.id), "method": "CASH", "reference": "r"}
    answers = await many(6, lambda: do(client, MARK_PAID, given, key="one"))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["userErrors"] == []
    assert await database.fetchval("select count(*) from payment") == 1
    assert await books.figures(variant) == (3, 0, 2)
    await books.books_agree()


async def test_taps_at_once_adjust_once_and_without_one_key_each_counts(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.owner)
    given = {"variantId": pid("variant", variant.id), "delta": 1, "reason": "RECEIPT"}
    await many(6, lambda: do(client, ADJUST, given, key="one"))
    assert await books.figures(variant) == (4, 0, 0)
    await many(6, lambda: do(client, ADJUST, given))  # the twin: a fresh key each
    assert await books.figures(variant) == (10, 0, 0)


async def test_taps_at_once_hand_over_once(people, signed_in) -> None:
    _, pickup = await a_ready_pickup(people, signed_in)
    token = (await do(await signed_in(people.member), ISSUE, {"pickupId": pickup}))["pickupPass"]["token"]
    client, shop = await signed_in(people.scanner), pid("shop", people.shop.id)
    scan = (await do(client, SCAN, {"shopId": shop, "token": token}))["preview"]["scanId"]
    answers = await many(6, lambda: do(client, CONFIRM, {"shopId": shop, "scanId": scan}, key="one"))
    assert all(answer == answers[0] for answer in answers)
    fresh = await many(3, lambda: do(client, CONFIRM, {"shopId": shop, "scanId": scan}, key=str(new_id())))
    assert {answer["handOver"]["id"] for answer in [*answers, *fresh]} == {answers[0]["handOver"]["id"]}
    assert await database.fetchval("select count(*) from hand_over") == 1
    await books.books_agree()


async def test_a_refused_hand_over_is_audited_and_answered_again(people, signed_in) -> None:
    client, shop = await signed_in(people.scanner), pid("shop", people.shop.id)
    first = await do(client, CONFIRM, {"shopId": shop, "scanId": "nonsense"}, key="one")
    again = await do(client, CONFIRM, {"shopId": shop, "scanId": "nonsense"}, key="one")
    assert first == again
    assert first["userErrors"][0]["refusal"] == "INVALID"
    assert await database.fetchval("select count(*) from audit_entry where action = 'pickup.refused'") == 1


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.SerializationError])
async def test_a_lost_lock_is_tried_again_and_then_said_to_be_passing(people, signed_in, monkeypatch, error) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.owner)
    given = {"variantId": pid("variant", variant.id), "delta": 1, "reason": "RECEIPT"}
    adjust, tries = stock.adjust, 0

    async def unlucky(**arguments: Any) -> Any:
        nonlocal tries
        tries += 1
        found = await adjust(**arguments)
        if tries < lucky:
            raise error("canceled")
        return found

    monkeypatch.setattr(stock, "adjust", unlucky)
    lucky = 3
    assert (await do(client, ADJUST, given))["stockLevel"]["onHand"] == 4
    assert await books.figures(variant) == (4, 0, 0)
    lucky, tries = 99, 0
    answer = await client.ask(ADJUST, {"input": given, "key": "k"})
    assert (answer.response.status_code, answer.codes, tries) == (503, ["UNAVAILABLE"], 3)
    assert await books.figures(variant) == (4, 0, 0)
    assert await database.fetchval("select count(*) from idempotency_key where key = 'k'") == 0
