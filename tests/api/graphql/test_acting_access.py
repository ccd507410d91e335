"""Who may act on orders, lines and places: their buyer alone, staff only where the shop answers, and nobody on what is another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.claims import creating, offers
from domain.ids import new_id, public_id
from domain.orders import requests
from domain.posts.rules import DeliveryMethod
from tests import books, build
from tests.api.graphql.conftest import People
from tests.api.graphql.matrix import (
    DENIED,
    NOT_FOUND,
    SIGN_IN,
    YES,
    everybody_is_answered,
    person,
    said,
    takes_the_same_statements,
    who_may,
)
from tests.build import NOW
from tests.sql_recorder import recorded

RESTRICTED = "BUYER_RESTRICTED"
Things = dict[str, str]


def act(name: str, answer: str, *, keyed: bool = True, **given: Any) -> Callable[[Things], tuple[str, dict[str, Any]]]:
    title = name[0].upper() + name[1:]
    key, directive = (", $key: String!", " @idempotent(key: $key)") if keyed else ("", "")
    query = f"mutation ($input: {title}Input!{key}) {{ found: {name}(input: $input){directive} {{ {answer} userErrors {{ code }} }} }}"

    def ask(things: Things) -> tuple[str, dict[str, Any]]:
        filled = {field: value(things) if callable(value) else value for field, value in given.items()}
        return query, {"input": filled, **({"key": str(new_id())} if keyed else {})}

    return ask


ORDER = "order { number actions }"
ASK: dict[str, Callable[[Things], tuple[str, dict[str, Any]]]] = {
    "create": act("claimCreate", "claim { outcome } order { number }", postId=lambda t: t["post"], variantId=lambda t: t["variant"], quantity=1),
    "take offer": act("waitlistOfferAccept", "claim { outcome } order { number }", offerId=lambda t: t["offer"]),
    "leave": act("waitlistLeave", "claim { outcome }", placeId=lambda t: t["place"]),
    "undo": act("claimUndo", ORDER, lineId=lambda t: t["line"]),
    "reduce": act("orderLineQuantityReduce", ORDER, lineId=lambda t: t["line"], quantity=0),
    "ask to cancel": act("orderCancelRequest", ORDER, orderId=lambda t: t["order"]),
    "answer": act("orderCancelAnswer", ORDER, orderId=lambda t: t["asked"], accept=False),
    "accept": act("orderCancelAnswer", ORDER, orderId=lambda t: t["asked"], accept=True),
    "refund": act("orderCancelAnswer", ORDER, orderId=lambda t: t["paid"], accept=True, refundReference="r"),
    "merge": act("ordersMerge", ORDER, orderIds=lambda t: [t["order"], t["second"]]),
    "ship later": act("orderShipLater", ORDER, orderId=lambda t: t["parcel"]),
    "ship now": act("orderShipNow", ORDER, orderId=lambda t: t["parcel"]),
    "times": act("shopTimesUpdate", "times { undoMinutes offerMinutes shipLaterDays }", keyed=False, shopId=lambda t: t["shop"], undoMinutes=7),
}  # fmt: skip
OWN = (YES, *[NOT_FOUND] * 7, SIGN_IN)
#             member     stranger   owner       manager     helper      scanner     ended      other      nobody
TABLE: dict[str, tuple[str, ...]] = {
    "create":     (YES,       YES,       RESTRICTED, RESTRICTED, RESTRICTED, RESTRICTED, YES,       YES,       SIGN_IN),
    "answer":     (NOT_FOUND, NOT_FOUND, YES,        YES,        YES,        DENIED,     NOT_FOUND, NOT_FOUND, SIGN_IN),
    "accept":     (NOT_FOUND, NOT_FOUND, YES,        YES,        YES,        DENIED,     NOT_FOUND, NOT_FOUND, SIGN_IN),
    "refund":     (NOT_FOUND, NOT_FOUND, YES,        YES,        DENIED,     DENIED,     NOT_FOUND, NOT_FOUND, SIGN_IN),
    "times":      (NOT_FOUND, NOT_FOUND, YES,        YES,        DENIED,     DENIED,     NOT_FOUND, NOT_FOUND, SIGN_IN),
    **dict.fromkeys(("take offer", "leave", "undo", "reduce", "ask to cancel", "merge", "ship later", "ship now"), OWN),
}  # fmt: skip


async def one_of_each(people: People, services: Any) -> Things:
    """The member's order and line, another under a second name, a paid parcel, orders with a request, a place with an offer; a post."""
    shop, jobs = people.shop, services.jobs
    scarf = await build.a_product(shop, on_hand=20)
    sold_out = await build.a_product(shop, title="賣完", on_hand=0)
    post = await build.a_post(shop, products=[scarf, sold_out])
    variant = scarf.variants[0]
    order = await build.an_order(shop, {variant: 2}, buyer=people.buyer)
    names = [await build.a_buyer(shop, member_id=people.member) for _ in range(3)]
    second = await build.an_order(shop, {variant: 1}, buyer=names[0])
    parcel = await build.an_order(shop, {variant: 1}, buyer=people.buyer, payment=build.PaymentState.PAID, method=DeliveryMethod.SHIP)
    asked = await build.an_order(shop, {variant: 1}, buyer=names[1])
    paid = await build.an_order(shop, {variant: 1}, buyer=names[2], payment=build.PaymentState.PAID)
    for each in (asked, paid):
        await requests.request(order_id=each.id, reason="", member_id=people.member, now=NOW)
    await database.execute("update shop set offer_minutes = 30 where id = $1", shop.id)
    wanted = sold_out.variants[0].id
    await creating.create(post_id=post.id, variant_id=wanted, quantity=1, member_id=people.member, now=NOW, jobs=jobs)
    await database.execute("update stock_level set on_hand = 1 where variant_id = $1", wanted)
    await database.execute(
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
           values ($1, $2, 'RECEIVED', 1, 0, 0, 'worker:build', '', $3)""",
        shop.id, wanted, NOW,
    )  # fmt: skip
    await offers.serve(shop_id=shop.id, variant_ids=[wanted], now=NOW, jobs=jobs)
    row = await database.fetchrow("select id, place_id from waitlist_offer")
    assert row is not None
    keys: dict[str, tuple[str, UUID]] = {
        "order": ("order", order.id), "line": ("line", order.lines[0]), "second": ("order", second.id), "parcel": ("order", parcel.id),
        "asked": ("order", asked.id), "paid": ("order", paid.id), "offer": ("offer", row["id"]), "place": ("place", row["place_id"]),
        "post": ("post", post.id), "variant": ("variant", variant.id), "shop": ("shop", shop.id),
    }  # fmt: skip
    return {name: public_id(tag, key) for name, (tag, key) in keys.items()}


def nowhere(things: Things) -> Things:
    """Ids of the same kinds that nothing has."""
    return {name: public_id(value.partition("_")[0], new_id()) for name, value in things.items()}


async def all_of_it() -> dict[str, list[str]]:
    mine = {
        name: sorted(row["row"] for row in await database.fetch(f"select t::text as row from {name} t"))
        for name in ("claim", "waitlist_entry", "waitlist_offer", "shop", "buyer", "social_comment", "channel")
    }
    return {**await books.everything(but=("audit_entry",)), **mine}


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_gets_the_answer_of_the_matrix(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    before = await all_of_it()
    await everybody_is_answered(TABLE[what], people, signed_in, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)), but=YES)
    assert await all_of_it() == before


MAY = who_may(TABLE)


@pytest.mark.parametrize(("what", "who"), MAY, ids=[f"{what} by {who}" for what, who in MAY])
async def test_who_may_act_does(people, services, signed_in, what, who) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(await person(people, who))
    query, variables = ASK[what](things)
    first = await client.ask(query, variables)
    assert said(first.body) == YES
    if "key" in variables:
        # Sent again with its key: one effect, one answer.
        before = await all_of_it()
        again = await client.ask(query, variables)
        assert again.body["data"] == first.body["data"]
        assert await all_of_it() == before


@pytest.mark.parametrize("what", [name for name, row in TABLE.items() if row[1] == NOT_FOUND])
async def test_a_denied_answer_takes_the_same_statements_as_a_missing_one(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(people.stranger)
    await takes_the_same_statements(client, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)))


@pytest.mark.parametrize("what", [name for name in ASK if name != "times"])
async def test_an_act_needs_a_key(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    query, variables = ASK[what](things)
    bare = query.replace(", $key: String!", "").replace(" @idempotent(key: $key)", "")
    client = await signed_in(people.member)
    before = await all_of_it()
    assert said((await client.ask(bare, {"input": variables["input"]})).body) == "IDEMPOTENCY_KEY_MISSING"
    assert await all_of_it() == before


BAD = [
    ("claimCreate", {"quantity": 0}, "quantity"), ("claimCreate", {"quantity": -1}, "quantity"), ("claimUndo", {"lineId": "x"}, None),
    ("orderCancelRequest", {"reason": "x" * 201}, "reason"), ("orderCancelAnswer", {"note": "x" * 201}, "note"),
    ("orderCancelAnswer", {"refundReference": "x" * 121}, "refundReference"), ("ordersMerge", {"orderIds": []}, "orderIds"),
    ("shopTimesUpdate", {"undoMinutes": -1}, "undoMinutes"), ("shopTimesUpdate", {"undoMinutes": None}, "undoMinutes"),
    ("shopTimesUpdate", {"offerMinutes": 0}, "offerMinutes"), ("shopTimesUpdate", {"shipLaterDays": 367}, "shipLaterDays"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "field"), BAD)
async def test_values_that_cannot_be_are_refused_by_their_name(people, services, signed_in, name, given, field) -> None:
    things = await one_of_each(people, services)
    by = {
        "claimCreate": "create",
        "claimUndo": "undo",
        "orderCancelRequest": "ask to cancel",
        "orderCancelAnswer": "answer",
        "ordersMerge": "merge",
        "shopTimesUpdate": "times",
    }
    query, variables = ASK[by[name]](things)
    variables["input"] |= given
    client = await signed_in(people.owner if name in ("orderCancelAnswer", "shopTimesUpdate") else people.member)
    before = await all_of_it()
    body = (await client.ask(query.replace("userErrors { code }", "userErrors { code field }"), variables)).body
    (error,) = body["data"]["found"]["userErrors"]
    assert error == ({"code": "INVALID_INPUT", "field": ["input", field]} if field else {"code": "NOT_FOUND", "field": None})
    assert await all_of_it() == before


async def test_offers_may_be_switched_off_and_on(people, services, signed_in) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(people.owner)
    query, variables = ASK["times"](things)
    for minutes in (None, 45):
        variables["input"] = {"shopId": things["shop"], "offerMinutes": minutes}
        assert (await client.get(query, variables))["found"]["times"] == {"undoMinutes": 5, "offerMinutes": minutes, "shipLaterDays": 14}


WAITLIST = """{ me { waitlist { totalCount nodes { id claimId title label quantity ahead queuedAt variant { id availability } post { title } shop { name }
  offer { id quantity offeredAt acceptUntil } } } } }"""


async def test_the_waiting_list_is_one_statement(people, services, signed_in) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(people.member)
    await client.get(WAITLIST)
    with recorded() as sql:
        (place,) = (await client.get(WAITLIST))["me"]["waitlist"]["nodes"]
    assert len(sql) == 1
    assert (place["id"], place["title"], place["quantity"], place["ahead"]) == (things["place"], "賣完", 1, 0)
    assert place["offer"] == {
        "id": things["offer"], "quantity": 1, "offeredAt": "2026-11-21T08:00:00Z", "acceptUntil": "2026-11-21T08:30:00Z",
    }  # fmt: skip
