"""A suggestion is open once: what ends it, and what stays afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.commands import ResolveAction, resolve
from domain.claims.errors import NotResolvable, SuggestionClosed, SuggestionOver
from domain.claims.offering import version_of, version_of_text
from domain.claims.rules import OnEdit
from domain.claims.suggestions import dismiss
from domain.errors import NotFound
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW, a_member
from tests.domain.claims.acts import STAFF, close
from tests.domain.claims.taps import a_fan, claim_of, refused, staff_make_order, standing, suggested, tap
from tests.wall import a_wall

COLOURS = ("紅", "白", "黑")


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=30)) == []


# --- no longer open --------------------------------------------------------------------------------------------------------


async def test_it_is_taken_once(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await tap(wall, comment, member)
    await refused(wall, SuggestionOver, comment, member)
    assert await wall.level() == (10, 1, 0)


async def test_only_its_own_buyer_knows_of_it(db: str) -> None:
    wall = await a_wall()
    comment, _ = await suggested(wall, "小美", "我要1個")
    await refused(wall, NotFound, comment, await a_member())
    with pytest.raises(NotFound):
        await dismiss(claim_id=await claim_of(comment), member_id=await a_member(), now=NOW)
    with pytest.raises(NotFound):
        await dismiss(claim_id=new_id(), member_id=await a_member(), now=NOW)
    await refused(wall, NotFound, comment, new_id())


async def test_an_order_by_comment_is_no_suggestion(db: str) -> None:
    wall = await a_wall()
    member = await a_fan("小美")
    comment = await wall.says("小美", "+1")
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)
    with pytest.raises(SuggestionOver):
        await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)


async def test_a_removed_comment_takes_its_suggestion_along(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await wall.says("小美", "", comment=comment, verb="remove")
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)


async def test_another_text_is_another_suggestion(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await wall.says("小美", "白2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    error = await refused(wall, SuggestionOver, comment, member, version=version_of_text("紅1個"))
    assert vars(error)["why"] == "EDITED"
    assert await database.fetchval("select count(*) from notice where kind = 'SUGGESTION'") == 2
    await tap(wall, comment, member, version=version_of_text("白2個"))
    assert await wall.pieces("小美") == {"白": 2}


@pytest.mark.parametrize("text", ["+1", "還有嗎？", "好美"])
async def test_a_text_that_is_no_suggestion_ends_it(db: str, text: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個", at=NOW)
    await wall.says("小美", text, comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)


async def test_a_shop_that_ignores_edits_keeps_the_first_text_s_suggestion(db: str) -> None:
    wall = await a_wall(variants=COLOURS, on_edit=OnEdit.IGNORE)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await wall.says("小美", "白2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    await tap(wall, comment, member, version=version_of_text("紅1個"))
    assert await wall.pieces("小美") == {"紅": 1}
    assert version_of(await database.fetchval("select text_hash from claim")) == version_of_text("紅1個")


async def test_what_the_seller_decided_is_decided(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await staff_make_order(wall, comment)
    await refused(wall, SuggestionOver, comment, member)
    assert await wall.level() == (10, 1, 0)


async def test_what_the_seller_put_away_is_put_away(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await resolve(
        comment_id=await database.fetchval("select comment_id from claim"), shop_id=wall.shop.id, action=ResolveAction.DISMISS, actor=STAFF,
        by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip
    await refused(wall, SuggestionOver, comment, member)


async def test_the_seller_cannot_make_the_accepted_order_once_more(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await tap(wall, comment, member)
    before = await standing()
    with pytest.raises(NotResolvable):
        await staff_make_order(wall, comment)
    assert await standing() == before


# --- no --------------------------------------------------------------------------------------------------------------------


async def test_no_is_kept_and_silent(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    claim = await claim_of(comment)
    await dismiss(claim_id=claim, member_id=member, version=version_of_text("我要1個"), now=NOW)
    assert await wall.outcome(comment) == ("IGNORED", "DISMISSED")
    assert [tuple(r) for r in await database.fetch("select kind, read_at from notice")] == [("SUGGESTION", NOW)]
    assert await database.fetchval("select action from audit_entry order by id desc limit 1") == "SUGGESTION_DISMISSED"
    before = await standing()
    await dismiss(claim_id=claim, member_id=member, now=NOW)
    assert await standing() == before
    await refused(wall, SuggestionOver, comment, member)


async def test_no_leaves_the_question_beside_it_to_the_seller(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    assert await database.fetchval("select review from claim") == "OPEN"


async def test_what_was_accepted_cannot_be_dismissed(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await tap(wall, comment, member)
    with pytest.raises(SuggestionOver):
        await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    assert await wall.level() == (10, 1, 0)


async def test_a_dismissed_one_comes_back_only_with_another_text(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    await database.execute("update inbox_event set state = 'PENDING', decided_at = null")
    await wall.says("小美", "紅１個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", "DISMISSED")
    await wall.says("小美", "紅2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=9))
    await wall.drain()
    assert (await wall.outcome(comment))[0] == "SUGGESTED"
    await tap(wall, comment, member)
    assert await wall.pieces("小美") == {"紅": 2}


# --- afterwards ------------------------------------------------------------------------------------------------------------


async def test_an_edit_of_an_accepted_comment_changes_its_order(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await tap(wall, comment, member)
    await wall.says("小美", "紅+3", comment=comment, verb="edited", at=NOW + timedelta(minutes=1))
    await wall.drain()
    assert await wall.pieces("小美") == {"紅": 3}


async def test_an_accepted_one_can_be_cancelled_by_comment(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await tap(wall, comment, member)
    await wall.says("小美", "取消")
    await wall.drain()
    assert await wall.level() == (10, 0, 0)
    await refused(wall, SuggestionOver, comment, member)


async def test_a_closed_post_ends_what_was_not_accepted_and_keeps_what_was(db: str) -> None:
    wall = await a_wall()
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member)
    await close(wall.post_id)
    await refused(wall, SuggestionClosed, second, member)
    assert await wall.level() == (10, 1, 0)
