"""The buyer's screens four ways, side by side: by hand with JSON of PostgreSQL, by hand with rows and orjson, the ordinary way, and ours.

All are started at once, each on the same core in turn; windows of load alternate between them, so that what the machine does besides
falls on all alike. Their answers are compared before anything is timed. PostgreSQL and the load generator share the other core: what
exceeds its reach is bound by it, which is why processor time per request stands beside requests per second.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import orjson

from api.auth.tokens import issue_access
from benchmarks import house, load, seed
from benchmarks.frame import Bench, BenchRefused, Run
from benchmarks.house import Child, Database
from benchmarks.screens import DOCUMENTS, Same
from benchmarks.seed_world import Plan
from domain import db
from domain.members import keys
from domain.vault import Vault

ISSUER: Final = "http://127.0.0.1:8000"
COMPARED: Final = 40
"""Members whose answers are compared."""
WARM_SECONDS: Final = 20.0
WRONG: Final = b'"errors"'
OURS, BY_JSON, BY_ROWS, ORDINARY = "ours: /graphql", "by hand, JSON by PostgreSQL", "by hand, rows and orjson", "ordinary: loaders and ORM"
BARS: Final = {"throughput": 0.75, "ordinary": 20.0, "cpu": 3.5}


@dataclass(frozen=True, slots=True)
class Who:
    """A member with an access token."""

    id: UUID
    token: str


@dataclass(slots=True)
class Way:
    """One way to answer a screen, and what was measured of it."""

    name: str
    child: Child
    deck: load.Deck
    bad: bytes = b""
    window: load.Window = field(default_factory=load.Window)
    web_seconds: float = 0.0
    server_seconds: float = 0.0
    others_seconds: float = 0.0
    """Used by whatever else ran on the machine."""

    def each_ms(self, seconds: float) -> float:
        """Milliseconds per answer."""
        return seconds * 1000 / self.window.answered if self.window.answered else float("nan")


async def measure(
    run: Run, *, orders: int, members: int, shops: int, screens: Sequence[str], connections: Sequence[int], rounds: int, seconds: float
) -> None:
    """See the module."""
    async with house.database(run, durable=False, connect=4) as database, AsyncExitStack() as stack:
        base = stack.enter_context(house.folder())
        await seeded(run, database, Plan(orders, members, shops, datetime.now(UTC).replace(microsecond=0)))
        with run.step("starting the servers"):
            children = await _servers(stack, database, base)
            people = await signed_in(min(members, 2_000))
            generator = await stack.enter_async_context(load.generator())
        _pin(children, database, generator.pid)
        for screen in screens:
            with run.step(f"{screen}: comparing answers"):
                await _compare(children, screen, people[:COMPARED])
            for count in connections:
                people = await signed_in(len(people))
                ways = [_way(name, child, screen, people, base) for name, child in children.items()]
                with run.step(f"{screen}, {count} connection(s)", rounds * len(ways)) as moved:
                    await _windows(ways, generator, database, count, rounds, seconds, moved)
                _tell(run, screen, count, ways)
    run.note(f"{orders:,} orders, {members:,} members, {shops:,} shops. All check the access token and its session by the same function.")
    run.note("Web processes on one core in turn, PostgreSQL and the load generator on another. Requests are not logged by any of them.")


async def seeded(run: Run, database: Database, plan: Plan) -> None:
    """Fill the run's database."""
    with run.step(f"seeding {plan.orders:,} orders", plan.orders) as moved:
        done = await seed.seed(database.dsn, plan, told=moved)
    run.figure(f"seeding {plan.orders:,} orders", done.orders_per_second, "orders/s")


async def _servers(stack: AsyncExitStack, database: Database, base: Path) -> dict[str, Child]:
    hand = await stack.enter_async_context(house.child("benchmarks.hand_written", dsn=database.dsn, base=base))
    other = await stack.enter_async_context(house.child("benchmarks.ordinary", dsn=database.dsn, base=base))
    ours = await stack.enter_async_context(house.child("plusone", "serve", dsn=database.dsn, base=base))
    return {BY_JSON: hand, BY_ROWS: hand, ORDINARY: other, OURS: ours}


def _pin(children: dict[str, Child], database: Database, generator: int) -> None:
    cores = house.cores()
    if len(cores) < 2:
        return
    for child in children.values():
        house.pin(child.pid, cores[:1])
    house.pin(database.postmaster, cores[1:2])
    house.pin(generator, cores[2:] or cores[1:2])


async def signed_in(count: int) -> list[Who]:
    """Members of the seed with fresh access tokens, which are good for ten minutes."""
    keys.sign_with(Vault(house.SECRET_KEY))
    now = datetime.now(UTC)
    rows = await db.fetch("select id, member_id from session where installation_id like 'seed-%' order by member_id limit $1", count)
    return [Who(row["member_id"], (await issue_access(row["member_id"], row["id"], 1, issuer=ISSUER, now=now)).text) for row in rows]


def request_of(way: str, screen: str, who: Who) -> bytes:
    """The request of one member for this screen."""
    signed = {"authorization": f"Bearer {who.token}", "accept-language": "zh-TW"}
    if way == BY_JSON:
        return load.get(f"/json/{screen}", signed)
    if way == BY_ROWS:
        return load.get(f"/rows/{screen}", signed)
    body = orjson.dumps({"query": DOCUMENTS[screen]})
    if way == ORDINARY:
        return load.post("/graphql", body, signed)
    return load.post("/graphql", body, {**signed, "accept": "application/graphql-response+json"})


def _way(name: str, child: Child, screen: str, people: Sequence[Who], base: Path) -> Way:
    mixed = random.Random(7).sample(people, len(people))
    deck = load.Deck.of(base / f"{screen}-{abs(hash(name))}.deck", [request_of(name, screen, who) for who in mixed])
    return Way(name, child, deck, b"" if name in (BY_JSON, BY_ROWS) else WRONG)


async def _compare(children: dict[str, Child], screen: str, people: Sequence[Who]) -> None:
    """All ways say the same to the same member.

    Raises:
        BenchRefused: they do not.
    """
    same = Same(words=True), Same(words=False)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for who in people:
            found = {name: await _asked(client, child, name, screen, who) for name, child in children.items()}
            ours = found[OURS]
            for name, answer in found.items():
                rule = same[1] if name == BY_JSON else same[0]
                if rule.of(answer) != rule.of(ours):
                    raise BenchRefused(f"{screen}: “{name}” answers otherwise than “{OURS}”; there is nothing to compare")


async def _asked(client: httpx.AsyncClient, child: Child, way: str, screen: str, who: Who) -> Any:
    head, _, body = request_of(way, screen, who).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith(("host", "content-length")))
    response = await client.request(method, f"{child.url}{path}", content=body, headers=headers)
    if response.status_code != httpx.codes.OK or '"errors"' in response.text:
        raise BenchRefused(f"{screen}: “{way}” answers {response.status_code} {response.text[:300]}. Its last words:\n{child.last_words()}")
    answer = orjson.loads(response.content)
    return answer["data"]["me"] if "data" in answer else answer


async def _windows(
    ways: Sequence[Way], generator: load.Generator, database: Database, connections: int, rounds: int, seconds: float, moved: Any
) -> None:
    """Every way has its deck once to warm up (caches of tokens, statements and documents), then windows in turn."""
    for way in ways:
        limit = WARM_SECONDS if way.name != ORDINARY else min(WARM_SECONDS, seconds)
        await generator.window(way.child, way.deck, connections=8, seconds=limit, once=True, bad=way.bad)
    for number in range(rounds):
        for way in (*ways[number % len(ways) :], *ways[: number % len(ways)]):
            before = _used(way.child, database, generator)
            window = await generator.window(
                way.child, way.deck, connections=connections, seconds=seconds, bad=way.bad, start_at=number * way.deck.size // rounds
            )
            way.window.add(window)
            web, server, sender, all_ = (now - then for now, then in zip(_used(way.child, database, generator), before, strict=True))
            way.web_seconds += web
            way.server_seconds += server
            way.others_seconds += all_ - web - server - sender
            moved(1)


def _used(child: Child, database: Database, generator: load.Generator) -> tuple[float, ...]:
    server = house.cpu_seconds_of_server(database.postmaster)
    return house.cpu_seconds(child.pid), server, house.cpu_seconds(generator.pid), house.busy_seconds()


def _tell(run: Run, screen: str, connections: int, ways: Sequence[Way]) -> None:
    columns = ("requests/s", "p50 ms", "p99 ms", "web CPU ms", "PG CPU ms", "failed", "others' cores")
    grid = run.grid(f"{screen}, {connections} connection{'' if connections == 1 else 's'}", "way", *columns)
    by = {way.name: way for way in ways}
    for way in ways:
        window = way.window
        grid.add(
            way.name, window.per_second, window.percentile_ms(0.5), window.percentile_ms(0.99), way.each_ms(way.web_seconds),
            way.each_ms(way.server_seconds), float(window.failed), max(0.0, way.others_seconds / window.seconds),
        )  # fmt: skip
    ours, where = by[OURS], f"{screen}, {connections}"
    rate = ours.window.per_second
    run.ratio(f"{where}: requests/s of by hand, JSON", _over(rate, by[BY_JSON].window.per_second), at_least=BARS["throughput"])
    run.ratio(f"{where}: requests/s of by hand, rows", _over(rate, by[BY_ROWS].window.per_second), at_least=BARS["throughput"])
    run.ratio(f"{where}: requests/s of the ordinary way", _over(rate, by[ORDINARY].window.per_second), at_least=BARS["ordinary"])
    web = ours.each_ms(ours.web_seconds)
    run.ratio(f"{where}: web CPU of by hand, rows", _over(web, by[BY_ROWS].each_ms(by[BY_ROWS].web_seconds)), at_most=BARS["cpu"])
    run.ratio(f"{where}: web CPU of by hand, JSON", _over(web, by[BY_JSON].each_ms(by[BY_JSON].web_seconds)), at_most=BARS["cpu"])


def _over(above: float, below: float) -> float:
    return above / below if below else float("nan")


BENCH = Bench(
    "reads",
    "the buyer's screens: ours beside endpoints written by hand and the ordinary way",
    measure,
    full={
        "orders": 200_000, "members": 2_000, "shops": 200, "screens": ("home", "unpaid", "notices"), "connections": (1, 32), "rounds": 6,
        "seconds": 2.0,
    },
    quick={"orders": 4_000, "members": 200, "shops": 20, "screens": ("home",), "connections": (1, 32), "rounds": 1, "seconds": 1.2},
    smallest={"orders": 300, "members": 20, "shops": 4, "screens": ("home", "unpaid", "notices"), "connections": (2,), "rounds": 1, "seconds": 0.2},
)  # fmt: skip
