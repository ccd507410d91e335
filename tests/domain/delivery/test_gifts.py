"""A gift's link shows what comes and when, and nothing of what it cost or who paid; it is good until it is taken back, replaced or over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.delivery import gifts
from domain.delivery.errors import InvalidDelivery
from domain.delivery.rules import GIFT_LIFE
from domain.errors import NotFound
from domain.members import deletion
from domain.members.rules import DELETION_WAIT
from domain.orders.errors import InvalidTransition
from domain.orders.rules import FulfilmentState, OrderState, PaymentState, may_make_gift
from plusone.invariants import check
from tests.books import everything
from tests.build import NOW, a_member, a_variant, an_order
from tests.domain.delivery.acts import JOBS, a_shop_with_ways, chosen
from tests.domain.members.test_export import file_of
from tests.domain.payments.transfers import owned_order


async def linked(member, order, *, sender: str = "小美", message: str = "生日快樂", now=NOW) -> str:
    token, until = await gifts.make_link(order_id=order.id, member_id=member, sender=sender, message=message, now=now)
    assert until == now + GIFT_LIFE
    return token


async def test_the_holder_sees_what_comes_and_when_and_no_price(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop, pieces=2)
    token = await linked(member, order)
    seen = await gifts.gift_of(token, now=NOW)
    assert seen == {
        "shop_name": "小鹿團購", "sender": "小美", "message": "生日快樂", "expires_at": NOW + GIFT_LIFE, "fulfilment_state": "UNFULFILLED",
        "items": [{"title": "法式方巾", "variant_label": "", "quantity": 2}], "delivery": None,
    }  # fmt: skip
    await chosen(member, order, ways.at_slot())
    seen = await gifts.gift_of(token, now=NOW)
    assert seen is not None
    assert seen["delivery"] == {
        "kind": "FACE_TO_FACE", "place": "中山站 2 號出口", "starts_at": NOW + timedelta(days=1), "ends_at": NOW + timedelta(days=1, hours=2),
        "time_zone": "Asia/Taipei", "chain": None, "store_name": None,
    }  # fmt: skip
    await chosen(member, order, ways.to_home())
    text = str(await gifts.gift_of(token, now=NOW))
    for hidden in (
        "1180",
        "1300",
        "590",
        "120",
        "TWD",
        order.number,
        "王媽媽",
        "南京東路",
        "2345-6789",
        "陳小美",
        str(order.id),
        str(member),
    ):
        assert hidden not in text


async def test_pieces_taken_back_are_not_in_it(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop, pieces=2)
    token = await linked(member, order)
    await database.execute("update order_line set quantity = 0")
    seen = await gifts.gift_of(token, now=NOW)
    assert seen is not None
    assert seen["items"] == []


async def test_a_link_is_good_until_it_is_replaced_taken_back_or_over(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    first = await linked(member, order)
    second = await linked(member, order, sender="", message="")
    assert await gifts.gift_of(first, now=NOW) is None
    seen = await gifts.gift_of(second, now=NOW + GIFT_LIFE - timedelta(seconds=1))
    assert seen is not None
    assert (seen["sender"], seen["message"]) == (None, None)
    assert await gifts.gift_of(second, now=NOW + GIFT_LIFE) is None
    for _ in range(2):
        before = await everything() if _ else None
        await gifts.revoke_link(order_id=order.id, member_id=member, now=NOW)
        assert before is None or await everything() == before
    assert await gifts.gift_of(second, now=NOW) is None
    assert await database.fetchval("select count(*) from order_gift") == 1
    assert [row[0] for row in await database.fetch("select kind from order_event order by id")] == [
        "GIFT_LINK_MADE", "GIFT_LINK_MADE", "GIFT_LINK_REVOKED",
    ]  # fmt: skip
    assert await check(NOW) == []


async def test_a_gift_that_is_no_more_is_not_shown(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    token = await linked(member, order)
    await database.execute("""update "order" set state = 'CANCELLED', version = version + 1""")
    assert await gifts.gift_of(token, now=NOW) is None


async def test_tokens_are_kept_as_hashes_and_told_to_nobody(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    token = await linked(member, order)
    assert len(token) == len("gift_") + 32
    for table in ("order_gift", "order_event", "audit_entry", "notice"):
        assert token not in str(await database.fetch(f"select t::text as row from {table} t"))
    assert "生日快樂" not in str(await database.fetch("select data::text from order_event union all select detail::text from audit_entry"))
    for guess in ("", "gift_", token[:-1], token.upper(), token + "A", await database.fetchval("select token_hash from order_gift")):
        assert await gifts.gift_of(guess, now=NOW) is None


async def test_only_its_buyer_makes_a_gift_of_an_order(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    unlinked = await an_order(ways.shop, {await a_variant(ways.shop): 1})
    before = await everything()
    for who, what in ((await a_member(), order), (member, unlinked)):
        with pytest.raises(NotFound):
            await linked(who, what)
        with pytest.raises(NotFound):
            await gifts.revoke_link(order_id=what.id, member_id=who, now=NOW)
    for sender, message in (("x" * 41, ""), ("", "x" * 201)):
        with pytest.raises(InvalidDelivery):
            await linked(member, order, sender=sender, message=message)
    assert await everything() == before


async def test_the_rule_and_the_command_agree_in_every_state(db: str) -> None:
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=999)
    for state in OrderState:
        for fulfilment in FulfilmentState:
            member, order = await owned_order(ways.shop, variant, state=state, payment=PaymentState.PAID, fulfilment=fulfilment)
            if may_make_gift(state, fulfilment):
                assert await gifts.gift_of(await linked(member, order), now=NOW) is not None
                continue
            with pytest.raises(InvalidTransition):
                await linked(member, order)


async def test_the_members_file_and_the_end_of_an_account_know_who_gets_what(db: str) -> None:
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=9)
    member, order = await owned_order(ways.shop, variant)
    other, theirs = await owned_order(ways.shop, variant)
    token = await linked(member, order)
    await linked(other, theirs, message="別人的話")
    await chosen(member, order, ways.to_home())
    await chosen(other, theirs, ways.at_store())
    found, pieces = await file_of(member)
    (delivery,) = found["deliveries"]
    assert (delivery["number"], delivery["kind"], delivery["recipientName"], delivery["giftMessage"]) == (
        order.number,
        "HOME",
        "王媽媽",
        "生日快樂",
    )
    assert "別人的話" not in b"".join(pieces).decode()
    await deletion.request(member_id=member, now=NOW)
    assert await deletion.run_due(NOW + DELETION_WAIT, JOBS) == 1
    assert await gifts.gift_of(token, now=NOW) is None
    gone = await database.fetchrow(
        "select recipient_name || recipient_phone || postal_code || address || store_code || store_name || sender || message as words, token_hash"
        " from order_delivery join order_gift using (order_id) where order_id = $1",
        order.id,
    )
    assert gone is not None
    assert tuple(gone) == ("", None)
    assert await database.fetchval("select recipient_name from order_delivery where order_id = $1", theirs.id) == "王媽媽"
