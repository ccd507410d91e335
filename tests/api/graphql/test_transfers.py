"""Transfers through the API: reported by the buyer, seen and answered by staff; who sees digits and pictures."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id
from plusone.invariants import check
from tests import books, build
from tests.api.graphql.conftest import pid
from tests.api.graphql.test_mutations import do, refused
from tests.domain.payments.transfers import a_slip
from tests.sql_recorder import recorded

TRANSFER = """transfer { id state lastFiveDigits paidAt amount { amount currencyCode } isAmountDue slipPath reason reportedAt answerBy answeredAt }"""
REPORT = f"""mutation ($input: PaymentReportInput!, $key: String!) {{ paymentReport(input: $input) @idempotent(key: $key) {{
  order {{ paymentState list version actions {TRANSFER} }} userErrors {{ code field message retryable }} }} }}"""
CONFIRM = f"""mutation ($input: TransferConfirmInput!, $key: String!) {{ transferConfirm(input: $input) @idempotent(key: $key) {{
  order {{ paymentState fulfilmentState list actions {TRANSFER} }} userErrors {{ code field message }} }} }}"""
REFUSE = f"""mutation ($input: TransferRefuseInput!, $key: String!) {{ transferRefuse(input: $input) @idempotent(key: $key) {{
  order {{ paymentState payBy actions {TRANSFER} }} userErrors {{ code field message }} }} }}"""
START = """mutation ($input: SlipUploadStartInput!) { slipUploadStart(input: $input) {
  upload { id path expiresAt maxBytes mediaTypes } userErrors { code field } } }"""
REPORTED = f"""query ($id: ID!) {{ shop(id: $id) {{ orders(filter: {{paymentState: REPORTED}}) {{ totalCount nodes {{
  number amountDue {{ amount }} {TRANSFER} }} }} }} }}"""


def said(order: build.AnOrder, **change: Any) -> dict[str, Any]:
    return {"orderId": pid("order", order.id), "lastFiveDigits": "00917", "paidAt": "2026-11-21T07:55:00Z", "amount": "1180", **change}


async def an_order(people: Any) -> build.AnOrder:
    return await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer)


async def report_id() -> str:
    return pid("transfer", await database.fetchval("select id from transfer_report where state = 'OPEN'"))


async def test_a_report_is_seen_by_its_buyer_and_by_who_may_take_money(people, signed_in) -> None:
    order = await an_order(people)
    slip = await a_slip(None, people.member, order)
    buyer = await signed_in(people.member)
    payload = await do(buyer, REPORT, said(order, slipUploadId=pid("slip", slip)))
    assert payload["userErrors"] == []
    transfer = {
        "id": await report_id(), "state": "OPEN", "lastFiveDigits": "00917", "paidAt": "2026-11-21T07:55:00Z",
        "amount": {"amount": "1180", "currencyCode": "TWD"}, "isAmountDue": True, "slipPath": f"/slips/{pid('slip', slip)}", "reason": None,
        "reportedAt": "2026-11-21T08:00:00Z", "answerBy": "2026-11-23T08:00:00Z", "answeredAt": None,
    }  # fmt: skip
    assert payload["order"] == {
        "paymentState": "REPORTED",
        "list": "TO_PAY",
        "version": 2,
        "actions": ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "REQUEST_CANCEL"],
        "transfer": transfer,
    }
    listed = {"number": order.number, "amountDue": {"amount": "1180"}}
    for who, seen in ((people.owner, transfer), (people.manager, transfer), (people.helper, None)):
        client = await signed_in(who)
        orders = (await client.get(REPORTED, {"id": pid("shop", people.shop.id)}))["shop"]["orders"]
        assert orders == {"totalCount": 1, "nodes": [{**listed, "transfer": seen}]}
        node = await client.get(f"query ($id: ID!) {{ node(id: $id) {{ ... on Order {{ {TRANSFER} }} }} }}", {"id": pid("order", order.id)})
        assert node["node"]["transfer"] == seen
    denied = await signed_in(await build.a_membership(people.shop, role=build.Role.MANAGER, denied=["MARK_PAID"]))
    assert (await denied.get(REPORTED, {"id": pid("shop", people.shop.id)}))["shop"]["orders"]["nodes"][0]["transfer"] is None


async def test_the_list_of_reported_orders_is_one_statement(people, signed_in) -> None:
    buyer = await signed_in(people.member)
    for _ in range(5):
        await do(buyer, REPORT, said(await an_order(people)))
    client = await signed_in(people.owner)
    with recorded() as sql:
        assert (await client.get(REPORTED, {"id": pid("shop", people.shop.id)}))["shop"]["orders"]["totalCount"] == 5
    assert len([s for s in sql if "transfer_report" in s]) == 1
    with recorded() as sql:
        mine = await buyer.get(f"{{ me {{ orders {{ nodes {{ number {TRANSFER} }} }} }} }}")
    assert [node["transfer"]["state"] for node in mine["me"]["orders"]["nodes"]] == ["OPEN"] * 5
    assert len(sql) == 1


async def test_confirming_pays_and_the_same_key_pays_once(people, signed_in) -> None:
    order = await an_order(people)
    await do(await signed_in(people.member), REPORT, said(order))
    client, key, given = await signed_in(people.manager), str(new_id()), {"reportId": await report_id()}
    node = await client.get("query ($id: ID!) { node(id: $id) { ... on Order { actions } } }", {"id": pid("order", order.id)})
    assert node["node"]["actions"] == ["MARK_PAID", "CANCEL", "ANSWER_TRANSFER"]
    first = await do(client, CONFIRM, given, key)
    assert first["userErrors"] == []
    assert (first["order"]["paymentState"], first["order"]["fulfilmentState"], first["order"]["list"]) == (
        "PAID",
        "READY_FOR_PICKUP",
        "TO_PICK_UP",
    )
    assert (first["order"]["actions"], first["order"]["transfer"]["state"]) == (["HAND_OVER"], "CONFIRMED")
    assert await do(client, CONFIRM, given, key) == first
    before = await books.everything()
    assert refused(await do(client, CONFIRM, given)) == ["ALREADY_PAID"]
    assert await books.everything() == before
    assert await database.fetchval("select count(*) from payment") == 1
    assert await check(build.NOW) == []


async def test_refusing_tells_the_buyer_why(people, signed_in) -> None:
    order = await an_order(people)
    buyer = await signed_in(people.member)
    await do(buyer, REPORT, said(order))
    payload = await do(await signed_in(people.owner), REFUSE, {"reportId": await report_id(), "reason": " 金額不對 "})
    assert payload["userErrors"] == []
    assert (payload["order"]["paymentState"], payload["order"]["transfer"]["state"]) == ("FAILED", "REFUSED")
    assert payload["order"]["transfer"]["reason"] == "金額不對"
    inbox = await buyer.get("{ me { notifications { nodes { kind title body deepLink } } } }")
    (notice,) = inbox["me"]["notifications"]["nodes"]
    assert notice == {
        "kind": "TRANSFER_REFUSED", "title": "小鹿團購：還沒收到您的轉帳", "deepLink": f"plusone://orders/{pid('order', order.id)}",
        "body": f"訂單 {order.number} · 賣場查不到這筆轉帳 · 金額不對 · 應付 NT$1,180 · 請在 11/24 16:00 前再確認或重新回報",
    }  # fmt: skip
    node = await buyer.get(
        "query ($id: ID!) { node(id: $id) { ... on Order { actions transfer { reason } } } }", {"id": pid("order", order.id)}
    )
    actions = ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"]
    assert node["node"] == {"actions": actions, "transfer": {"reason": "金額不對"}}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"lastFiveDigits": "1234"}, "INVALID_INPUT", "lastFiveDigits"),
        ({"lastFiveDigits": "12a45"}, "INVALID_INPUT", "lastFiveDigits"),
        ({"amount": "0"}, "INVALID_INPUT", "amount"),
        ({"amount": "-5"}, "INVALID_INPUT", "amount"),
        ({"amount": "590.5"}, "INVALID_INPUT", "amount"),
        ({"paidAt": "2026-11-21T08:11:00Z"}, "INVALID_INPUT", "paidAt"),
        ({"paidAt": "2026-01-01T00:00:00Z"}, "INVALID_INPUT", "paidAt"),
        ({"slipUploadId": "slip_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", None),
        ({"slipUploadId": "nonsense"}, "NOT_FOUND", None),
        ({"orderId": "order_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", None),
    ],
)
async def test_a_report_is_refused_with_a_code_and_changes_nothing(people, signed_in, change, code, field) -> None:
    order = await an_order(people)
    before = await books.everything()
    payload = await do(await signed_in(people.member), REPORT, said(order, **change))
    assert refused(payload) == [code]
    assert payload["userErrors"][0]["field"] == (["input", field] if field else None)
    assert await books.everything() == before
    assert await database.fetchval("select count(*) from transfer_report") == 0


async def test_anothers_order_and_anothers_picture_are_not_there(people, signed_in) -> None:
    order = await an_order(people)
    other = await build.an_order(people.shop, {await build.a_variant(people.shop): 2})
    theirs = await build.an_order(
        people.shop, {await build.a_variant(people.shop): 2}, buyer=await build.a_buyer(people.shop, member_id=people.stranger)
    )
    slip = await a_slip(None, people.stranger, theirs)
    client = await signed_in(people.member)
    for what in (other, theirs):
        assert refused(await do(client, REPORT, said(what))) == ["NOT_FOUND"]
        assert refused(await do(client, START, {"orderId": pid("order", what.id)})) == ["NOT_FOUND"]
    assert refused(await do(client, REPORT, said(order, slipUploadId=pid("slip", slip)))) == ["NOT_FOUND"]


async def test_an_address_for_a_picture_is_good_for_ten_minutes(people, signed_in) -> None:
    order = await an_order(people)
    payload = await do(await signed_in(people.member), START, {"orderId": pid("order", order.id)})
    upload = payload["upload"]
    assert payload["userErrors"] == []
    assert upload["path"].startswith("/uploads/slips/")
    assert (upload["expiresAt"], upload["maxBytes"]) == ("2026-11-21T08:10:00Z", 5_000_000)
    assert upload["mediaTypes"] == ["image/jpeg", "image/png", "image/webp"]
    assert await database.fetchval("select count(*) from transfer_slip") == 0
    await build.an_order(people.shop, {}, buyer=people.buyer, state=build.OrderState.CANCELLED)
    gone = await database.fetchval("""select id from "order" where state = 'CANCELLED'""")
    assert refused(await do(await signed_in(people.member), START, {"orderId": pid("order", gone)})) == ["INVALID_TRANSITION"]


async def test_a_report_without_a_key_is_refused(people, signed_in) -> None:
    order = await an_order(people)
    answer = await (await signed_in(people.member)).get(
        REPORT.replace("@idempotent(key: $key)", "").replace(", $key: String!", ""), {"input": said(order)}
    )
    assert refused(answer["paymentReport"]) == ["IDEMPOTENCY_KEY_MISSING"]
