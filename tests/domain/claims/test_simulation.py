"""What a simulation begins with, what it counts, what it refuses, and that it leaves no trace."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain import db as database
from domain.claims import scenery, simulation
from domain.claims.pasted import LONGEST_COMMENT, MOST_COMMENTS, UnusablePaste
from domain.claims.rehearsal import Rehearsal, Said
from domain.claims.rules import OnDelete, Reading, Shortage
from domain.claims.simulation import StockFrom, simulate
from domain.db import Tx
from domain.errors import NotFound, Unavailable
from domain.ids import new_id
from domain.orders.commands import cancel
from domain.posts.commands import place_post
from domain.posts.errors import InvalidPolicy
from tests.books import everything
from tests.build import NOW, a_post
from tests.domain.claims.acts import STAFF, close, expire, pay, tell_line
from tests.domain.claims.lives import MINUTE, TEXTS, lived, told, tried
from tests.sql_recorder import recorded
from tests.wall import Wall, a_wall

# --- what it begins with ---------------------------------------------------------------------------------------------------


async def begins_with(wall: Wall) -> list[int]:
    """Pieces of each variant that were free before the post's comments."""
    async with database.transaction() as tx:
        stage = await scenery.stage_of(tx, wall.shop.id, wall.post_id)
        cast = await scenery.written(tx, stage, simulation.Slices(120).pause)
        found = {x.variant_id: x.free for x in await scenery.levels(tx, stage, cast, before_post=True)}
    return [found[v.id] for v in wall.product.variants]


async def test_whatever_became_of_the_orders_their_pieces_are_given_back(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=(5, 4))
    for author in "abc":
        await wall.says(author, "紅+1 白+1")
    await wall.drain()
    assert await begins_with(wall) == [5, 4]
    await pay(wall)
    order = await database.fetchval("""select id from "order" where payment_state = 'UNPAID' order by created_at, id limit 1""")
    await cancel(order_id=order, shop_id=wall.shop.id, reason="x", actor=STAFF, now=NOW, jobs=wall.services.jobs)
    await expire(wall)
    assert await begins_with(wall) == [5, 4]
    found = await tried(wall)
    assert (found.before.orders, found.before.pieces, found.same_as_recorded) == (3, 6, 3)


async def test_pieces_of_other_posts_stay_theirs(db: str) -> None:
    wall = await a_wall(on_hand=3)
    other = await a_post(wall.shop, products=[wall.product], title="另一團")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
    wall.external_posts.append("other")
    for author, text, place in (("a", "+5", 1), ("b", "+1", 0)):
        await wall.says(author, text, place=place)
        await wall.drain()
    assert await wall.waiting() == [("a", 2), ("b", 1)]
    assert await begins_with(wall) == [0]
    found = await tried(wall)
    assert (found.before.waiting, found.same_as_recorded) == (1, 1)
    assert (await tried(wall, stock=StockFrom.UNLIMITED)).before.pieces == 1


async def test_a_variant_without_a_level_has_none(db: str) -> None:
    wall = await a_wall()
    await database.execute("delete from stock_level")
    found = await tried(wall, pasted="+1")
    assert (found.before.pieces, found.before.waiting) == (0, 1)


async def test_pasted_comments_begin_with_what_is_left_now(db: str) -> None:
    wall = await a_wall(on_hand=3)
    await wall.says("a", "+2")
    await wall.drain()
    found = await tried(wall, pasted="小美: +1\n阿花: +1\n小美: +1", shortage=Shortage.PARTIAL)
    assert (found.before.pieces, found.before.waiting, found.before.orders) == (1, 2, 1)
    assert found.same_as_recorded is None
    assert [(d.author, d.text, d.comment_id, d.after.outcome.value) for d in found.differences] == [
        ("阿花", "+1", None, "REJECTED"), ("小美", "+1", None, "REJECTED"),
    ]  # fmt: skip
    assert (await tried(wall, pasted="+1\n+1\n+1", stock=StockFrom.UNLIMITED)).before.orders == 3


async def test_a_closed_post_and_a_draft_are_simulated_as_open(db: str) -> None:
    wall = await a_wall(closes_at=NOW + MINUTE)
    await wall.says("a", "+1", at=NOW)
    await wall.says("b", "+1", at=NOW + 2 * MINUTE)
    await wall.drain()
    await close(wall.post_id)
    found = await tried(wall)
    assert (found.same_as_recorded, found.before.pieces) == (2, 1)
    assert (await tried(wall, pasted="+1")).before.pieces == 1
    await database.execute(
        "update sales_post set state = 'DRAFT', opens_at = $1, closes_at = null, version = version + 1", NOW + timedelta(days=1)
    )
    assert (await tried(wall, pasted="+1")).before.pieces == 1


async def test_a_comment_of_which_no_text_is_kept_is_left_out_and_keeps_its_pieces(db: str) -> None:
    wall = await a_wall(on_hand=3)
    await tell_line(wall, "U1", "m1", "+1", at=NOW)
    await tell_line(wall, "U1", "m1", None, at=NOW + MINUTE)
    await tell_line(wall, "U2", "m2", "+1", at=NOW + 2 * MINUTE)
    await wall.drain()
    found = await tried(wall)
    assert (found.comments, found.left_out, found.same_as_recorded) == (1, 1, 1)
    assert await begins_with(wall) == [2]


async def test_of_more_comments_than_are_taken_at_once_the_first_are(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenery, "MOST_COMMENTS", 2)
    wall = await a_wall(on_hand=3)
    for author in "abc":
        await wall.says(author, "+1")
    await wall.drain()
    found = await tried(wall)
    assert (found.comments, found.left_out, found.same_as_recorded, found.before.pieces) == (2, 1, 2, 2)
    assert await begins_with(wall) == [3]


async def test_the_text_of_a_removed_comment_is_not_shown(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("a", "+1")
    await wall.says("a", "", comment=comment, verb="remove")
    await wall.drain()
    found = await tried(wall, on_delete=OnDelete.RELEASE_IF_UNPAID)
    assert [(d.text, d.before.reason, d.after.outcome.value) for d in found.differences] == [(None, "REMOVED", "CANCELLED")]
    assert (found.before.orders, found.after.orders) == (1, 0)


async def test_figures_count_suggestions_and_questions(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"))
    for text in ("紅一件", "還有嗎？", "紅+1，運費多少", "好可愛"):
        await wall.says("a", text)
    await wall.drain()
    found = await tried(wall, reading=Reading.LENIENT)
    assert (found.before.suggestions, found.before.questions, found.before.revenue_minor) == (1, 2, 590)
    assert (found.after.suggestions, found.after.questions, found.after.revenue_minor) == (0, 2, 1180)
    assert {o.value: n for o, n in found.after.outcomes.items()} == {"ORDERED": 2, "NEEDS_REVIEW": 1, "IGNORED": 1}


# --- refusals --------------------------------------------------------------------------------------------------------------


async def test_another_shops_post_is_not_there(db: str) -> None:
    wall, other = await a_wall(), await a_wall()
    for shop_id, post_id in ((other.shop.id, wall.post_id), (wall.shop.id, new_id())):
        with pytest.raises(NotFound):
            await simulate(shop_id=shop_id, post_id=post_id, candidate=lambda base: base, now=NOW)
    assert await simulation.shop_of_post(wall.post_id) == wall.shop.id
    assert await simulation.shop_of_post(new_id()) is None


async def test_a_policy_that_cannot_be_is_refused(db: str) -> None:
    wall = await a_wall()
    with pytest.raises(InvalidPolicy):
        await tried(wall, max_per_line=0)


@pytest.mark.parametrize("text", ["", " \n\t\n", "+1\n" * (MOST_COMMENTS + 1), "+1\n" + "+" * (LONGEST_COMMENT + 1)])
async def test_a_paste_that_cannot_be_used_is_refused(db: str, text: str) -> None:
    wall = await a_wall()
    with pytest.raises(UnusablePaste):
        await tried(wall, pasted=text)


# --- no trace --------------------------------------------------------------------------------------------------------------


async def test_nothing_is_written_locked_or_told(db: str) -> None:
    wall = await lived(told(7), {})
    before = await everything()
    with recorded() as sql:
        await tried(wall, reading=Reading.LENIENT, rate_limit_orders=1)
        await tried(wall, pasted="a: 紅+1\nb: 白+2")
    assert await everything() == before
    starts = [n for n, text in enumerate(sql) if "BEGIN" in text.upper()]
    assert len(starts) == 2
    assert all("read only" in sql[n + 1] for n in starts)
    assert not [text for text in sql if "for update" in text or "for no key update" in text or "lock" in text]


async def test_a_write_on_the_way_would_be_refused_by_the_database(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = await a_wall()

    async def writes(tx: Tx, *_: object, **__: object) -> list[Any]:
        await tx.execute("update stock_level set on_hand = on_hand + 1")
        return []

    monkeypatch.setattr(scenery, "levels", writes)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await tried(wall)
    assert await wall.level() == (10, 0, 0)


# --- manners ---------------------------------------------------------------------------------------------------------------


def a_long_paste(size: int = 1_500) -> str:
    return "\n".join(f"客人{n % 400}: {TEXTS[n % len(TEXTS)]}" for n in range(size))


async def most_at_a_stretch(wall: Wall, monkeypatch: pytest.MonkeyPatch, slice_seconds: float) -> int:
    """Comments that were decided while nobody else got a turn."""
    monkeypatch.setattr(simulation, "SLICE_SECONDS", slice_seconds)
    monkeypatch.setattr(simulation, "PAUSE_SECONDS", 0)
    said, seen, say = [0], [0], Rehearsal.say

    def counting(rehearsal: Rehearsal, event: Said) -> None:
        said[0] += 1
        say(rehearsal, event)

    monkeypatch.setattr(Rehearsal, "say", counting)
    running = asyncio.create_task(tried(wall, pasted=a_long_paste(100)))
    while not running.done():
        await asyncio.sleep(0)
        seen.append(said[0])
    assert (await running).comments == 100
    return max(after - before for before, after in itertools.pairwise(seen))


async def test_others_go_on_while_it_runs(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice that is over at once lets others in after every comment; the twin, whose slice has no end, lets nobody in."""
    wall = await a_wall(variants=("紅", "白"))
    with monkeypatch.context() as patch:
        assert await most_at_a_stretch(wall, patch, 0.0) == 1
    with monkeypatch.context() as patch:
        assert await most_at_a_stretch(wall, patch, float("inf")) == 200
    assert simulation.SLICE_SECONDS <= 0.02


async def test_one_runs_at_a_time_and_waiting_has_an_end(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"))
    first = asyncio.create_task(tried(wall, pasted=a_long_paste()))
    while not simulation._one_at_a_time.locked():
        await asyncio.wait({first}, timeout=0.001)
    with pytest.raises(Unavailable):
        await simulate(shop_id=wall.shop.id, post_id=wall.post_id, candidate=lambda base: base, now=NOW, seconds=0.001)
    assert not first.done()
    assert (await first).comments == 1_500
    with pytest.raises(Unavailable):
        await simulate(
            shop_id=wall.shop.id, post_id=wall.post_id, candidate=lambda base: base, pasted=a_long_paste(), now=NOW, seconds=0.05
        )
    assert not simulation._one_at_a_time.locked()
    assert (await tried(wall, pasted="紅+1")).comments == 1
