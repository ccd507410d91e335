"""Deliveries of any size, lanes in any turn, two workers at once: the end is that of the same events taken one by one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Literal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain import db as database
from domain.claims import loading, taking
from domain.claims.rules import OnDelete, OnEdit, PublicReply, RepeatMode, Shortage
from domain.db import Tx
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.taken import InboxRow, Verdict
from domain.posts.commands import place_post
from tests.build import NOW, a_post
from tests.domain.claims.acts import fill
from tests.domain.claims.endings import ending
from tests.domain.inbox.bundling import bundle_what_waits
from tests.wall import PAGE, Wall, a_wall
from workers.ingest import handler

TEXTS = (
    "紅+1", "紅+1", "紅+2", "白+1", "白+3", "紅+1 白+1", "取消", "紅取消", "全部取消", "紅-1 白+1", "紅改+2", "-1", "紅x1", "紅一件", "還有嗎？", "好可愛",
    "紅+1？", "白+9", "我要白", "+1", "黑+1", "幫小美紅+1",
)  # fmt: skip
POLICIES: tuple[dict[str, Any], ...] = (
    {"public_reply": PublicReply.EACH},
    {"on_delete": OnDelete.RELEASE_IF_UNPAID, "per_buyer_max": 4, "public_reply": PublicReply.ONCE_PER_BUYER},
    {"repeat_mode": RepeatMode.REPLACE, "shortage": Shortage.PARTIAL, "on_edit": OnEdit.FLAG},
    {"repeat_mode": RepeatMode.ONCE, "shortage": Shortage.REJECT_COMMENT, "rate_limit_orders": 4, "on_delete": OnDelete.RELEASE_IF_UNPAID},
)
BUYERS, PLACES = 5, 3


@dataclass(frozen=True, slots=True)
class Told:
    """One event as the platform tells it, somewhere among three places: two of one post, one of another with the same goods."""

    author: str
    text: str
    comment: str
    verb: str
    at: datetime
    place: int


@dataclass(frozen=True, slots=True)
class Turn:
    """So many workers take a batch each, at once, of at most so many events. `bundled`: what waits came in one commit."""

    workers: int
    most: int
    bundled: bool = False


Evening = list[Told | Turn]


@st.composite
def evenings(draw: st.DrawFn) -> Evening:
    """Up to eighty comments, edits and removals, some told late, in deliveries between which workers take their turns."""
    evening: Evening = []
    comments: list[tuple[str, str, int]] = []
    latest: dict[str, datetime] = {}
    for second in range(draw(st.integers(5, 80))):
        at = NOW + timedelta(seconds=7 * second - draw(st.sampled_from((0, 0, 0, 0, 12))))
        act = draw(st.sampled_from(("add", "add", "add", "add", "edited", "remove"))) if comments else "add"
        if act == "add":
            author = draw(st.sampled_from((*(f"buyer{n}" for n in range(BUYERS)), f"newcomer{second}", PAGE)))
            comments.append((author, f"c{len(comments)}", draw(st.integers(0, PLACES - 1))))
            who = comments[-1]
        else:
            who = draw(st.sampled_from(comments))
        # An edit that comes before its own comment knows in one batch with it whose it is, and alone asks a human first.
        at = latest[who[1]] = max(at, latest.get(who[1], at) + timedelta(seconds=1))
        evening.append(Told(who[0], draw(st.sampled_from(TEXTS)), who[1], act, at, who[2]))
        if draw(st.integers(0, 9)) == 0:
            evening.append(Turn(draw(st.integers(1, 2)), draw(st.sampled_from((1, 2, 7, 400))), draw(st.booleans())))
    return evening


async def a_stage(policy: dict[str, Any]) -> Wall:
    wall = await a_wall(variants=("紅", "白"), on_hand=(5, 4), places=2, **policy)
    other = await a_post(wall.shop, products=[wall.product], title="另一團")
    elsewhere = f"{wall.external_posts[0]}_other"
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id=elsewhere, now=NOW)
    wall.external_posts.append(elsewhere)
    return wall


async def tell(wall: Wall, told: Told) -> None:
    await wall.says(told.author, told.text, comment=told.comment, verb=told.verb, at=told.at, place=told.place)


Way = Callable[[Tx, Sequence[InboxRow]], Awaitable[Sequence[Verdict]]]


@dataclass
class Workers:
    """Workers of one wall, and what they took, batch by batch, each with its place in the order of their decisions."""

    wall: Wall
    way: Way
    taken: list[tuple[int, list[InboxRow]]] = field(default_factory=list)
    places: Iterator[int] = field(default_factory=itertools.count)

    async def batch(self, most: int) -> bool:
        rows: list[InboxRow] = []
        place = 0

        async def handle(tx: Tx, given_rows: Sequence[InboxRow]) -> Sequence[Verdict]:
            nonlocal place
            verdicts = await self.way(tx, given_rows)
            # It has its locks, and the next one that needs them is not here yet. Who hears first that its commit is done is chance.
            place, rows[:] = next(self.places), given_rows
            return verdicts

        drained = await drain_one(Cursor(), handle, now=self.wall.services.clock.now, most=most)
        if rows:
            self.taken.append((place, rows))
        return drained is not None


async def in_batches(wall: Wall, evening: Evening, way: Way) -> list[Told]:
    """The evening as it came; answers its events in the order in which they were decided."""
    workers, told_by = Workers(wall, way), {}
    for step in evening:
        if isinstance(step, Turn):
            if step.bundled:
                await bundle_what_waits(wall.endpoint_id)
            await asyncio.gather(*(workers.batch(step.most) for _ in range(step.workers)))
            continue
        await tell(wall, step)
        key = await database.fetchval(
            "select external_key from inbox_event where endpoint_id = $1 order by id desc limit 1", wall.endpoint_id
        )
        told_by.setdefault(key, step)
    if any(step.bundled for step in evening if isinstance(step, Turn)):
        await bundle_what_waits(wall.endpoint_id)
    while any(await asyncio.gather(*(workers.batch(400) for _ in range(2)))):
        pass
    await fill(wall)
    return [told_by[row.external_key] for _, rows in sorted(workers.taken, key=itemgetter(0)) for row in rows]


async def one_by_one(wall: Wall, events: Sequence[Told]) -> None:
    """Each event decided before the next is told."""
    for event in events:
        await tell(wall, event)
        await wall.drain()
    await fill(wall)


def apart(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """The rows of each kind that only one of the two has."""
    kinds = [kind for kind in one if one[kind] != other[kind]]
    return {kind: ([r for r in one[kind] if r not in other[kind]], [r for r in other[kind] if r not in one[kind]]) for kind in kinds}


# Shrinking would take minutes of a database's time; the evening that failed is printed as it is.
@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(evening=evenings(), policy=st.sampled_from(POLICIES))
async def test_an_evening_in_batches_ends_as_one_by_one(db: str, evening: Evening, policy: dict[str, Any]) -> None:
    batched, single = await a_stage(policy), await a_stage(policy)
    events = await in_batches(batched, evening, handler(batched.services))
    assert len(events) == await database.fetchval("select sum(size) from inbox_event where endpoint_id = $1", batched.endpoint_id)
    await one_by_one(single, events)
    found = apart(await ending(batched), await ending(single))
    assert not found, found


async def test_an_evening_of_bundles_ends_as_one_by_one(db: str) -> None:
    """Of which an edit, and a comment that came by itself, lie between the events."""
    evening: Evening = [Told(f"buyer{n % 3}", TEXTS[n], f"c{n}", "add", NOW + timedelta(seconds=7 * n), 0) for n in range(12)]
    evening += [Turn(1, 1, bundled=True), Turn(1, 1), Turn(1, 1)]  # comes apart, and two are decided
    evening += [Told(f"buyer{n % 3}", TEXTS[n], f"c{n}", "add", NOW + timedelta(seconds=7 * n), 0) for n in range(12, 20)]
    evening.append(Told("buyer1", "白+1", "c4", "edited", NOW + timedelta(seconds=100), 0))
    batched, single = await a_stage({}), await a_stage({})
    events = await in_batches(batched, evening, handler(batched.services))
    sizes = await database.fetch(
        "select size, outcome from inbox_event where endpoint_id = $1 and external_key like '%+%' order by id", batched.endpoint_id
    )
    assert [tuple(row) for row in sizes] == [(0, "APART"), (18, "VARIOUS")]
    assert [told.verb for told in events].index("edited") == 15
    await one_by_one(single, events)
    found = apart(await ending(batched), await ending(single))
    assert not found, found


@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
)
@given(evening=evenings(), policy=st.sampled_from(POLICIES))
async def test_what_plain_orders_do_not_look_at_changes_nothing(db: str, evening: Evening, policy: dict[str, Any]) -> None:
    events = [step for step in evening if isinstance(step, Told)]
    plain, looking = await a_stage(policy), await a_stage(policy)
    await one_by_one(plain, events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking, "only_more", lambda *args, **named: False)
        await one_by_one(looking, events)
    found = apart(await ending(plain), await ending(looking))
    assert not found, found


async def test_twin_that_never_looks_at_what_a_buyer_has_ends_elsewhere(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with a desk on which nothing lies of what buyers have: who takes an order back is told that there is none."""
    events = [Told("buyer0", text, f"c{n}", "add", NOW + timedelta(seconds=7 * n), 0) for n, text in enumerate(("白+3", "取消"))]
    plain, blind = await a_stage({}), await a_stage({})
    await one_by_one(plain, events)
    monkeypatch.setattr(taking, "only_more", lambda *args, **named: True)
    await one_by_one(blind, events)
    assert apart(await ending(plain), await ending(blind))


RUSH: Evening = [Told(f"buyer{n}", "白+3", f"c{n}", "add", NOW + timedelta(seconds=7 * n), n % 2) for n in range(4)]
"""Four pieces, and four who want three of them; two in each lane."""


async def _ends_apart(evening: Evening, way: Callable[[Way], Way]) -> dict[Literal["batched", "single"], list[str]]:
    batched, single = await a_stage({}), await a_stage({})
    events = await in_batches(batched, evening, way(handler(batched.services)))
    await one_by_one(single, events)
    ends = await ending(batched), await ending(single)
    assert ends[0] != ends[1]
    return {"batched": ends[0]["lines"], "single": ends[1]["lines"]}


async def test_twin_that_loses_the_order_within_a_batch_ends_elsewhere(db: str) -> None:
    """The same, decided from the last event of a batch to its first."""

    def backwards(way: Way) -> Way:
        return lambda tx, rows: way(tx, rows[::-1])

    lines = await _ends_apart(RUSH, backwards)
    assert lines["batched"] != lines["single"]


async def test_twin_that_forgets_what_the_batch_did_before_ends_elsewhere(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with a batch's comments decided each on a desk as it was read."""
    rush = [Told(told.author, "白+1", told.comment, told.verb, told.at, 0) for told in RUSH if isinstance(told, Told)] + [
        Told("buyer0", "取消", "c9", "add", NOW + timedelta(seconds=70), 0)
    ]
    read = loading.fill_desk

    async def of_nothing(tx: Tx, desk: Any, *args: Any, **more: Any) -> None:
        await read(tx, desk, *args, **more)
        desk.lines = _Forgetful()

    monkeypatch.setattr(loading, "fill_desk", of_nothing)
    batched, single = await a_stage({}), await a_stage({})
    events = await in_batches(batched, list(rush), handler(batched.services))
    monkeypatch.undo()
    await one_by_one(single, events)
    assert await ending(batched) != await ending(single)


class _Forgetful(dict[Any, list[Any]]):
    """Lines that nobody finds again, but who writes them."""

    def __missing__(self, key: object) -> list[Any]:
        return self.setdefault(key, [])

    def get(self, key: object, default: Any = None) -> Any:
        return default
