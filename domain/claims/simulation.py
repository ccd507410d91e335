"""What another claim policy would have made of a post's comments, or of pasted ones. Nothing is written, locked or told.

Decided by the worker's own code (`rehearsal.py`), once by the policy in force and once by the candidate. What does not come from comments
is left out: payments, what staff did, deadlines, suggestions that buyers accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain import db
from domain.claims import scenery
from domain.claims.pasted import read_paste
from domain.claims.rehearsal import Decided, Figures, Rehearsal, Scene
from domain.claims.rules import ClaimPolicy, check
from domain.claims.scenery import Cast, Key, Stage
from domain.errors import Unavailable
from domain.posts.queries import VariantFacts

SECONDS: Final = 8.0
"""Longest that a request waits for its simulation, those before it included."""
SLICE_SECONDS: Final = 0.02
PAUSE_SECONDS: Final = 0.005
"""After every slice the loop is given back for so long: other requests of the process go on."""
_one_at_a_time: Final = asyncio.Semaphore(1)


class StockFrom(StrEnum):
    """Which stock the comments begin with."""

    LEVEL = "LEVEL"
    UNLIMITED = "UNLIMITED"


@dataclass(frozen=True, slots=True)
class Difference:
    """A comment that comes out differently."""

    comment_id: UUID | None
    """None for a pasted one."""
    text: str | None
    """None once it was removed."""
    author: str
    written_at: datetime
    before: Decided
    after: Decided


@dataclass(frozen=True, slots=True)
class Simulation:
    """The same comments under the policy in force and under the candidate."""

    policy: ClaimPolicy
    """The candidate."""
    currency: str
    variants: Mapping[UUID, VariantFacts]
    comments: int
    """Comments that were decided."""
    left_out: int
    """Comments of which no text is kept, and those beyond the most that are taken at once."""
    before: Figures
    after: Figures
    same_as_recorded: int | None
    """Decisions of the policy in force that are what the worker stored; None where it stored none, or had another stock."""
    differences: Sequence[Difference]
    """In platform order."""


async def shop_of_post(post_id: UUID) -> UUID | None:
    """The shop that a post belongs to; None for no such post."""
    found: UUID | None = await db.fetchval("select shop_id from sales_post where id = $1", post_id)
    return found


async def simulate(
    *,
    shop_id: UUID,
    post_id: UUID,
    candidate: Callable[[ClaimPolicy], ClaimPolicy],
    pasted: str | None = None,
    stock: StockFrom = StockFrom.LEVEL,
    now: datetime,
    seconds: float = SECONDS,
) -> Simulation:
    """Decide the post's comments (or `pasted` ones, under this post) by the policy in force and by `candidate` of it.

    Raises:
        NotFound: this shop has no such post.
        UnusablePaste: see `read_paste`.
        InvalidPolicy: a shop cannot sell by the candidate.
        Unavailable: not done within `seconds`; one simulation runs at a time.
    """
    slices = Slices(seconds)
    try:
        async with asyncio.timeout(seconds):
            await _one_at_a_time.acquire()
    except TimeoutError:
        raise Unavailable from None
    try:
        return await _simulate(shop_id, post_id, candidate, pasted, stock, now, slices)
    finally:
        _one_at_a_time.release()


async def _simulate(
    shop_id: UUID,
    post_id: UUID,
    candidate: Callable[[ClaimPolicy], ClaimPolicy],
    pasted: str | None,
    stock: StockFrom,
    now: datetime,
    slices: Slices,
) -> Simulation:
    comments, unlimited = None if pasted is None else read_paste(pasted), stock is StockFrom.UNLIMITED
    async with db.transaction() as tx:
        await tx.execute("set transaction isolation level repeatable read, read only")
        stage = await scenery.stage_of(tx, shop_id, post_id)
        policy = check(candidate(stage.policy))
        if comments is None:
            cast = await scenery.written(tx, stage, slices.pause)
        else:
            stage = scenery.without_window(stage)
            cast = await scenery.pasted(stage, comments, now, slices.pause)
        scene = await scenery.scene_of(tx, stage, cast, (stage.policy, policy), stored=comments is None, unlimited=unlimited, now=now)
    before, first = await _rehearsed(stage, scene, stage.policy, slices)
    after, second = await _rehearsed(stage, scene, policy, slices)
    return Simulation(
        policy=policy,
        currency=stage.shop.currency,
        variants=stage.variants,
        comments=len(first),
        left_out=cast.left_out,
        before=before,
        after=after,
        same_as_recorded=None if comments is not None or unlimited else sum(cast.shown[key].recorded == d for key, d in first.items()),
        differences=[_difference(cast, key, d, second[key]) for key, d in first.items() if _differs(d, second[key])],
    )


class Slices:
    """Work in slices of SLICE_SECONDS, the loop being free in between, and with an end.

    The end is looked for between two comments: a statement in hand is not cut off, it has limits of its own.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + seconds
        self._until = self._loop.time() + SLICE_SECONDS

    async def pause(self) -> None:
        """Give the loop back if the slice is over.

        Raises:
            Unavailable: all the time is over.
        """
        if self._loop.time() >= self._until:
            if self._loop.time() >= self._end:
                raise Unavailable
            await asyncio.sleep(PAUSE_SECONDS)
            self._until = self._loop.time() + SLICE_SECONDS


async def _rehearsed(stage: Stage, scene: Scene, policy: ClaimPolicy, slices: Slices) -> tuple[Figures, dict[Key, Decided]]:
    """One run over all events. The desk is dropped before the next run: it is large."""
    rehearsal = Rehearsal(scene, stage.reading(policy))
    for said in scene.said:
        rehearsal.say(said)
        await slices.pause()
    decided: dict[Key, Decided] = {}
    for key, found in rehearsal.decided():
        decided[key] = found
        await slices.pause()
    return rehearsal.figures(), decided


def _differs(before: Decided, after: Decided) -> bool:
    """What a buyer or the shop would notice: how a text was understood on the way to the same end is no difference."""
    return (before.outcome, before.reason, before.lines, before.waiting) != (after.outcome, after.reason, after.lines, after.waiting)


def _difference(cast: Cast, key: Key, before: Decided, after: Decided) -> Difference:
    shown = cast.shown[key]
    return Difference(shown.comment_id, shown.text, shown.author, shown.written_at, before, after)


__all__ = ["SECONDS", "Decided", "Difference", "Figures", "Simulation", "StockFrom", "shop_of_post", "simulate"]
