"""Old movements of stock: summed up in one BALANCE per variant and moved to the archive, in one transaction.

A line's movements leave together, once all are old and they hold nothing any more, so the live table says of every line what it holds. With the
BALANCE the live table adds up to the levels; live and archive without the BALANCEs (`stock_ledger`) do too. The tables see to it: see migration 0004.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain import db
from domain.db import Record, Tx

ACTOR: Final = "worker:upkeep"

PAGE: Final = """select id, variant_id, order_line_id, at < $2 and kind <> 'BALANCE' as old from stock_movement
  where id > $1 order by id limit $3"""
LOCK: Final = "select variant_id from stock_level where variant_id = any($1::uuid[]) order by variant_id for update skip locked"
OVER: Final = """
select order_line_id as id from stock_movement where order_line_id = any($1::uuid[]) group by 1
having bool_and(at < $3 and variant_id = any($2::uuid[])) and sum(held_delta) = 0 and sum(committed_delta) = 0"""
"""Lines whose movements are all old, of locked variants ($2), and hold nothing any more."""
CHOSEN: Final = """
select id, variant_id from stock_movement where id = any($1::bigint[]) and variant_id = any($2::uuid[])
union all
select id, variant_id from stock_movement where order_line_id = any($3::uuid[])"""
BALANCES: Final = "select id from stock_movement where kind = 'BALANCE' and variant_id = any($1::uuid[])"
MONTHS: Final = """select movement_archive_month(k.month) from (
  select distinct date_trunc('month', at at time zone 'UTC')::date as month from stock_movement where id = any($1::bigint[]) order by 1) k"""
COPY: Final = "insert into stock_movement_archive select * from stock_movement where id = any($1::bigint[])"
CARRY: Final = """
insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
select shop_id, variant_id, 'BALANCE', sum(on_hand_delta), sum(held_delta), sum(committed_delta), $2, 'CARRIED', $3
from stock_movement where id = any($1::bigint[]) group by shop_id, variant_id order by variant_id"""
LEAVE: Final = "delete from stock_movement where id = any($1::bigint[])"


async def archive_movements(*, before: datetime, now: datetime, lot: int, lots: int) -> int:
    """Archive movements older than `before`, `lot` rows looked at in a transaction; answers how many left the ledger.

    A variant whose level somebody has locked (an order is being written) is left for the next time.
    """
    total, after = 0, 0
    for _ in range(lots):
        rows = await db.fetch(PAGE, after, before, lot)
        old = [row for row in rows if row["old"]]
        if not old:
            break
        after = rows[-1]["id"]
        async with db.transaction() as tx:
            total += await _archive(tx, old, before, now)
    return total


async def _archive(tx: Tx, old: Sequence[Record], before: datetime, now: datetime) -> int:
    """One transaction's worth. While a level is locked nobody writes a movement of its variant."""
    locked = [row["variant_id"] for row in await tx.fetch(LOCK, sorted({row["variant_id"] for row in old}))]
    lines = {row["order_line_id"] for row in old if row["order_line_id"] is not None}
    over = [row["id"] for row in await tx.fetch(OVER, sorted(lines), locked, before)]
    chosen = await tx.fetch(CHOSEN, [row["id"] for row in old if row["order_line_id"] is None], locked, over)
    if not chosen:
        return 0
    balances = await tx.fetch(BALANCES, sorted({row["variant_id"] for row in chosen}))
    leaving = [row["id"] for row in (*chosen, *balances)]
    await tx.execute(MONTHS, leaving)
    await tx.execute(COPY, leaving)
    await tx.execute(CARRY, leaving, ACTOR, now)
    await tx.execute(LEAVE, leaving)
    return len(chosen)
