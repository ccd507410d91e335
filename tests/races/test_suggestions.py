"""A tap in parallel with everything that could end its suggestion, or take its piece. Each race has a twin without the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims import commands, loading, suggestions
from domain.claims.commands import ResolveAction, resolve
from domain.claims.desk import Claim
from domain.claims.errors import NotResolvable, SuggestionOver, TooFew
from domain.claims.offering import version_of_text
from domain.claims.rules import Shortage
from domain.claims.suggestions import dismiss
from domain.db import Tx
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.acts import STAFF
from tests.domain.claims.taps import claim_of, suggested, tap
from tests.races.turns import HeldUp, Slowly, closed_meanwhile, names, overselling, until_somebody_waits
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(seconds=59)
ASKS_TOO = "紅1個，運費多少？"
"""A suggestion that also waits for the seller, for its question."""


async def until_it_looked(barrier: asyncio.Barrier) -> None:
    """Until a tap waits at the barrier."""
    async with asyncio.timeout(30):
        while barrier.n_waiting == 0:  # noqa: ASYNC110 - a barrier tells nobody who waits
            await asyncio.sleep(0.01)


def look_before_the_others_are_done(monkeypatch: pytest.MonkeyPatch, barrier: asyncio.Barrier) -> None:
    """Taps look at their claim without a lock, and go on when the barrier opens, as an unlucky moment would have it."""

    async def unlocked(tx: Tx, claim_id: UUID, member_id: UUID, version: str | None, *, unless: str = "") -> tuple[UUID, Claim]:
        row = await tx.fetchrow("select shop_id, comment_id from claim where id = $1", claim_id)
        assert row is not None
        claim = (await loading.claims_of(tx, [row["comment_id"]]))[row["comment_id"]]
        await barrier.wait()
        return row["shop_id"], claim

    monkeypatch.setattr(suggestions, "_lock", unlocked)


async def a_red_suggestion(text: str = "紅1個") -> tuple[Wall, str, UUID]:
    """A buyer with an open order for 白, and a suggestion for 紅."""
    wall = await a_wall(variants=("紅", "白"))
    comment, member = await suggested(wall, "小美", text, at=NOW)
    await wall.says("小美", "白+1", at=NOW)
    await wall.drain()
    return wall, comment, member


# --- two taps ------------------------------------------------------------------------------------------------------------------


async def test_two_taps_at_once_are_one_order(db: str) -> None:
    wall, comment, member = await a_red_suggestion()
    assert sorted(await names(*(tap(wall, comment, member) for _ in range(6)))) == [*["SuggestionOver"] * 5, "done"]
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}
    assert await check(LATER) == []


async def test_twin_without_the_locks_takes_it_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    look_before_the_others_are_done(monkeypatch, asyncio.Barrier(2))
    assert await names(tap(wall, comment, member), tap(wall, comment, member, at=NOW + timedelta(seconds=1))) == ["done", "done"]
    assert await wall.pieces("小美") == {"紅": 2, "白": 1}


async def test_a_yes_and_a_no_at_once_are_one_of_them(db: str) -> None:
    wall, comment, member = await a_red_suggestion()
    done = await names(tap(wall, comment, member), dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW))
    assert sorted(done) == ["SuggestionOver", "done"]
    outcome = await wall.outcome(comment)
    assert (outcome, (await wall.pieces("小美")).get("紅", 0)) == (
        (("ORDERED", "ACCEPTED"), 1) if done[0] == "done" else (("IGNORED", "DISMISSED"), 0)
    )


async def test_twin_without_the_locks_orders_what_was_dismissed(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    claim, locked = await claim_of(comment), suggestions._lock
    barrier = asyncio.Barrier(2)
    look_before_the_others_are_done(monkeypatch, barrier)
    task = asyncio.create_task(tap(wall, comment, member))
    await until_it_looked(barrier)
    monkeypatch.setattr(suggestions, "_lock", locked)
    await dismiss(claim_id=claim, member_id=member, now=NOW)
    await barrier.wait()
    await task
    assert [r["action"] for r in await database.fetch("select action from audit_entry order by id desc limit 3")][::2] == [
        "SUGGESTION_ACCEPTED", "SUGGESTION_DISMISSED",
    ]  # fmt: skip
    assert (await wall.pieces("小美"))["紅"] == 1


# --- the comment becomes another, or goes ----------------------------------------------------------------------------------------


async def a_tap_while_a_batch_is_written(wall: Wall, comment: str, member: UUID, looked: asyncio.Barrier | None = None) -> list[str]:
    """The stored events are decided; before that is committed, the buyer taps. Answers what the tap came to."""
    slow = Slowly(wall)
    batch = asyncio.create_task(slow.run())
    await slow.written.wait()
    task = asyncio.create_task(tap(wall, comment, member, version=version_of_text("紅1個")))
    if looked is not None:
        await looked.wait()
    await until_somebody_waits(task)
    slow.commit.set()
    await batch
    return await names(task)


async def test_a_tap_on_a_text_that_is_being_edited_is_refused(db: str) -> None:
    wall, comment, member = await a_red_suggestion()
    await wall.says("小美", "白5個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    assert await a_tap_while_a_batch_is_written(wall, comment, member) == ["SuggestionOver"]
    assert await wall.outcome(comment) == ("SUGGESTED", "NEEDS_CONFIRMATION")
    assert await wall.pieces("小美") == {"白": 1}


async def test_twin_without_the_locks_orders_by_the_text_that_is_gone(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    looked = asyncio.Barrier(2)
    look_before_the_others_are_done(monkeypatch, looked)
    await wall.says("小美", "白5個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    assert await a_tap_while_a_batch_is_written(wall, comment, member, looked) == ["done"]
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}


async def test_a_tap_on_a_comment_that_is_being_removed_is_refused(db: str) -> None:
    wall, comment, member = await a_red_suggestion()
    await wall.says("小美", "", comment=comment, verb="remove")
    assert await a_tap_while_a_batch_is_written(wall, comment, member) == ["SuggestionOver"]
    assert await wall.pieces("小美") == {"白": 1}


async def test_twin_without_the_locks_orders_by_a_comment_that_is_gone(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    looked = asyncio.Barrier(2)
    look_before_the_others_are_done(monkeypatch, looked)
    await wall.says("小美", "", comment=comment, verb="remove")
    assert await a_tap_while_a_batch_is_written(wall, comment, member, looked) == ["done"]
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}


# --- the seller makes the order too ----------------------------------------------------------------------------------------------


async def by_the_seller(wall: Wall, comment: str) -> None:
    await resolve(
        comment_id=await database.fetchval("select comment_id from claim where id = $1", await claim_of(comment)), shop_id=wall.shop.id,
        action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[0].id, 1)], actor=STAFF, by_member_id=new_id(), now=NOW,
        jobs=wall.services.jobs,
    )  # fmt: skip


async def test_the_buyer_and_the_seller_at_once_make_one_order(db: str) -> None:
    wall, comment, member = await a_red_suggestion(ASKS_TOO)
    done = await names(tap(wall, comment, member), by_the_seller(wall, comment))
    assert done in (["done", NotResolvable.__name__], [SuggestionOver.__name__, "done"])
    assert (await wall.pieces("小美"))["紅"] == 1
    assert await check(LATER) == []


async def test_twin_without_the_tap_s_locks_makes_both(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion(ASKS_TOO)
    barrier = asyncio.Barrier(2)
    look_before_the_others_are_done(monkeypatch, barrier)
    task = asyncio.create_task(tap(wall, comment, member))
    await until_it_looked(barrier)
    await by_the_seller(wall, comment)
    await barrier.wait()
    await task
    assert (await wall.pieces("小美"))["紅"] == 2


async def test_twin_where_the_seller_cannot_see_the_yes_makes_both(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion(ASKS_TOO)
    found = loading.claims_of

    async def without_the_yes(tx: Tx, comment_ids: Sequence[UUID]) -> dict[UUID, Claim]:
        claims = await found(tx, comment_ids)
        for claim in claims.values():
            claim.result = {name: value for name, value in claim.result.items() if name != "accepted"}
        return claims

    await tap(wall, comment, member)
    monkeypatch.setattr(commands.loading, "claims_of", without_the_yes)
    await by_the_seller(wall, comment)
    assert (await wall.pieces("小美"))["紅"] == 2


# --- the post closes -------------------------------------------------------------------------------------------------------------


async def orders_when_the_post_was_closed(wall: Wall, comment: str, member: UUID, monkeypatch: pytest.MonkeyPatch) -> int:
    """The post is closed while a tap has looked at it and not yet written; answers how many pieces of 紅 were ordered by then."""

    async def red() -> int:
        return (await wall.pieces("小美")).get("紅", 0)

    return await closed_meanwhile(wall, tap(wall, comment, member), HeldUp(monkeypatch, suggestions, "write_desk"), red)


async def test_a_post_closes_before_a_tap_or_after_it(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    assert await orders_when_the_post_was_closed(wall, comment, member, monkeypatch) == 1
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}


async def test_twin_without_the_post_s_lock_orders_after_the_closing(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, comment, member = await a_red_suggestion()
    monkeypatch.setattr(suggestions, "LOCK_POST", suggestions.LOCK_POST.replace("for share", ""))
    assert await orders_when_the_post_was_closed(wall, comment, member, monkeypatch) == 0
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}


# --- the last piece --------------------------------------------------------------------------------------------------------------


async def eight_who_want_one() -> tuple[Wall, list[tuple[str, UUID]]]:
    wall = await a_wall(on_hand=1, shortage=Shortage.REJECT_LINE)
    return wall, [await suggested(wall, f"buyer{n}", "我要1個") for n in range(8)]


async def test_eight_taps_for_the_last_piece_are_one_order(db: str) -> None:
    wall, wishes = await eight_who_want_one()
    await wall.says("乙", "+1")
    done = await names(*(tap(wall, comment, member) for comment, member in wishes), wall.drain())
    assert sorted(done[:8]).count("done") + (await wall.pieces("乙")).get("", 0) == 1
    assert set(done[:8]) <= {"done", TooFew.__name__}
    assert await wall.level() == (1, 1, 0)
    assert await check(LATER) == []


@pytest.fixture
async def no_guard(db: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    wall, wishes = await eight_who_want_one()
    async with overselling(monkeypatch):
        assert await names(*(tap(wall, comment, member) for comment, member in wishes)) == ["done"] * 8
        assert await wall.level() == (1, 8, 0)
        yield


async def test_twin_without_the_level_s_lock_sells_one_piece_eight_times(no_guard: None) -> None:
    rows = await database.fetch("select outcome, count(*)::int as n from claim group by 1")
    assert [tuple(row) for row in rows] == [("ORDERED", 8)]
