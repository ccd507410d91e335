"""Realistic data in bulk: `plusone bench seed --orders 1000000`.

Everything goes in by COPY in one transaction, with triggers and foreign keys off, and indexes that guard nothing away, for its length
alone. What triggers would have checked is true by construction (`seed_stories`), and `plusone doctor --invariants` looks at it afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import asyncpg

from benchmarks import seed_orders, seed_world
from benchmarks.frame import BenchRefused
from benchmarks.house import Stopwatch
from benchmarks.seed_rows import Chance, Rows, Target, targets
from benchmarks.seed_world import Plan
from domain import db

LOT: Final = 4_000
"""Orders that are copied at a time."""
AHEAD: Final = 2
"""Lots that may wait for PostgreSQL."""
NUMBERED: Final = ("stock_movement",)
"""Tables whose rising number the generator gives itself."""

PLAIN_INDEXES: Final = """select quote_ident(c.relname) as name, pg_get_indexdef(i.indexrelid) as definition
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
  where t.relnamespace = 'public'::regnamespace and not c.relispartition and t.relname = any($1::text[])
    and not exists (select from pg_constraint k where k.conindid = i.indexrelid) order by 1"""

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a seed has written."""

    orders: int
    rows: int
    seconds: float
    copying_seconds: float
    """Of these, until all rows were in; the rest went to the planner's statistics."""

    @property
    def orders_per_second(self) -> float:
        """With all that belongs to them."""
        return self.orders / self.seconds


@dataclass(frozen=True, slots=True)
class _Lot:
    orders: int
    rows: dict[str, list[str]]


def lots(plan: Plan) -> Iterator[_Lot]:
    """All rows of a plan, a lot at a time; orders in each."""
    chance, rows = Chance(plan.seed), Rows()
    world = seed_world.build(plan, chance, rows)
    last = 0
    for count in seed_orders.write(world, chance, rows):
        if count % LOT == 0:
            yield _Lot(count - last, rows.take())
            last = count
    seed_world.write_levels(world, chance, rows)
    yield _Lot(plan.orders - last, rows.take())


async def seed(dsn: str, plan: Plan, *, told: Told = lambda _: None) -> Seeded:
    """Fill a migrated database that has no shops yet; `told` hears how many orders went in since the last time.

    Raises:
        BenchRefused: the database has shops, or this user may not switch its triggers off.
    """
    watch = Stopwatch()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(**db.credentials(dsn), timeout=10)
    try:
        if await connection.fetchval("select exists (select from shop) or exists (select from member)"):
            raise BenchRefused("This database has shops or members already: seed an empty one.")
        async with connection.transaction():
            try:
                await connection.execute("set local session_replication_role = replica; set local maintenance_work_mem = '512MB'")
            except asyncpg.InsufficientPrivilegeError:
                raise BenchRefused("This user may not switch triggers off: seed as a superuser.") from None
            written = await _fill(connection, plan, told)
        copying = watch.seconds
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()
    return Seeded(plan.orders, written, watch.seconds, copying)


async def _fill(connection: asyncpg.Connection[Any], plan: Plan, told: Told) -> int:
    """Copy all rows; the indexes are made once they are in, which is half the work of keeping them up meanwhile."""
    into, written = await targets(connection), 0
    indexes = await connection.fetch(PLAIN_INDEXES, list(into))
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    # Tables that are new in this transaction need no log of each row where the server keeps none for replicas.
    await connection.execute("truncate " + ", ".join(f'"{table}"' for table in into) + " cascade")
    async for lot in _made_apart(plan):
        for table, rows in lot.rows.items():
            if rows and table in into:
                await _copy(connection, into[table], rows)
                written += len(rows)
        told(lot.orders)
    await _set_numbers(connection)
    for index in indexes:
        await connection.execute(index["definition"])
    return written


async def _copy(connection: asyncpg.Connection[Any], target: Target, rows: list[str]) -> None:
    await connection.copy_to_table(
        target.table, source=BytesIO(target.text(rows)), columns=list(target.columns), format="text", freeze=target.is_plain
    )


async def _made_apart(plan: Plan) -> AsyncIterator[_Lot]:
    """The lots, made by a thread while PostgreSQL takes in the one before."""
    ready: queue.Queue[_Lot | BaseException | None] = queue.Queue(AHEAD)
    given_up = threading.Event()

    def put(one: _Lot | BaseException | None) -> None:
        while not given_up.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(one, timeout=0.2)
                return

    def make() -> None:
        try:
            for lot in lots(plan):
                put(lot)
                if given_up.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    maker = threading.Thread(target=make, name="seed", daemon=True)
    maker.start()
    try:
        while (lot := await asyncio.to_thread(ready.get)) is not None:
            if isinstance(lot, BaseException):
                raise lot
            yield lot
    finally:
        given_up.set()
        maker.join()


async def _set_numbers(connection: asyncpg.Connection[Any]) -> None:
    """The next numbers of tables that were numbered here, and of shops."""
    for table in NUMBERED:
        await connection.execute(f"select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))")
    await connection.execute("select setval('shop_number', (select max(number) from shop))")
