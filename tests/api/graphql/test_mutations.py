"""Each mutation: its effect, its refusals with their words and extras, and that a refusal changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.rules import OrderState
from tests import books, build
from tests.api.graphql.conftest import pid

MARK_PAID = """mutation ($input: OrderMarkPaidInput!, $key: String!) { orderMarkPaid(input: $input) @idempotent(key: $key) {
  order { number paymentState fulfilmentState list version paid { amount } amountDue { amount } actions }
  userErrors { code field message retryable conflictingVersion } } }"""
CANCEL = """mutation ($input: OrderCancelInput!, $key: String!) { orderCancel(input: $input) @idempotent(key: $key) {
  order { state list actions } userErrors { code field message } } }"""
ADJUST = """mutation ($input: StockAdjustInput!, $key: String!) { stockAdjust(input: $input) @idempotent(key: $key) {
  stockLevel { onHand available version variant { label } } userErrors { code field message availableQuantity } } }"""
SET = """mutation ($input: StockSetInput!, $key: String!) { stockSet(input: $input) @idempotent(key: $key) {
  stockLevel { onHand available } userErrors { code field message conflictingQuantity availableQuantity } } }"""
RESOLVE = """mutation ($input: CommentResolveInput!) { commentResolve(input: $input) {
  comment { claim { outcome review order { number lines { nodes { quantity } } } } } userErrors { code field availableQuantity } } }"""
ISSUE = """mutation ($input: PickupPassIssueInput!) { pickupPassIssue(input: $input) {
  pickupPass { token svg shortCode expiresAt issueNumber coversOrders { number } } userErrors { code refusal message } } }"""
SCAN = """mutation ($input: PickupScanInput!) { pickupScan(input: $input) {
  preview { scanId pickupId buyerName confirmBy amountDue { amount currencyCode } lines { lineId orderNumber title variantLabel quantity left } }
  userErrors { code refusal message } } }"""
CONFIRM = """mutation ($input: PickupConfirmInput!, $key: String!) { pickupConfirm(input: $input) @idempotent(key: $key) {
  handOver { id pickupId pickupState left at lines { lineId quantity } } userErrors { code field refusal message } } }"""


async def do(client: Any, query: str, input: dict[str, Any], key: str | None = None, **headers: str) -> dict[str, Any]:
    """The one payload of a mutation."""
    answer = await client.ask(query, {"input": input, "key": key or str(new_id())} if "$key" in query else {"input": input}, **headers)
    (payload,) = answer.data.values()
    return payload


def refused(payload: dict[str, Any]) -> list[str]:
    """Codes of a payload that has no object."""
    assert [value for name, value in payload.items() if name != "userErrors" and value is not None] == []
    return [error["code"] for error in payload["userErrors"]]


async def test_marking_paid_moves_money_stock_and_goods(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    order = await build.an_order(people.shop, {variant: 2}, buyer=people.buyer)
    client = await signed_in(people.manager)
    given = {"orderId": pid("order", order.id), "method": "BANK_TRANSFER", "reference": " 12345 ", "amount": "1180", "expectedVersion": 1}
    payload = await do(client, MARK_PAID, given)
    assert payload["userErrors"] == []
    assert payload["order"] == {
        "number": order.number, "paymentState": "PAID", "fulfilmentState": "READY_FOR_PICKUP", "list": "TO_PICK_UP",
        "version": payload["order"]["version"], "paid": {"amount": "1180"}, "amountDue": {"amount": "0"}, "actions": ["HAND_OVER"],
    }  # fmt: skip
    assert await books.figures(variant) == (3, 0, 2)
    row = await database.fetchrow("select method, reference, amount_minor, recorded_by from payment where order_id = $1", order.id)
    assert tuple(row) == ("BANK_TRANSFER", "12345", 1180, people.manager)
    await books.books_agree()


@pytest.mark.parametrize(
    ("change", "code", "extra"),
    [
        ({"amount": "1000"}, "AMOUNT_MISMATCH", {}),
        ({"amount": "1180.5"}, "INVALID_INPUT", {"field": ["input", "amount"]}),
        ({"amount": "-1180"}, "INVALID_INPUT", {"field": ["input", "amount"]}),
        ({"expectedVersion": 7}, "VERSION_CONFLICT", {"conflictingVersion": 1}),
        ({"reference": "   "}, "INVALID_INPUT", {"field": ["input", "reference"]}),
        ({"reference": "x" * 121}, "INVALID_INPUT", {"field": ["input", "reference"]}),
        ({"orderId": "order_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", {}),
        ({"orderId": "nonsense"}, "NOT_FOUND", {}),
    ],
)
async def test_marking_paid_is_refused_with_a_code_and_changes_nothing(people, signed_in, change, code, extra) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer)
    before = await books.everything()
    client = await signed_in(people.owner)
    given = {"orderId": pid("order", order.id), "method": "CASH", "reference": "r", **change}
    payload = await do(client, MARK_PAID, given)
    assert refused(payload) == [code]
    assert {name: payload["userErrors"][0][name] for name in extra} == extra
    assert payload["userErrors"][0]["retryable"] is False
    assert await books.everything() == before


async def test_words_follow_the_request_and_then_the_member(people, signed_in) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, state=OrderState.CANCELLED)
    english = await build.a_membership(people.shop, await build.a_member(locale="en-SG"))
    given = {"orderId": pid("order", order.id), "method": "CASH", "reference": "r"}

    async def words(member: object, **headers: str) -> str:
        return (await do(await signed_in(member), MARK_PAID, given, **headers))["userErrors"][0]["message"]

    assert await words(people.owner) == "目前的狀態無法這樣做。"
    assert await words(people.owner, accept_language="en") == "The present state does not allow this."
    assert await words(english) == "The present state does not allow this."
    assert await words(english, accept_language="zh-HK,en;q=0.2") == "現時的狀態不能這樣做。"
    assert await words(english, accept_language="ja,zh-TW;q=0.2") == "目前的狀態無法這樣做。"


async def test_cancelling_frees_the_pieces_and_tells_the_buyer(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    order = await build.an_order(people.shop, {variant: 2}, buyer=people.buyer)
    client = await signed_in(people.helper)
    payload = await do(client, CANCEL, {"orderId": pid("order", order.id), "reason": "買家要求"})
    assert payload == {"order": {"state": "CANCELLED", "list": "DONE", "actions": []}, "userErrors": []}
    assert await books.figures(variant) == (3, 0, 0)
    assert await database.fetchval("select kind from notice where member_id = $1", people.member) == "ORDER_CANCELLED"


async def test_a_paid_order_is_not_cancelled(people, signed_in) -> None:
    variant = await build.a_variant(people.shop)
    order = await build.an_order(people.shop, {variant: 1}, payment=build.PaymentState.PAID)
    before = await books.everything()
    client = await signed_in(people.owner)
    assert refused(await do(client, CANCEL, {"orderId": pid("order", order.id)})) == ["INVALID_TRANSITION"]
    assert refused(await do(client, CANCEL, {"orderId": pid("order", order.id), "reason": "x" * 201})) == ["INVALID_INPUT"]
    assert await books.everything() == before


async def test_stock_is_adjusted_and_answers_its_level(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    await build.an_order(people.shop, {variant: 2})
    client = await signed_in(people.helper)
    payload = await do(client, ADJUST, {"variantId": pid("variant", variant.id), "delta": 5, "reason": "RECEIPT"})
    assert payload["userErrors"] == []
    assert (payload["stockLevel"]["onHand"], payload["stockLevel"]["available"]) == (8, 6)
    payload = await do(client, ADJUST, {"variantId": pid("variant", variant.id), "delta": -7, "reason": "DAMAGE"})
    assert refused(payload) == ["INSUFFICIENT_STOCK"]
    assert payload["userErrors"][0]["availableQuantity"] == 6
    assert refused(await do(client, ADJUST, {"variantId": pid("variant", variant.id), "delta": 2_000_000_000, "reason": "RECEIPT"})) == [
        "OVER_LIMIT"
    ]
    assert await books.figures(variant) == (8, 2, 0)
    await books.books_agree()


async def test_stock_is_set_only_from_what_the_counter_saw(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=3)
    client = await signed_in(people.helper)
    given = {"variantId": pid("variant", variant.id), "quantity": 9, "changeFromQuantity": 3}
    assert (await do(client, SET, given))["stockLevel"] == {"onHand": 9, "available": 9}
    payload = await do(client, SET, given)
    assert refused(payload) == ["VERSION_CONFLICT"]
    assert payload["userErrors"][0]["conflictingQuantity"] == 9
    assert refused(await do(client, SET, {**given, "quantity": -1, "changeFromQuantity": 9})) == ["INVALID_INPUT"]
    assert await books.figures(variant) == (9, 0, 0)
    await books.books_agree()


async def a_comment_to_review(people: Any, **given: Any) -> tuple[str, build.AProduct]:
    channel = await build.a_channel(people.shop)
    scarf = await build.a_product(people.shop, on_hand=3)
    post = await build.a_post(people.shop, products=[scarf], channel=channel)
    claim = await build.a_claim(people.shop, channel=channel, outcome=ClaimOutcome.NEEDS_REVIEW, **given)
    await database.execute("update claim set review = 'OPEN', post_id = $2 where id = $1", claim, post.id)
    comment = await database.fetchval(
        "update social_comment set post_id = $2 where id = (select comment_id from claim where id = $1) returning id", claim, post.id
    )
    return pid("comment", comment), scarf


async def test_a_comment_is_made_an_order_by_hand(people, signed_in) -> None:
    comment, scarf = await a_comment_to_review(people, buyer=people.buyer)
    client = await signed_in(people.helper)
    lines = [{"variantId": pid("variant", scarf.variants[0].id), "quantity": 2}]
    payload = await do(client, RESOLVE, {"commentId": comment, "action": "MAKE_ORDER", "lines": lines})
    assert payload["userErrors"] == []
    claim = payload["comment"]["claim"]
    assert (claim["outcome"], claim["review"]) == ("ORDERED", "RESOLVED")
    assert claim["order"]["lines"]["nodes"] == [{"quantity": 2}]
    assert await books.figures(scarf.variants[0]) == (3, 2, 0)


async def test_a_comment_is_dismissed(people, signed_in) -> None:
    comment, scarf = await a_comment_to_review(people, buyer=people.buyer)
    client = await signed_in(people.manager)
    payload = await do(client, RESOLVE, {"commentId": comment, "action": "DISMISS", "note": "閒聊"})
    assert payload == {"comment": {"claim": {"outcome": "NEEDS_REVIEW", "review": "RESOLVED", "order": None}}, "userErrors": []}
    assert await books.figures(scarf.variants[0]) == (3, 0, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lines": []}, "INVALID_INPUT"),
        ({"action": "DISMISS"}, "INVALID_INPUT"),
        ({"quantity": 4}, "INSUFFICIENT_STOCK"),
        ({"quantity": 0}, "ITEM_CLOSED"),
        ({"variantId": "variant_AAAAAAAAAAAAAAAAAAAAAA"}, "ITEM_CLOSED"),
        ({"variantId": "nonsense"}, "NOT_FOUND"),
        ({"note": "x" * 201}, "INVALID_INPUT"),
        ({"commentId": "comment_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND"),
    ],
)
async def test_a_comment_that_cannot_be_resolved_so_stays_open(people, signed_in, change, code) -> None:
    comment, scarf = await a_comment_to_review(people, buyer=people.buyer)
    line = {"variantId": pid("variant", scarf.variants[0].id), "quantity": 1}
    given: dict[str, Any] = {"commentId": comment, "action": "MAKE_ORDER", "lines": [line]}
    for name, value in change.items():
        (line if name in line else given)[name] = value
    before = await books.everything()
    client = await signed_in(people.helper)
    assert refused(await do(client, RESOLVE, given)) == [code]
    assert await books.everything() == before
    assert await database.fetchval("select count(*) from claim where review = 'OPEN'") == 1


async def test_a_comment_of_nobody_known_cannot_be_an_order(people, signed_in) -> None:
    comment, scarf = await a_comment_to_review(people)
    lines = [{"variantId": pid("variant", scarf.variants[0].id), "quantity": 1}]
    client = await signed_in(people.helper)
    assert refused(await do(client, RESOLVE, {"commentId": comment, "action": "MAKE_ORDER", "lines": lines})) == ["NOT_EDITABLE"]


async def a_ready_pickup(people: Any, signed_in: Any, pieces: int = 2) -> tuple[build.AnOrder, str]:
    """An order paid through the API and the pickup that came of it."""
    variant = await build.a_variant(people.shop, on_hand=5)
    order = await build.an_order(people.shop, {variant: pieces}, buyer=people.buyer)
    owner = await signed_in(people.owner)
    assert (await do(owner, MARK_PAID, {"orderId": pid("order", order.id), "method": "CASH", "reference": "r"}))["userErrors"] == []
    buyer = await signed_in(people.member)
    (pickup,) = (await buyer.get("{ me { pickups { nodes { id } } } }"))["me"]["pickups"]["nodes"]
    return order, pickup["id"]


async def test_goods_are_handed_over_from_pass_to_confirmation(people, signed_in) -> None:
    order, pickup = await a_ready_pickup(people, signed_in)
    issued = (await do(await signed_in(people.member), ISSUE, {"pickupId": pickup}))["pickupPass"]
    assert issued["token"].startswith("P1:")
    assert issued["svg"].startswith(("<svg", "<?xml"))
    assert (len(issued["shortCode"]), issued["issueNumber"], issued["coversOrders"]) == (8, 1, [{"number": order.number}])

    scanner, shop = await signed_in(people.scanner), pid("shop", people.shop.id)
    before = await books.everything()
    seen = (await do(scanner, SCAN, {"shopId": shop, "token": issued["token"], "deviceId": "counter-1"}))["preview"]
    assert await books.everything() == before
    (line,) = seen["lines"]
    assert (line["orderNumber"], line["quantity"], line["left"]) == (order.number, 2, 2)
    assert seen["pickupId"] == pickup
    assert seen["amountDue"] == {"amount": "0", "currencyCode": "TWD"}
    assert "小美" not in seen["buyerName"]

    some = {"shopId": shop, "scanId": seen["scanId"], "lines": [{"lineId": line["lineId"], "quantity": 1}], "deviceId": "counter-1"}
    done = (await do(scanner, CONFIRM, some))["handOver"]
    assert (done["pickupId"], done["pickupState"], done["left"]) == (pickup, "OPEN", 1)
    assert done["lines"] == [{"lineId": line["lineId"], "quantity": 1}]
    assert done["at"] == "2026-11-21T08:00:00Z"

    again = (await do(scanner, SCAN, {"shopId": shop, "token": issued["shortCode"]}))["preview"]
    rest = (await do(scanner, CONFIRM, {"shopId": shop, "scanId": again["scanId"], "collected": {"amount": "0", "currencyCode": "TWD"}}))[
        "handOver"
    ]
    assert (rest["pickupState"], rest["left"]) == ("COLLECTED", 0)
    used = await do(scanner, SCAN, {"shopId": shop, "token": issued["token"]})
    assert refused(used) == ["PICKUP_REFUSED"]
    assert used["userErrors"][0]["refusal"] == "ALREADY_USED"
    assert used["userErrors"][0]["message"] == "已經取貨。"
    await books.books_agree()


async def test_every_scan_of_a_wrong_code_says_why(people, signed_in, clock) -> None:
    _, pickup = await a_ready_pickup(people, signed_in)
    buyer, scanner = await signed_in(people.member), await signed_in(people.scanner)
    first = (await do(buyer, ISSUE, {"pickupId": pickup}))["pickupPass"]["token"]
    second = (await do(buyer, ISSUE, {"pickupId": pickup}))["pickupPass"]["token"]
    shop = pid("shop", people.shop.id)

    async def refusal(client: Any, **given: Any) -> str:
        payload = await do(client, SCAN, {"shopId": shop, **given})
        assert refused(payload) == ["PICKUP_REFUSED"]
        return payload["userErrors"][0]["refusal"]

    assert await refusal(scanner, token=first) == "REVOKED"
    assert await refusal(scanner, token=second[:-1] + ("0" if second[-1] != "0" else "1")) == "INVALID"
    assert await refusal(scanner, token="P1:") == "INVALID"
    assert await refusal(scanner, token="ABCD2345") == "INVALID"
    other = await signed_in(people.other_owner)
    assert await refusal(other, shopId=pid("shop", people.other_shop.id), token=second) == "WRONG_SHOP"
    assert refused(await do(scanner, SCAN, {"shopId": shop, "token": "x" * 201})) == ["INVALID_INPUT"]
    seen = (await do(scanner, SCAN, {"shopId": shop, "token": second}))["preview"]
    bad = await do(
        scanner, CONFIRM, {"shopId": shop, "scanId": seen["scanId"], "lines": [{"lineId": seen["lines"][0]["lineId"], "quantity": 3}]}
    )
    assert (refused(bad), bad["userErrors"][0]["refusal"]) == (["PICKUP_REFUSED"], "RULES")
    money = await do(scanner, CONFIRM, {"shopId": shop, "scanId": seen["scanId"], "collected": {"amount": "0", "currencyCode": "HKD"}})
    assert (refused(money), money["userErrors"][0]["field"]) == (["INVALID_INPUT"], ["input", "collected"])
    assert await database.fetchval("select count(*) from hand_over") == 0


async def test_notices_are_marked_read_but_only_ones_own(people, signed_in, services) -> None:
    stranger = await build.a_buyer(people.shop, member_id=people.stranger)
    async with database.transaction() as tx:
        drafts = [
            NoticeDraft(b.id, NoticeKind.PICKUP_READY, f"k{n}", {"shopName": "鹿"})
            for n, b in enumerate([people.buyer, people.buyer, stranger])
        ]
        await enqueue(tx, people.shop.id, drafts, now=build.NOW - timedelta(hours=1), jobs=services.jobs)
    ids = {row["id"]: row["member_id"] for row in await database.fetch("select id, member_id from notice")}
    mine = [pid("notice", key) for key, member in ids.items() if member == people.member]
    client = await signed_in(people.member)
    query = """mutation ($input: NotificationsMarkReadInput!) { notificationsMarkRead(input: $input) {
      notifications { id readAt title } unreadCount userErrors { code } } }"""
    others = [pid("notice", key) for key, member in ids.items() if member == people.stranger]
    payload = await do(client, query, {"ids": [mine[0], others[0], "nonsense", pid("notice", new_id())]})
    assert payload == {
        "notifications": [{"id": mine[0], "readAt": "2026-11-21T08:00:00Z", "title": "鹿：可以取貨了"}], "unreadCount": 1, "userErrors": [],
    }  # fmt: skip
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 1
    assert refused(await do(client, query, {"ids": ["x"] * 101})) == ["INVALID_INPUT"]


async def test_a_device_is_registered_and_moves_with_its_installation(people, signed_in) -> None:
    query = "mutation ($input: DeviceRegisterInput!) { deviceRegister(input: $input) { device { id platform } userErrors { code field } } }"
    given = {"installationId": "phone-1", "platform": "ANDROID", "target": "fcm-token-1", "locale": "zh-TW"}
    first = await do(await signed_in(people.member), query, given)
    assert first["userErrors"] == []
    assert first["device"]["platform"] == "ANDROID"
    assert await database.fetchval("select member_id from device where installation_id = 'phone-1'") == people.member
    await do(await signed_in(people.stranger), query, given)
    assert [row["member_id"] for row in await database.fetch("select member_id from device where revoked_at is null")] == [people.stranger]
    bad = await do(await signed_in(people.member), query, {**given, "target": ""})
    assert (refused(bad), bad["userErrors"][0]["field"]) == (["INVALID_DEVICE"], ["input", "target"])
