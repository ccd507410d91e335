"""`proxy`: orders for somebody else (幫小美+1)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rules import NearMiss, Proxy
from domain.claims.suggestions import accept
from domain.posts.commands import set_policy
from tests.build import NOW, a_member
from tests.domain.claims.acts import close, fill, pay, tell_line
from tests.domain.claims.policy.picture import Picture, Step, picture, play, played
from tests.wall import Wall, a_wall

OFF, ALLOW = Proxy.OFF, Proxy.ALLOW
PLACED = "甲 ORDER_PLACED"


async def names() -> list[tuple[str, int]]:
    """(beneficiary, pieces) of every line with pieces."""
    rows = await database.fetch("select beneficiary, quantity from order_line where quantity > 0 order by created_at, id")
    return [(row["beneficiary"], row["quantity"]) for row in rows]


WORDS = [
    ("幫小美+1", "小美"),
    ("替同事+1", "同事"),
    ("幫媽媽瓦片+1", "媽媽"),
    ("@小明 +1", "小明"),
    ("媽媽+1", "媽媽"),
    ("幫小美訂+1", "小美"),
    ("幫我+1", ""),
    ("+1", ""),
]


@pytest.mark.parametrize(("text", "name"), WORDS)
async def test_allowed_it_is_ordered_on_the_writer_s_account_with_the_person_s_name(db: str, text: str, name: str) -> None:
    found = await played(("甲", text), proxy=ALLOW)
    assert found == Picture(["ORDERED"], ["10/1/0"], {"甲": {"": 1}}, ["甲 OPEN UNPAID 590"], [], [PLACED], ["甲 PUBLIC"])
    assert await names() == [(name, 1)]


@pytest.mark.parametrize(("text", "name"), WORDS)
async def test_off_nothing_for_others_is_ordered_and_the_writer_is_asked(db: str, text: str, name: str) -> None:
    found = await played(("甲", text), proxy=OFF)
    if name:
        assert found == Picture(["SUGGESTED PROXY"], notices=["甲 SUGGESTION"])
        data = database.from_jsonb(await database.fetchval("select data from notice"))
        assert [(line["title"], line["quantity"]) for line in data["lines"]] == [("瓦片", 1)]
        assert data["reason"] == "PROXY"
    else:
        assert found.outcomes == ["ORDERED"]
        assert await names() == [("", 1)]


@pytest.mark.parametrize(("near", "expected"), [
    (NearMiss.SUGGEST, Picture(["SUGGESTED PROXY"], notices=["甲 SUGGESTION"])),
    (NearMiss.SILENT, Picture(["NEEDS_REVIEW PROXY ?"])),
    (NearMiss.REPLY_HELP, Picture(["NEEDS_REVIEW PROXY ?"], replies=["甲 PUBLIC"])),
])  # fmt: skip
async def test_off_follows_the_rule_for_near_misses(db: str, near: NearMiss, expected: Picture) -> None:
    assert await played(("甲", "幫小美+1"), proxy=OFF, on_near_miss=near) == expected


async def shut(wall: Wall) -> None:
    await close(wall.post_id)


EDITS: list[tuple[str, Proxy, list[Step], list[str], list[tuple[str, int]]]] = [
    ("a name is added", ALLOW, [("甲", "+1"), ("甲", "幫小美+1", 1)], ["ORDERED"], [("小美", 1)]),
    ("another name", ALLOW, [("甲", "幫小美+1"), ("甲", "幫媽媽+2", 1)], ["ORDERED"], [("媽媽", 2)]),
    ("the name is taken out", ALLOW, [("甲", "幫小美+1"), ("甲", "+1", 1)], ["ORDERED"], [("", 1)]),
    ("a name is added", OFF, [("甲", "+1"), ("甲", "幫小美+1", 1)], ["ORDERED EDITED_TO_PROXY ?"], [("", 1)]),
    ("the name is taken out", OFF, [("甲", "幫小美+1"), ("甲", "+1", 1)], ["ORDERED"], [("", 1)]),
    ("closed", OFF, [shut, ("甲", "幫小美+1")], ["REJECTED CLOSED"], []),
    ("taken back", ALLOW, [("甲", "幫小美+2"), ("甲", "取消")], ["ORDERED", "CANCELLED"], []),
    ("taken back", OFF, [("甲", "+2"), ("甲", "取消")], ["ORDERED", "CANCELLED"], []),
    ("for two", ALLOW, [("甲", "自己+1 媽媽+1")], ["ORDERED"], [("媽媽", 2)]),
    ("beside one's own", ALLOW, [("甲", "+1"), ("甲", "幫小美+2")], ["ORDERED", "ORDERED"], [("", 1), ("小美", 2)]),
]


@pytest.mark.parametrize(("proxy", "steps", "outcomes", "lines"), [case[1:] for case in EDITS], ids=[f"{p}: {n}" for n, p, *_ in EDITS])
async def test_changes(db: str, proxy: Proxy, steps: list[Step], outcomes: list[str], lines: list[tuple[str, int]]) -> None:
    assert (await played(*steps, proxy=proxy)).outcomes == outcomes
    assert await names() == lines


async def test_pieces_that_waited_are_for_the_same_person_also_in_the_next_order(db: str) -> None:
    wall = await a_wall(on_hand=1, proxy=ALLOW)
    await play(wall, ("甲", "幫小美+3"), pay)
    await fill(wall, more=1)
    await fill(wall, more=1)
    assert await names() == [("小美", 1), ("小美", 2)]
    assert await database.fetchval("select count(distinct claim_id) from order_line where claim_id is not null") == 1
    assert (await picture(wall)).orders == ["甲 OPEN PAID 590", "甲 OPEN UNPAID 1180"]


async def test_an_unsent_message_leaves_no_name(db: str) -> None:
    wall = await a_wall(proxy=ALLOW)
    await tell_line(wall, "甲", "m1", "幫小美+1", at=NOW)
    await wall.drain()
    assert await names() == [("小美", 1)]
    await tell_line(wall, "甲", "m1", None, at=NOW + timedelta(seconds=1))
    await wall.drain()
    assert await names() == [("", 1)]


async def test_a_long_name_is_cut_and_stands_on_one_line(db: str) -> None:
    wall = await a_wall(proxy=ALLOW)
    mention = "@" + "小" * 100
    await tell_line(wall, "甲", "m1", f"{mention} +1", at=NOW)
    await wall.drain()
    assert await names() == [("小" * 60, 1)]


@pytest.mark.parametrize(("proxy_now", "name"), [(OFF, ""), (ALLOW, "小美")])
async def test_one_tap_takes_it_on_the_writer_s_own_name(db: str, proxy_now: Proxy, name: str) -> None:
    """Unless the shop takes orders for others by the time of the tap."""
    wall = await a_wall(proxy=OFF)
    member = await a_member()
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values (gen_random_uuid(), $1, 'facebook', '甲', $2, $2)",
        member,
        NOW,
    )
    comments = await play(wall, ("甲", "幫小美+2"))
    if proxy_now is ALLOW:
        async with database.transaction() as tx:
            await set_policy(tx, shop_id=wall.shop.id, post_id=None, policy={"proxy": "ALLOW"}, now=NOW)
    claim = await database.fetchval("select id from claim")
    await accept(claim_id=claim, member_id=member, now=NOW, jobs=wall.services.jobs)
    found = await picture(wall, comments)
    assert (found.levels, found.lines) == (["10/2/0"], {"甲": {"": 2}})
    assert found.outcomes[0].split()[0] == "ORDERED"
    assert await names() == [(name, 2)]
