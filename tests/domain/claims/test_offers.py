"""Timed offers: in order, sized to the restock; taken, passed on, given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims import offers
from domain.claims.errors import BuyerRestricted, OfferOver, PlaceOver, TooFew
from domain.claims.passing import pass_on_due
from domain.errors import NotFound
from domain.ids import new_id
from plusone.invariants import check
from tests.books import queued
from tests.build import NOW, a_member
from tests.domain.claims.acts import expire, fill
from tests.domain.claims.queueing import MINUTES, a_line, offer_to, on_offer, pass_on, place_of, restock, say_yes, serve_all
from tests.domain.claims.taps import standing

LATER = NOW + timedelta(seconds=59)
OVER = NOW + timedelta(minutes=MINUTES)


async def test_a_restock_is_offered_in_order_and_no_further_than_it_goes(db: str) -> None:
    wall, _ = await a_line(("甲", 2), ("乙", 2), ("丙", 1))
    assert await restock(wall, 3) == 3
    assert await on_offer() == {"甲": 2, "乙": 1}
    assert await wall.level() == (3, 0, 0)
    assert await wall.waiting() == [("甲", 2), ("乙", 2), ("丙", 1)]
    assert await serve_all(wall) == 0
    kinds = await database.fetch("select kind, data->'lines'->0->>'quantity' as n from notice where kind = 'WAITLIST_OFFERED' order by id")
    assert [tuple(row.values()) for row in kinds] == [("WAITLIST_OFFERED", "2"), ("WAITLIST_OFFERED", "1")]
    assert await check(LATER) == []


async def test_a_yes_holds_the_pieces_and_the_rest_keeps_its_place(db: str) -> None:
    wall, members = await a_line(("甲", 3), ("乙", 1))
    await restock(wall, 2)
    claim = await say_yes(wall, members, "甲", at=OVER - timedelta(microseconds=1))
    assert await wall.pieces("甲") == {"": 2}
    assert await wall.waiting() == [("甲", 1), ("乙", 1)]
    row = await database.fetchrow("select outcome, reason from claim where id = $1", claim)
    assert row is not None
    assert tuple(row.values()) == ("PARTIAL", "INSUFFICIENT_STOCK")
    assert await on_offer("ACCEPTED") == {"甲": 2}
    told = await database.fetch("select kind, read_at is not null as read from notice where kind <> 'WAITLISTED' order by id")
    assert [tuple(r.values()) for r in told] == [("WAITLIST_OFFERED", True), ("WAITLIST_FILLED", False)]
    actions = {r["action"] for r in await database.fetch("select action from audit_entry where object_id = $1", claim)}
    assert actions == {"CLAIM_DECIDED", "WAITLIST_OFFER_ACCEPTED"}
    await restock(wall, 2)
    assert await on_offer() == {"甲": 1, "乙": 1}
    assert await check(LATER) == []


async def test_a_second_yes_a_late_one_and_another_s_are_refused(db: str) -> None:
    wall, members = await a_line(("甲", 1), ("乙", 1))
    await restock(wall, 2)
    await say_yes(wall, members, "甲")
    before = await standing()
    for author, at in (("甲", NOW), ("乙", OVER)):
        with pytest.raises(OfferOver):
            await say_yes(wall, members, author, at=at)
    for offer, member in ((await offer_to("乙"), members["甲"]), (await offer_to("乙"), await a_member()), (new_id(), members["甲"])):
        with pytest.raises(NotFound):
            await offers.accept(offer_id=offer, member_id=member, now=NOW, jobs=wall.services.jobs)
    assert await standing() == before


async def test_nobody_new_gets_what_is_on_offer(db: str) -> None:
    wall, members = await a_line(("甲", 1))
    await restock(wall, 1)
    await wall.says("新", "+1")
    await wall.drain()
    assert await wall.waiting() == [("甲", 1), ("新", 1)]
    await serve_all(wall)
    assert await on_offer() == {"甲": 1}
    await say_yes(wall, members, "甲")
    assert await wall.level() == (1, 1, 0)


async def test_an_offer_that_nobody_answers_passes_on_and_its_place_ends(db: str) -> None:
    wall, members = await a_line(("甲", 2), ("乙", 1))
    await restock(wall, 1)
    assert await pass_on_due(now=OVER - timedelta(microseconds=1), limit=10, jobs=wall.services.jobs) == 0
    assert await pass_on(wall, at=OVER) == 1
    assert await on_offer() == {"乙": 1}
    assert await on_offer("PASSED") == {"甲": 1}
    assert await wall.waiting() == [("乙", 1)]
    assert await database.fetchval("select state from waitlist_entry where id = $1", await place_of("甲")) == "EXPIRED"
    over = await database.fetch("select kind from notice n join buyer b on b.id = n.buyer_id where b.external_id = '甲' order by n.id")
    assert [row["kind"] for row in over] == ["WAITLISTED", "WAITLIST_OFFERED", "WAITLIST_OFFER_OVER"]
    with pytest.raises(OfferOver):
        await say_yes(wall, members, "甲", at=OVER)
    await say_yes(wall, members, "乙", at=OVER)
    assert await pass_on(wall, at=OVER) == 0
    assert await check(LATER) == []


async def test_passing_on_leaves_a_job_for_the_next(db: str) -> None:
    wall, _ = await a_line(("甲", 1))
    await restock(wall, 1)
    before = len(await queued("restocked"))
    await pass_on_due(now=OVER, limit=10, jobs=wall.services.jobs)
    assert (await queued("restocked"))[before:] == [{"shop_id": str(wall.shop.id), "variants": [str(wall.product.variants[0].id)]}]
    assert await database.fetchval("select waiting from stock_level") == 0


async def test_an_offer_grows_with_what_arrives_and_begins_anew(db: str) -> None:
    wall, members = await a_line(("甲", 3))
    await restock(wall, 1)
    first = await offer_to("甲")
    await restock(wall, 1, at=NOW + timedelta(minutes=20))
    assert await on_offer() == {"甲": 2}
    assert await offer_to("甲") == first
    assert await pass_on(wall, at=OVER) == 0
    await say_yes(wall, members, "甲", at=OVER)
    assert await wall.pieces("甲") == {"": 2}
    assert await database.fetchval("select count(*) from notice where kind = 'WAITLIST_OFFERED'") == 2


async def test_giving_up_passes_on_and_may_be_said_twice(db: str) -> None:
    wall, members = await a_line(("甲", 1), ("乙", 1))
    await restock(wall, 1)
    place = await place_of("甲")
    for _ in range(2):
        claim = await offers.leave(place_id=place, member_id=members["甲"], now=NOW, jobs=wall.services.jobs)
    row = await database.fetchrow("select outcome, reason from claim where id = $1", claim)
    assert row is not None
    assert tuple(row.values()) == ("CANCELLED", "WAITLIST_LEFT")
    await serve_all(wall)
    assert (await on_offer(), await on_offer("ENDED")) == ({"乙": 1}, {"甲": 1})
    with pytest.raises(OfferOver):
        await offers.accept(offer_id=await offer_to("甲"), member_id=members["甲"], now=NOW, jobs=wall.services.jobs)
    await say_yes(wall, members, "乙")
    with pytest.raises(PlaceOver):
        await offers.leave(place_id=await place_of("乙"), member_id=members["乙"], now=NOW, jobs=wall.services.jobs)
    for place_id, member in ((await place_of("乙"), members["甲"]), (new_id(), members["甲"])):
        with pytest.raises(NotFound):
            await offers.leave(place_id=place_id, member_id=member, now=NOW, jobs=wall.services.jobs)
    assert await check(LATER) == []


async def test_who_ordered_a_part_keeps_it_when_the_rest_is_given_up(db: str) -> None:
    wall, members = await a_line(("甲", 3), on_hand=2)
    claim = await offers.leave(place_id=await place_of("甲"), member_id=members["甲"], now=NOW, jobs=wall.services.jobs)
    assert await database.fetchval("select outcome from claim where id = $1", claim) == "ORDERED"
    assert await wall.pieces("甲") == {"": 2}


async def test_a_comment_that_takes_pieces_back_makes_the_offer_smaller_or_ends_it(db: str) -> None:
    wall, _ = await a_line(("甲", 3), ("乙", 3))
    await restock(wall, 6)
    await wall.says("甲", "-2")
    await wall.says("乙", "取消")
    await wall.drain()
    assert (await on_offer(), await on_offer("ENDED")) == ({"甲": 1}, {"乙": 3})
    assert await check(LATER) == []


async def test_a_buyer_without_the_app_has_the_pieces_at_once(db: str) -> None:
    wall, _ = await a_line(("甲", 1), ("乙", 1), app=False)
    await restock(wall, 1)
    assert await on_offer() == {}
    assert await wall.pieces("甲") == {"": 1}
    assert await check(LATER) == []


async def test_a_shop_without_offers_gives_at_once(db: str) -> None:
    wall, _ = await a_line(("甲", 1))
    await database.execute("update shop set offer_minutes = null")
    await restock(wall, 1)
    assert (await on_offer(), await wall.pieces("甲")) == ({}, {"": 1})


async def test_what_was_filled_another_way_is_not_on_offer_any_more(db: str) -> None:
    wall, members = await a_line(("甲", 1))
    await restock(wall, 1)
    await database.execute("update shop set offer_minutes = null")
    assert await fill(wall) == 1
    assert await on_offer("ENDED") == {"甲": 1}
    with pytest.raises(OfferOver):
        await say_yes(wall, members, "甲")
    assert await wall.level() == (1, 1, 0)


async def test_who_let_the_order_of_the_same_comment_run_out_is_asked_no_more(db: str) -> None:
    wall, _ = await a_line(("甲", 3), ("乙", 1), on_hand=1)
    assert await expire(wall) == 1
    await serve_all(wall)
    assert await on_offer() == {"乙": 1}
    assert await wall.waiting() == [("乙", 1)]
    assert await check(LATER) == []


async def test_a_restricted_buyer_and_stock_that_is_gone_are_refused(db: str) -> None:
    wall, members = await a_line(("甲", 2))
    await restock(wall, 2)
    await database.execute("update buyer set restricted_until = $1", NOW + timedelta(days=1))
    before = await standing()
    with pytest.raises(BuyerRestricted):
        await say_yes(wall, members, "甲")
    await database.execute("update buyer set restricted_until = null")
    await restock(wall, -1, serve=False)
    with pytest.raises(TooFew) as raised:
        await say_yes(wall, members, "甲")
    assert (raised.value.wanted, raised.value.available) == (2, 1)
    assert (await standing())["waitlist_entry"] == before["waitlist_entry"]
    assert await on_offer() == {"甲": 2}
