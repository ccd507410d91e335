"""Who may report, answer, choose, offer and give: a matrix of its own over everybody. A denied answer is the very answer of what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.delivery import gifts
from domain.ids import new_id, public_id
from domain.payments import transfers
from tests import books, build
from tests.api.graphql.conftest import People, pid
from tests.api.graphql.matrix import (
    DENIED,
    EVERYBODY,
    NOT_FOUND,
    SIGN_IN,
    YES,
    Ask,
    Things,
    act,
    everybody_is_answered,
    person,
    said,
    takes_the_same_statements,
    who_may,
)
from tests.domain.delivery.acts import a_shop_with_ways


def mutation(name: str, /, *, key: bool = False, **given: Any) -> Ask:
    title, keyed = name[0].upper() + name[1:], "@idempotent(key: $key)" if key else ""
    variables = f"$input: {title}Input!{', $key: String!' if key else ''}"
    return act(f"mutation ({variables}) {{ {name}(input: $input) {keyed} {{ userErrors {{ code }} }} }}", **given)


ASK: dict[str, Ask] = {
    "report": mutation(
        "paymentReport", key=True, orderId=lambda t: t["order"], lastFiveDigits="12345", paidAt="2026-11-21T07:00:00Z", amount="590"
    ),
    "send slip": mutation("slipUploadStart", orderId=lambda t: t["order"]),
    "confirm": mutation("transferConfirm", key=True, reportId=lambda t: t["transfer"]),
    "refuse": mutation("transferRefuse", key=True, reportId=lambda t: t["transfer"]),
    "choose": mutation(
        "orderDeliveryChoose", key=True, orderId=lambda t: t["order"], offerId=lambda t: t["offer"], slotId=lambda t: t["slot"]
    ),
    "make gift": mutation("giftLinkCreate", orderId=lambda t: t["order"]),
    "revoke gift": mutation("giftLinkRevoke", orderId=lambda t: t["order"]),
    "gift": lambda t: ("query ($token: String!) { found: gift(token: $token) { shopName } }", {"token": t["gift"]}),
    "offer": mutation("deliveryOfferCreate", key=True, shopId=lambda t: t["shop"], kind="HOME", name="宅配", fee="60"),
    "withdraw": mutation("deliveryOfferWithdraw", offerId=lambda t: t["offer"]),
    "add slot": mutation(
        "pickupSlotCreate",
        key=True,
        offerId=lambda t: t["offer"],
        startsAt="2026-11-23T08:00:00Z",
        endsAt="2026-11-23T09:00:00Z",
        capacity=3,
    ),
    "change slot": mutation("pickupSlotUpdate", slotId=lambda t: t["slot"], capacity=9),
}

BUYERS = (YES, *(NOT_FOUND,) * 7, SIGN_IN)
MANAGERS = (NOT_FOUND, NOT_FOUND, YES, YES, DENIED, DENIED, NOT_FOUND, NOT_FOUND, SIGN_IN)
TABLE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("report", "send slip", "choose", "make gift", "revoke gift"), BUYERS),
    **dict.fromkeys(("confirm", "refuse", "offer", "withdraw", "add slot", "change slot"), MANAGERS),
    "gift": (YES,) * 9,
}
MAY = who_may(TABLE)


async def one_of_each(people: People) -> Things:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer)
    told = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer, method=build.DeliveryMethod.SHIP)
    said_to_be = transfers.Transfer("00001", build.NOW, told.total_minor)
    transfer = await transfers.report(order_id=told.id, member_id=people.member, transfer=said_to_be, now=build.NOW)
    ways = await a_shop_with_ways(shop=people.shop)
    gift, _ = await gifts.make_link(order_id=order.id, member_id=people.member, sender="", message="", now=build.NOW)
    return {
        "order": pid("order", order.id), "transfer": pid("transfer", transfer), "offer": pid("offer", ways.meet), "slot": pid("slot", ways.slot),
        "shop": pid("shop", people.shop.id), "gift": gift,
    }  # fmt: skip


def nowhere(things: Things) -> Things:
    return {name: public_id(name, new_id()) if name != "gift" else "gift_" + "A" * 32 for name in things}


def test_every_row_is_asked_and_whole() -> None:
    assert ASK.keys() == TABLE.keys()
    assert all(len(row) == len(EVERYBODY) for row in TABLE.values())


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_gets_the_answer_of_the_matrix_and_a_refusal_changes_nothing(people, signed_in, what) -> None:
    things = await one_of_each(people)
    before = await books.everything(but=("audit_entry",))
    await everybody_is_answered(TABLE[what], people, signed_in, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)), but=YES)
    assert await books.everything(but=("audit_entry",)) == before


@pytest.mark.parametrize(("what", "who"), MAY, ids=[f"{what} by {who}" for what, who in MAY])
async def test_who_may_act_does(people, signed_in, what, who) -> None:
    things = await one_of_each(people)
    client = await signed_in(await person(people, who))
    assert said((await client.ask(*ASK[what](things))).body) == YES


@pytest.mark.parametrize("what", [name for name, row in TABLE.items() if row[1] == NOT_FOUND])
async def test_a_denied_answer_takes_the_same_statements_as_a_missing_one(people, signed_in, what) -> None:
    things = await one_of_each(people)
    client = await signed_in(people.stranger)
    await takes_the_same_statements(client, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)))


async def test_an_owner_of_another_shop_sees_no_gift_they_have_no_link_to(people, signed_in) -> None:
    await one_of_each(people)
    client = await signed_in(people.other_owner)
    answer = await client.get("query ($token: String!) { gift(token: $token) { shopName } }", {"token": "gift_" + "A" * 32})
    assert answer == {"gift": None}
    assert await database.fetchval("select count(*) from order_gift") == 1
