"""The requests of `docs/rules/acting.md`, in their order, against a shop with two buyers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from domain import db as database
from domain.claims import creating, offers
from domain.ids import public_id
from domain.posts.rules import DeliveryMethod
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from plusone.invariants import check
from tests import build
from tests.build import NOW
from tests.domain.claims.acts import STAFF

PAGE = Path(__file__).parents[3] / "docs" / "rules" / "acting.md"
BLOCK = re.compile(r"<!-- who: (\S+); keep: ?(.*?) ?-->\n```graphql\n(.*?)```\n(?:```json\n(.*?)```\n)?", re.DOTALL)


def blocks() -> Iterator[tuple[str, dict[str, str], str, str]]:
    """(who, what is kept of the answer by name, query, variables as text)."""
    for who, kept, query, variables in BLOCK.findall(PAGE.read_text()):
        yield who, dict(each.split("=") for each in kept.split(", ") if each), query, variables or "{}"


def picked(data: Any, path: str) -> Any:
    for step in path.split("."):
        data = data[int(step)] if step.isdecimal() else data[step]
    return data


def filled(text: str, names: dict[str, Any]) -> dict[str, Any]:
    def put(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return names[value[1:]]
        if isinstance(value, list):
            return [put(each) for each in value]
        return {name: put(each) for name, each in value.items()} if isinstance(value, dict) else value

    found: dict[str, Any] = put(json.loads(text))
    return found


async def the_shop(services: Any) -> tuple[dict[str, UUID], dict[str, Any]]:
    """Members by name, and ids for the page. Both wait for a blanket, of which one has just arrived."""
    shop, jobs = await build.a_shop(), services.jobs
    scarf, blanket = await build.a_product(shop, on_hand=20), await build.a_product(shop, title="毛毯", on_hand=0)
    post = await build.a_post(shop, products=[scarf, blanket])
    people = {"owner": await build.a_membership(shop), "小美": await build.a_member(), "阿國": await build.a_member()}
    names = [await build.a_buyer(shop, member_id=people["阿國"]) for _ in range(3)]
    variant, wanted = scarf.variants[0], blanket.variants[0].id
    orders = {
        "FIRST": await build.an_order(shop, {variant: 1}, buyer=names[0]),
        "SECOND": await build.an_order(shop, {variant: 2}, buyer=names[1], shipping_minor=60),
        "PAID": await build.an_order(shop, {variant: 1}, buyer=names[2], payment=build.PaymentState.PAID, paid_minor=590),
        "PARCEL": await build.an_order(shop, {variant: 1}, buyer=names[0], payment=build.PaymentState.PAID, method=DeliveryMethod.SHIP),
    }
    await database.execute(
        """insert into payment (id, shop_id, order_id, method, reference, amount_minor, currency, recorded_by, recorded_at)
           select gen_random_uuid(), shop_id, id, 'CASH', 'r', paid_minor, currency, $1, $2 from "order" where paid_minor > 0""",
        people["owner"], NOW,
    )  # fmt: skip
    await database.execute("update shop set offer_minutes = 30")
    for who in ("小美", "阿國"):
        await creating.create(post_id=post.id, variant_id=wanted, quantity=1, member_id=people[who], now=NOW, jobs=jobs)
    await adjust(shop_id=shop.id, variant_id=wanted, delta=1, reason=AdjustReason.RECEIPT, actor=STAFF, now=NOW, jobs=jobs)
    await offers.serve(shop_id=shop.id, variant_ids=[wanted], now=NOW, jobs=jobs)
    ids = {"SHOP": public_id("shop", shop.id), "POST": public_id("post", post.id), "SCARF": public_id("variant", variant.id)}
    return people, {**ids, **{name: public_id("order", order.id) for name, order in orders.items()}}


async def test_the_page_from_its_first_request_to_its_last(services, signed_in) -> None:
    people, names = await the_shop(services)
    clients = {who: await signed_in(member) for who, member in people.items()}
    answers = []
    for who, kept, query, variables in blocks():
        data = await clients[who].get(query, filled(variables, names))
        (found,) = data.values()
        assert found.get("userErrors", []) == [], query
        names |= {name: picked(data, path) for name, path in kept.items()}
        answers.append(found)
    times, order, reduced, undone, asked, answered, merged, later, now, waitlist, yes, _, left = answers
    assert times["times"] == {"undoMinutes": 5, "offerMinutes": 30, "shipLaterDays": 14}
    actions = ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"]
    assert (order["claim"]["outcome"], order["order"]["actions"]) == ("ORDERED", actions)
    assert [line["quantity"] for line in reduced["order"]["lines"]["nodes"]] == [1]
    assert undone["order"]["state"] == "CANCELLED"
    assert asked["order"]["list"] == "REVIEW"
    assert answered["order"] == {"state": "CANCELLED", "paymentState": "REFUNDED", "fulfilmentState": "UNFULFILLED", "list": "DONE"}
    assert (merged["order"]["total"], merged["order"]["shippingFee"]) == ({"amount": "1830"}, {"amount": "60"})
    assert (later["order"]["shipLaterUntil"], now["order"]["shipLaterUntil"]) == ("2026-12-05T08:00:00Z", None)
    assert [(place["ahead"], place["offer"]["quantity"]) for place in waitlist["waitlist"]["nodes"]] == [(0, 1)]
    assert (yes["claim"]["outcome"], left["claim"]) == ("ORDERED", {"outcome": "CANCELLED", "reason": "WAITLIST_LEFT"})
    assert [each.invariant for each in await check(NOW) if each.invariant != "I9"] == []


def test_the_page_names_every_mutation_of_its_own() -> None:
    schema = (PAGE.parents[2] / "api" / "schema" / "schema.graphql").read_text()
    shown = {name for _, _, query, _ in blocks() for name in re.findall(r"^  (\w+)\(input", query, re.MULTILINE)}
    own = {name for name in re.findall(r"^  (\w+)\(", schema, re.MULTILINE) if f"): {name[0].upper()}{name[1:]}Payload!" in schema}
    assert shown <= own
    assert shown == {
        "shopTimesUpdate", "claimCreate", "orderLineQuantityReduce", "claimUndo", "orderCancelRequest", "orderCancelAnswer", "ordersMerge",
        "orderShipLater", "orderShipNow", "waitlistOfferAccept", "waitlistLeave",
    }  # fmt: skip
