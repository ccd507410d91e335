"""The lane drain: one post or conversation at a time, in platform order, a batch in one transaction, narrowing on poison.

A lane is claimed by a transaction-scoped advisory lock, so many workers on many machines share the work without a leader, and a killed worker
lets go at once. Tries are counted on a connection of their own before the batch starts: a batch that kills its worker counts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import structlog

from domain import db
from domain.db import Tx
from domain.inbox.bundles import MOST
from domain.inbox.rules import NARROWING, TRIES_BEFORE_PARKING, batch_limit
from domain.inbox.taken import InboxRow, Verdict, close, take

log = structlog.get_logger(__name__)

NOT_THE_BATCH: tuple[type[BaseException], ...] = (
    *db.AWAY,
    *db.CONTENTION,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""Errors that say nothing about the events: database away, locks in the way, disk full. They count as no try, so that nothing is parked."""
HANDLE_SECONDS = 30.0
"""A batch that takes longer is cut: it counts as a failed try."""
LOCK_SPACE = 77

LANES = """
with recursive l as (
  (select lane from inbox_undecided where lane > $1 order by lane limit 1)
  union all
  select (select i.lane from inbox_undecided i where i.lane > l.lane order by i.lane limit 1) from l where l.lane is not null)
select lane from l where lane is not null limit $2
"""
"""The next lanes in which something waits: one step into the index for each, over what was decided there since the last vacuum."""
FREE_LANE = "select lane from unnest($1::bigint[]) lane where pg_try_advisory_xact_lock($2::bigint # lane) limit 1"
"""The first of these that nobody else has in hand; ours from now on."""
COUNT_TRY = """
with soon as materialized (select set_config('synchronous_commit', 'off', true))
insert into lane_tries (lane, tries) select $1, 1 from soon on conflict (lane) do update set tries = lane_tries.tries + 1 returning tries
"""
"""Tries outlive a killed worker, and need not outlive a power cut: nobody waits for the disk."""
SMALLEST = -(2**63)
LANES_AHEAD = 64


Handle = Callable[[Tx, Sequence[InboxRow]], Awaitable[Sequence[Verdict]]]
"""Decides a batch, or its beginning: events at its end of which it says nothing wait for the lane's next transaction."""


@dataclass(slots=True)
class Cursor:
    """Where this worker's round over the lanes stands, and those that come next, as they were when it last looked."""

    lane: int = SMALLEST
    ahead: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drained:
    """One batch: how many events, and their outcomes. `full`: it could take no more."""

    lane: int
    verdicts: Sequence[Verdict]
    full: bool = False


async def drain_one(
    cursor: Cursor,
    handle: Handle,
    *,
    now: Callable[[], datetime],
    most: int = NARROWING[0],
    ripe: Callable[[int], bool] = lambda _: True,
    claimed: Callable[[], None] = lambda: None,
) -> Drained | None:
    """Claim the next lane and decide one batch of it; None when no lane is free. `ripe`: whether a lane may be taken up now.

    `claimed` is called once a lane is found, before its batch is decided: from then on the cursor may be somebody else's.

    Raises:
        Whatever `handle` raised, after the try was counted; the lane's next batch is smaller. Errors of NOT_THE_BATCH are not counted.
    """
    async with db.transaction() as tx:
        lane = await _claim(tx, cursor, ripe)
        if lane is None:
            return None
        claimed()
        tries = await _count_try(lane)
        await tx.by_keys()
        limit = min(batch_limit(tries), most)
        taken = await take(tx, lane, limit)
        rows = taken.rows
        if not rows:
            await _forget(tx, lane, 0)
            return Drained(lane, ())
        if taken.bundles and (limit < MOST or taken.tangled):
            await close(tx, taken, (), now())
            await _uncount(lane)
            return Drained(lane, (), full=True)
        if tries >= len(NARROWING) - 1 + TRIES_BEFORE_PARKING:
            verdicts: Sequence[Verdict] = [Verdict(rows[0].id, "POISON", "the handler failed on this event alone, again and again")]
        else:
            async with asyncio.timeout(HANDLE_SECONDS):
                verdicts = await _handled(handle, tx, rows, lane, tries)
        await close(tx, taken, verdicts, now())
        await _forget(tx, lane, tries)
    return Drained(lane, verdicts, full=len(rows) >= limit or len(verdicts) < len(rows))


async def _handled(handle: Handle, tx: Tx, rows: Sequence[InboxRow], lane: int, tries: int) -> Sequence[Verdict]:
    try:
        verdicts = await handle(tx, rows)
        told = {verdict.event_id for verdict in verdicts}
        if not told or len(told) != len(verdicts) or told != {row.id for row in rows[: len(told)]}:
            raise AssertionError("the handler must say of every event what became of it, or of the first ones")
        return verdicts
    except NOT_THE_BATCH:
        await _uncount(lane)
        raise
    except Exception:
        log.exception("inbox.batch_failed", lane=lane, events=[r.id for r in rows][:20], tries=tries + 1)
        raise


async def _claim(tx: Tx, cursor: Cursor, ripe: Callable[[int], bool]) -> int | None:
    """The next lane of the round that is free and ripe. Lanes are looked up for a round at a time."""
    for look in (False, True):
        if look:
            cursor.ahead = await _lanes(tx, cursor.lane)
        wanted = [lane for lane in cursor.ahead if ripe(lane)]
        lane = await tx.fetchval(FREE_LANE, wanted, LOCK_SPACE << 32) if wanted else None
        if lane is not None:
            cursor.lane = lane
            del cursor.ahead[: cursor.ahead.index(lane) + 1]
            return int(lane)
    return None


async def _lanes(tx: Tx, after: int) -> list[int]:
    """Lanes in which something waits, those after this one first; after the last one the first comes again."""
    found = [row["lane"] for row in await tx.fetch(LANES, after, LANES_AHEAD)]
    if after != SMALLEST and len(found) < LANES_AHEAD:
        found += [row["lane"] for row in await tx.fetch(LANES, SMALLEST, LANES_AHEAD) if row["lane"] <= after]
    return found


async def _count_try(lane: int) -> int:
    """Count a try before it starts, committed on its own; answers how many failed before it."""
    return int(await db.fetchval_apart(COUNT_TRY, lane)) - 1


async def _uncount(lane: int) -> None:
    try:
        await db.fetchval_apart("update lane_tries set tries = greatest(tries - 1, 0) where lane = $1", lane)
    except db.AWAY:
        log.info("inbox.database_away", lane=lane)


async def _forget(tx: Tx, lane: int, tries: int) -> None:
    """A clean batch: back to full size at once, or one step wider while narrowing (the poison may still lie ahead)."""
    if tries <= 1:
        await tx.execute("delete from lane_tries where lane = $1", lane)
    else:
        await tx.execute("update lane_tries set tries = $2 where lane = $1", lane, min(tries, len(NARROWING)) - 1)
