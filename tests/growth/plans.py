"""How statements run: each is explained, with its real parameters, on its own connection, at the very moment it is about to run.

    with explained() as seen:
        await client.get(HOME)
    assert refused(seen) == {}

The tables of a test are small, and PostgreSQL is right to read a small table whole. So it is asked for the plan that it would take if they
were large: sequential scans, hash and merge joins are switched off for the explaining alone, which leaves them only where nothing
else is possible. `explain analyze` runs the statement in a savepoint that is rolled back, so the counts are those of real rows, and what the
statement does is done once, by the statement itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncpg.connection import Connection

from domain.db.lending import Pool

METHODS = ("fetch", "fetchrow", "fetchval", "execute")
PLANNED = re.compile(r"\s*(with|select|insert|update|delete)\b", re.IGNORECASE)
LARGE = "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off"

SMALL = {
    "shop": "one row per shop, read by key",
    "legal_move": "the transition tables: some sixty rows",
    "payment_account": "one or two rows per shop that takes money online",
    "webhook_endpoint": "a few rows per deployment",
    "signing_key": "a few rows per year",
    "lane_tries": "lanes that are failing right now",
    "inbox_undecided": "events that wait to be decided",
    "login_attempt": "sign-ins of the last hours; swept hourly",
    "seen_token": "sign-ins of the last hours; swept hourly",
    "guess_count": "guesses of the last hours; swept hourly",
    "tortoise_migrations": "one row per migration",
    "pgqueuer": "jobs that wait; the library's own",
    "pgqueuer_log": "three days; the library's own",
    "pgqueuer_schedules": "one row per schedule; the library's own",
    "pgqueuer_statistics": "the library's own; nothing is written to it",
}
"""Tables that no history makes long, and why. Every other table grows."""

IN_HAND = {
    "order_expiry": "open orders that nobody has paid yet",
    "payment_attempt_to_ask": "attempts to pay that are still open",
    "payment_attempt_pending": "attempts to pay that are still open",
    "payment_attempt_surplus": "money that waits to go back",
    "shipment_reminder": "parcels in a store whose last day was not yet told",
    "push_due": "pushes that wait to be sent",
    "reply_pending": "replies that wait to be sent",
    "sign_in_alert_waiting": "alerts that wait to be sent",
    "provider_grant_due": "grants of deleted members that wait for Apple",
    "inbox_parked": "events that wait for a person, a year at most",
}
"""Partial indexes whose rows leave when the work is done: they may be walked, for no history makes them long."""

MOST_SORTED = 101
"""Rows that one sort may take in: the largest page and the row that tells of the next one. The busiest of the seed have many times that."""
LOT = 500
"""The same for a worker, which takes its work in lots."""
MOST_READ = 1_600
"""Rows that one place of a plan may visit: a lot of a worker, or a page of a hundred with its lines. The busiest shop has more orders."""
THROWN_AWAY = 4
"""Rows that a filter may drop for each that it keeps ..."""
SLACK = 200
"""... beyond so many that are never worth an index."""


@dataclass(frozen=True, slots=True)
class Place:
    """One node of a plan, with totals over all its loops."""

    kind: str
    table: str
    index: str
    condition: str
    filter: str
    rows: float
    dropped: float
    loops: int
    inputs: tuple[Place, ...] = ()

    def everywhere(self) -> Iterator[Place]:
        """This one and all below."""
        yield self
        for each in self.inputs:
            yield from each.everywhere()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that ran, its parameters, and the plan it had."""

    sql: str
    args: Sequence[Any]
    plan: Place

    @property
    def name(self) -> str:
        """Its text on one line."""
        return " ".join(self.sql.split())


@dataclass(slots=True)
class Seen:
    """What ran in a block."""

    statements: list[Statement] = field(default_factory=list)
    busy: bool = False


def read(node: Mapping[str, Any]) -> Place:
    """A node of `explain (analyze, format json)`."""
    loops = int(node.get("Actual Loops", 0))
    dropped = sum(
        float(node.get(name, 0)) for name in ("Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")
    )
    inputs = tuple(read(child) for child in node.get("Plans", ()))
    index = node.get("Index Name", "") or next((one.index for one in inputs if one.kind == "Bitmap Index Scan"), "")
    return Place(
        node["Node Type"], node.get("Relation Name", ""), index, node.get("Index Cond", ""), node.get("Filter", ""),
        float(node.get("Actual Rows", 0)) * loops, dropped * loops, loops, inputs,
    )  # fmt: skip


@contextmanager
def explained() -> Iterator[Seen]:
    """Explain every statement that runs in this block, over all connections of the process, right before it runs. One that begins with a comment is not of interest."""
    seen = Seen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "known", lambda *_: None)  # a screen's statement takes asyncpg's method as well
        for name in METHODS:
            patch.setattr(Connection, name, _explaining(getattr(Connection, name), Connection.fetchval, Connection.execute, seen))
        yield seen


class _RollBack(Exception):
    pass


def _explaining(method: Callable[..., Any], fetchval: Callable[..., Any], execute: Callable[..., Any], seen: Seen) -> Callable[..., Any]:
    async def run(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        if PLANNED.match(query) and not seen.busy and "set_config" not in query:
            seen.busy = True
            try:
                seen.statements.append(Statement(query, args, await plan_of(self, query, args, fetchval=fetchval, execute=execute)))
            finally:
                seen.busy = False
        return await method(self, query, *args, **kwargs)

    return run


async def plan_of(connection: Any, sql: str, args: Sequence[Any], *, fetchval: Callable[..., Any], execute: Callable[..., Any]) -> Place:
    """The plan of a statement that runs now and is rolled back."""
    found = ""
    try:
        async with connection.transaction():
            await execute(connection, LARGE)
            found = await fetchval(connection, f"explain (analyze, timing off, summary off, format json) {sql}", *args)
            raise _RollBack
    except _RollBack:
        pass
    return read(json.loads(found)[0]["Plan"])


def problems(plan: Place, most_sorted: int = MOST_SORTED) -> list[str]:
    """What of this plan gets slower as the tables grow."""
    found = []
    for place in plan.everywhere():
        if place.kind in ("Sort", "Incremental Sort"):
            rows = sum(one.rows / max(one.loops, 1) for one in place.inputs)
            if rows > most_sorted:
                found.append(f"sorts {rows:.0f} rows")
        if not place.table or place.table in SMALL:
            continue
        visited = place.rows + place.dropped
        if place.kind == "Seq Scan" and place.loops:
            found.append(f"reads {place.table} whole")
        elif (
            place.kind in ("Index Scan", "Index Only Scan") and not place.condition and visited > most_sorted and place.index not in IN_HAND
        ):
            found.append(f"walks {place.index}")
        if place.dropped > max(SLACK, THROWN_AWAY * place.rows):
            found.append(f"drops {place.dropped:.0f} of {visited:.0f} rows of {place.table} ({place.index}): {place.filter}")
        elif place.loops and visited > MOST_READ:
            found.append(f"visits {visited:.0f} rows of {place.table} ({place.index})")
    return found


def refused(seen: Seen, most_sorted: int = MOST_SORTED) -> dict[str, list[str]]:
    """Statements whose plans have problems, with them."""
    return {one.name: what for one in seen.statements if (what := problems(one.plan, most_sorted))}
