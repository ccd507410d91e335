"""Does a screen get slower as the tables grow? The request of every screen, and the statements in it, timed on databases of very different size.

A request goes to the API's application in this process, from its bytes to the last of the answer's: without a network, whose time would only hide
what grows. A member has about as many orders in each of them and a shop about as many, as when more of both come; the tables around them are a hundred
times as long. The databases lie on one server and are asked in turn, round after round.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import orjson
from asyncpg.connection import Connection
from starlette.types import ASGIApp, Message

from api.auth.tokens import issue_access
from api.graphql_app import graphql_app
from benchmarks import house, reads
from benchmarks.frame import Bench, BenchRefused, Run
from benchmarks.house import Database
from benchmarks.screens import DESK, DOCUMENTS, MORE
from benchmarks.seed_world import Plan
from domain import bootstrap, db
from domain.db.lending import Pool
from domain.ids import public_id
from domain.members import keys
from domain.settings import load as settings

ORDERS_PER_MEMBER: Final = 50
ORDERS_PER_SHOP: Final = 500
BAR: Final = 1.3
ASKING: Final = ((Connection, "fetch"), (Connection, "fetchrow"), (Connection, "fetchval"), (Pool, "first_row"))
"""Whatever a screen's statement may go through; a statement that is new to `first_row` goes through `fetchrow` as well."""
NEAREST: Final = 500
MEMBERS: Final = f"""select s.member_id, s.id from session s join (
    select member_id, abs(count(*) - $1::int) as off from "order" where member_id is not null group by 1 order by 2, 1 limit {NEAREST}) o using (member_id)"""
OWNERS: Final = f"""select m.member_id, m.shop_id from membership m join (
    select shop_id, abs(count(*) - $1::int) as off from "order" group by 1 order by 2, 1 limit greatest(1, least({NEAREST}, (select count(*) / 4 from shop)))) o
  using (shop_id) where m.role = 'OWNER'"""
SIGN_IN: Final = """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
  values (gen_random_uuid(), $1, 'bench', $2, $2, $3, $3, '') returning id"""


@dataclass(slots=True)
class Size:
    """A database of so many orders, and how many seconds each screen took in it."""

    orders: int
    database: Database
    members: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Members with about as many orders as the average, each with a session."""
    owners: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Shops with about as many orders as the average, each with its owner."""
    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statements: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of those requests, the seconds from sending a statement until its rows are read."""


async def measure(run: Run, *, orders: Sequence[int], rounds: int, asked: int) -> None:
    """`asked`: how often a screen is asked in a database and round, each time by another member or of another shop."""
    with house.server(run, durable=False) as server:
        async with AsyncExitStack() as stack:
            sizes = [await _seeded(run, stack, server, count) for count in orders]
            with run.step("asking", rounds * len(sizes)) as moved:
                for number in range(rounds + 1):
                    for size in sizes[number % len(sizes) :] + sizes[: number % len(sizes)]:
                        await _round(size, asked, number, counted=number > 0)
                        if number:
                            moved(1)
    _tell(run, sizes)


async def _seeded(run: Run, stack: AsyncExitStack, server: Database, count: int) -> Size:
    database = await stack.enter_async_context(house.fresh(run, server))
    present = datetime.now(UTC).replace(microsecond=0)
    await reads.seeded(run, database, Plan(count, max(10, count // ORDERS_PER_MEMBER), max(2, count // ORDERS_PER_SHOP), present))
    return Size(count, database)


async def _round(size: Size, asked: int, number: int, *, counted: bool) -> None:
    """Ask all screens; the first round only warms the caches."""
    async with _app(size.database) as app:
        people, desks = await _people(size, asked, number)
        for screen, document in {**DOCUMENTS, **MORE, **DESK}.items():
            for who, shop in desks if screen in DESK else people:
                await _ask(app, document, who, shop)  # reads the session, fills the buffers
                with timed() as taken:
                    seconds = await _ask(app, document, who, shop)
                if not taken:
                    raise BenchRefused(f"{screen}: no statement was seen; they go another way than `ASKING` names")
                if counted:
                    size.requests[screen].append(seconds)
                    size.statements[screen].append(sum(taken))


@asynccontextmanager
async def _app(database: Database) -> AsyncIterator[ASGIApp]:
    """The GraphQL endpoint over this database, in this process."""
    await house.connected(database, 4)
    try:
        services = bootstrap.services(
            settings(
                _env_file=None, secret_key=house.SECRET_KEY, database_url=database.dsn, public_url=reads.ISSUER,
                open_operations=True, points_per_second=1_000_000,
            )
        )  # fmt: skip
        keys.sign_with(services.vault)
        yield graphql_app(services)
    finally:
        await db.close()


Asking = tuple[str, UUID | None]
"""An access token, and the shop whose desk is asked for."""


async def _people(size: Size, asked: int, number: int) -> tuple[list[Asking], list[Asking]]:
    """Some members, and the owners of some shops, that are of the same size in every database."""
    mixed, now = random.Random(number), datetime.now(UTC)
    if not size.members:
        size.members = [tuple(row) for row in await db.fetch(MEMBERS, ORDERS_PER_MEMBER)]
        size.owners = [tuple(row) for row in await db.fetch(OWNERS, ORDERS_PER_SHOP)]
    people: list[Asking] = [(await _token(member, session, now), None) for member, session in mixed.choices(size.members, k=asked)]
    desks: list[Asking] = []
    for member, shop in mixed.choices(size.owners, k=asked):
        session = await db.fetchval(SIGN_IN, member, now, now + timedelta(days=1))
        desks.append((await _token(member, session, now), shop))
    return people, desks


async def _token(member_id: UUID, session_id: UUID, now: datetime) -> str:
    return (await issue_access(member_id, session_id, 1, issuer=reads.ISSUER, now=now)).text


async def _ask(app: ASGIApp, document: str, token: str, shop: UUID | None) -> float:
    """The seconds of one request."""
    body = orjson.dumps({"query": document, "variables": {"shop": public_id("shop", shop)} if shop else {}})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"authorization", b"Bearer " + token.encode()),
    ]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/graphql",
        "raw_path": b"/graphql", "query_string": b"", "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    began = time.perf_counter()
    await app(scope, receive, send)
    seconds = time.perf_counter() - began
    answer = b"".join(message.get("body", b"") for message in said)
    if said[0]["status"] != HTTPStatus.OK or "errors" in orjson.loads(answer):
        raise BenchRefused(f"a screen is refused: {answer[:300].decode(errors='replace')}")
    return seconds


@contextmanager
def timed() -> Iterator[list[float]]:
    """How long each statement takes that runs in this block, from its sending until its rows are read, in seconds."""
    taken: list[float] = []
    kept = [(owner, name, getattr(owner, name)) for owner, name in ASKING]
    for owner, name, method in kept:
        setattr(owner, name, _timing(method, taken))
    try:
        yield taken
    finally:
        for owner, name, method in kept:
            setattr(owner, name, method)


_inside: ContextVar[bool] = ContextVar("_inside", default=False)


def _timing(method: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    async def timing(*args: Any, **kwargs: Any) -> Any:
        if _inside.get():
            return await method(*args, **kwargs)
        outside, began = _inside.set(True), time.perf_counter()
        try:
            return await method(*args, **kwargs)
        finally:
            into.append(time.perf_counter() - began)
            _inside.reset(outside)

    return timing


def _tell(run: Run, sizes: Sequence[Size]) -> None:
    named = [f"{what}, {size.orders:,}" for what in ("request", "statements") for size in sizes]
    grid = run.grid("median times, ms, by orders", "screen", *named, "requests: last / first", "statements: last / first")
    smallest, largest = sizes[0], sizes[-1]
    for screen in smallest.requests:
        requests = [statistics.median(size.requests[screen]) * 1000 for size in sizes]
        statements = [statistics.median(size.statements[screen]) * 1000 for size in sizes]
        ratio = requests[-1] / requests[0]
        grid.add(screen, *requests, *statements, ratio, statements[-1] / statements[0])
        run.ratio(f"{screen}: {largest.orders:,} against {smallest.orders:,} orders", ratio, at_most=BAR)
    run.note(
        f"{ORDERS_PER_MEMBER} orders per member and {ORDERS_PER_SHOP} per shop on average in every size. Both are warm: asked twice, the second counts."
    )


BENCH = Bench(
    "growth",
    "median time of every screen, and of its statements, as the tables grow a hundredfold",
    measure,
    full={"orders": (10_000, 100_000, 1_000_000), "rounds": 16, "asked": 20},
    quick={"orders": (1_000, 5_000), "rounds": 2, "asked": 10},
    smallest={"orders": (100, 300), "rounds": 1, "asked": 2},
)
