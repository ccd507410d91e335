"""Changes of stock: one conditional UPDATE of the level and its ledger row, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.jobs import RESTOCKED, JobQueue
from domain.stock.errors import InsufficientStock, OverLimit, VersionConflict
from domain.stock.rules import AdjustReason, Level, MovementKind, SellBeyond

MAX_PIECES: Final = 1_000_000_000
"""Most pieces of one variant on hand: sums of two levels still fit the column."""
KIND_OF_REASON: Final = {AdjustReason.RECEIPT: MovementKind.RECEIVED, AdjustReason.COUNT: MovementKind.COUNTED}
"""The ledger's kind for a change by staff; ADJUSTED for all other reasons."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one order line does to its variant's level, in pieces (signed)."""

    shop_id: UUID
    variant_id: UUID
    order_line_id: UUID
    on_hand: int = 0
    held: int = 0
    committed: int = 0


class OutOfStep(AssertionError):
    """A level does not hold what the orders say it holds: a broken invariant, never an answer to a buyer."""


_LOCK: Final = """select variant_id, on_hand, held, committed, backorder_limit from stock_level
  where variant_id = any($1::uuid[]) order by variant_id for update"""

_APPLY: Final = """
with wanted as (
  select shop_id, variant_id, sum(on_hand)::int as on_hand, sum(held)::int as held, sum(committed)::int as committed
  from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[]) m(shop_id, variant_id, on_hand, held, committed)
  group by shop_id, variant_id)
update stock_level l
set on_hand = l.on_hand + w.on_hand, held = l.held + w.held, committed = l.committed + w.committed, version = l.version + 1
from wanted w
where l.variant_id = w.variant_id and l.shop_id = w.shop_id
  and l.on_hand + w.on_hand >= 0 and l.held + w.held >= 0 and l.committed + w.committed >= 0
  and l.held + w.held + l.committed + w.committed <= l.on_hand + w.on_hand + l.backorder_limit
returning l.variant_id, l.on_hand, l.held, l.committed, l.backorder_limit"""

_LEDGER: Final = """
insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, order_line_id, actor, reason, at)
select shop_id, variant_id, $1, on_hand, held, committed, line_id, $2, $3, $4
from unnest($5::uuid[], $6::uuid[], $7::int[], $8::int[], $9::int[], $10::uuid[]) m(shop_id, variant_id, on_hand, held, committed, line_id)"""


def _level(row: Record) -> Level:
    return Level(row["on_hand"], row["held"], row["committed"], row["backorder_limit"])


async def lock_levels(tx: Tx, variant_ids: Sequence[UUID]) -> dict[UUID, Level]:
    """Lock the levels of these variants in key order and answer their figures."""
    return {row["variant_id"]: _level(row) for row in await tx.fetch(_LOCK, sorted(set(variant_ids)))}


async def move(tx: Tx, kind: MovementKind, moves: Sequence[Move], *, actor: Actor, now: datetime) -> Mapping[UUID, Level]:
    """Apply the moves of many lines at once, with a ledger row per line; answers the new levels. The levels must be locked already.

    Raises:
        OutOfStep: a level has no room for its move.
    """
    if not moves:
        return {}
    shops, variants = [m.shop_id for m in moves], [m.variant_id for m in moves]
    deltas = [m.on_hand for m in moves], [m.held for m in moves], [m.committed for m in moves]
    rows = await tx.fetch(_APPLY, shops, variants, *deltas)
    if len(rows) != len(set(variants)):
        moved = {row["variant_id"] for row in rows}
        raise OutOfStep(f"{kind} does not fit the levels of {sorted(str(v) for v in set(variants) - moved)}")
    await tx.execute(_LEDGER, kind.value, actor.name, "", now, shops, variants, *deltas, [m.order_line_id for m in moves])
    return {row["variant_id"]: _level(row) for row in rows}


async def restocked(tx: Tx, shop_id: UUID, variant_ids: Sequence[UUID], *, jobs: JobQueue) -> None:
    """Leave word that pieces of these variants became free: paid orders that wait, then the waiting list."""
    if variant_ids:
        await jobs.enqueue(tx, RESTOCKED, [{"shop_id": str(shop_id), "variants": [str(v) for v in sorted(set(variant_ids))]}])


async def receive_first(
    tx: Tx,
    *,
    shop_id: UUID,
    variant_id: UUID,
    on_hand: int,
    sell_beyond: SellBeyond = SellBeyond.DENY,
    backorder_limit: int = 0,
    actor: Actor,
    now: datetime,
) -> Level:
    """Open the books of a new variant with the pieces there are.

    Raises:
        OverLimit: more pieces than a level counts.
    """
    if on_hand > MAX_PIECES or backorder_limit > MAX_PIECES:
        raise OverLimit(variant_id, MAX_PIECES)
    await tx.execute(
        """insert into stock_level (variant_id, shop_id, on_hand, held, committed, waiting, sell_beyond, backorder_limit, version)
           select $1, $2, $3, 0, 0, coalesce(sum(w.quantity), 0), $4, $5, 1
           from waitlist_entry w where w.variant_id = $1 and w.state = 'WAITING'""",
        variant_id,
        shop_id,
        on_hand,
        sell_beyond.value,
        backorder_limit,
    )
    await _book(tx, shop_id, variant_id, on_hand, MovementKind.RECEIVED, AdjustReason.RECEIPT, actor=actor, now=now)
    await record(tx, actor, [Entry(shop_id, "stock.receive", "variant", variant_id, {"on_hand": on_hand})], now=now)
    return Level(on_hand, 0, 0, backorder_limit)


async def adjust(
    *, shop_id: UUID, variant_id: UUID, delta: int, reason: AdjustReason, actor: Actor, now: datetime, jobs: JobQueue
) -> Level:
    """Add pieces to the goods on hand, or take some away; a delta of 0 changes nothing.

    Raises:
        NotFound: this shop has no such variant.
        InsufficientStock: pieces that are gone, or that orders hold, cannot be taken away.
        OverLimit: more pieces than a level counts.
    """
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            """update stock_level set on_hand = on_hand + $3::bigint, version = version + 1
               where shop_id = $1 and variant_id = $2 and on_hand + $3::bigint between 0 and $4
                 and held::bigint + committed <= on_hand + $3::bigint + backorder_limit
               returning on_hand, held, committed, backorder_limit""",
            shop_id,
            variant_id,
            delta,
            MAX_PIECES,
        )
        if row is None:
            raise await _refusal(tx, shop_id, variant_id, delta)
        if delta:
            await _tell(tx, "stock.adjust", shop_id, variant_id, delta, reason, _level(row), actor=actor, now=now, jobs=jobs)
        return _level(row)


async def set_quantity(
    *,
    shop_id: UUID,
    variant_id: UUID,
    quantity: int,
    change_from_quantity: int,
    reason: AdjustReason,
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> Level:
    """Set the goods on hand to what was counted, if they still are what the counter saw before.

    Raises:
        NotFound: this shop has no such variant.
        VersionConflict: other pieces are on hand than `change_from_quantity`.
        InsufficientStock: orders hold more than would be left.
        OverLimit: more pieces than a level counts.
    """
    delta = quantity - change_from_quantity
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            """update stock_level set on_hand = $3, version = version + 1
               where shop_id = $1 and variant_id = $2 and on_hand = $4::bigint and $3 between 0 and $5
                 and held::bigint + committed <= $3::bigint + backorder_limit
               returning on_hand, held, committed, backorder_limit""",
            shop_id,
            variant_id,
            max(-1, min(quantity, MAX_PIECES + 1)),
            change_from_quantity,
            MAX_PIECES,
        )
        if row is None:
            raise await _refusal(tx, shop_id, variant_id, delta, expected=change_from_quantity)
        if delta:
            await _tell(tx, "stock.set", shop_id, variant_id, delta, reason, _level(row), actor=actor, now=now, jobs=jobs)
        return _level(row)


async def _tell(
    tx: Tx,
    action: str,
    shop_id: UUID,
    variant_id: UUID,
    delta: int,
    reason: AdjustReason,
    level: Level,
    *,
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Ledger, audit, and word to those who wait when pieces were added."""
    await _book(tx, shop_id, variant_id, delta, KIND_OF_REASON.get(reason, MovementKind.ADJUSTED), reason, actor=actor, now=now)
    detail = {"delta": delta, "reason": reason.value, "on_hand": level.on_hand}
    await record(tx, actor, [Entry(shop_id, action, "variant", variant_id, detail)], now=now)
    if delta > 0:
        await restocked(tx, shop_id, [variant_id], jobs=jobs)


async def _book(
    tx: Tx, shop_id: UUID, variant_id: UUID, delta: int, kind: MovementKind, reason: AdjustReason, *, actor: Actor, now: datetime
) -> None:
    await tx.execute(
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
           values ($1, $2, $3, $4, 0, 0, $5, $6, $7)""",
        shop_id,
        variant_id,
        kind.value,
        delta,
        actor.name,
        reason.value,
        now,
    )


async def _refusal(tx: Tx, shop_id: UUID, variant_id: UUID, delta: int, *, expected: int | None = None) -> Exception:
    """Why the conditional UPDATE found no row."""
    row = await tx.fetchrow(
        "select on_hand, held, committed, backorder_limit from stock_level where shop_id = $1 and variant_id = $2", shop_id, variant_id
    )
    if row is None:
        return NotFound()
    level = _level(row)
    if expected is not None and level.on_hand != expected:
        return VersionConflict(variant_id, expected, level.on_hand)
    if delta > 0:
        return OverLimit(variant_id, MAX_PIECES)
    return InsufficientStock(variant_id, wanted=-delta, available=max(min(level.on_hand, level.available), 0))
