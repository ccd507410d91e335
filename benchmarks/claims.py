"""From signed deliveries to decided comments: what one API process, a worker for each core and PostgreSQL decide together on this machine.

Four lives at once with one variant each that everybody wants, seven more beside it, and a crowd whose deliveries are signed beforehand. Offered
at a fixed rate, whether or not the work keeps up; a comment counts when its claim, order, hold, ledger, notice and audit rows are committed.
Afterwards every invariant is checked. The load generator shares the cores.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import house, load
from benchmarks.bare import bare_orders_per_second
from benchmarks.claims_live import Crowd, Live, decided, deliveries, open_live, outcome, undecided
from benchmarks.frame import Bench, Run
from benchmarks.house import Child, Database
from plusone.invariants import check

BARS: Final = {"batched": 5_000, "single": 3_000, "ack_ms": 100, "decided_ms": 500, "calm_ms": 50}
PATIENCE_SECONDS: Final = 10.0
"""Without any progress; the run goes on, and its figures show it."""


@dataclass(slots=True)
class Stage:
    """What the benches play on."""

    database: Database
    base: Path
    serve: Child
    work: list[Child]
    generator: load.Generator
    live: Live
    seed: int = 0

    def crowd(self, buyers: int, per_second: float) -> Crowd:
        """A crowd whose comments nobody has sent yet."""
        self.seed += 1
        return Crowd(self.live, buyers, datetime.now(UTC), per_second, seed=self.seed)

    def cpu(self) -> tuple[float, float, float, float]:
        """Processor seconds so far: API, workers, PostgreSQL, generator."""
        ours = (house.cpu_seconds(self.serve.pid), sum(house.cpu_seconds(one.pid) for one in self.work))
        return (*ours, house.cpu_seconds_of_server(self.database.postmaster), house.cpu_seconds(self.generator.pid))


@asynccontextmanager
async def stage(run: Run, *, shops: int, posts: int, on_hand: int, members: int, buyers: int, workers: int = 1) -> AsyncIterator[Stage]:
    """A live that is open, with an API process and workers of it."""
    async with house.database(run, connect=4) as database, AsyncExitStack() as stack:
        base = stack.enter_context(house.folder())
        live = await open_live(shops=shops, posts=posts, on_hand=on_hand, members=members, buyers=buyers)
        with run.step("starting the API and the workers"):
            serve = await stack.enter_async_context(house.child("plusone", "serve", dsn=database.dsn, base=base))
            work = [await stack.enter_async_context(house.child("plusone", "work", dsn=database.dsn, base=base)) for _ in range(workers)]
            generator = await stack.enter_async_context(load.generator())
        yield Stage(database, base, serve, work, generator, live)


@dataclass(slots=True)
class Played:
    """What came of a load."""

    offered: int
    in_window: float
    """Decided per second while the load lasted."""
    to_the_end: float
    """Per second from the first delivery until the last comment was decided."""
    window: load.Window
    decided_ms: tuple[float, float]
    cpu_us: tuple[float, ...]
    """Microseconds of processor per comment: API, workers, PostgreSQL, generator."""


async def play(run: Run, what: str, on: Stage, requests: Iterable[bytes], comments: int, *, seconds: float, connections: int) -> Played:
    """Send these deliveries within so many seconds, and wait until all is decided."""
    with run.step(f"{what}: writing {comments:,} comments"):
        deck = load.Deck.of(on.base / f"live-{on.seed}.deck", list(requests))
    before, since, used = (
        await decided(),
        datetime.now(UTC),
        on.cpu(),
    )  # counted by the server's statistics: a count of rows costs what it measures
    started = house.Stopwatch()
    with run.step(f"{what}: {comments:,} comments in {seconds:.0f} s", comments) as moved:
        sending = asyncio.create_task(
            on.generator.window(on.serve, deck, connections=connections, seconds=seconds * 3, rate=deck.size / seconds, once=True)
        )
        seen, moved_at = 0, started.seconds
        while started.seconds - moved_at < PATIENCE_SECONDS:
            await asyncio.sleep(0.25)
            if sending.done() and not await undecided():
                break
            now = await decided() - before
            moved_at = started.seconds if now > seen or not sending.done() else moved_at
            moved(now - seen)
            seen = now
        window = await sending
    after = on.cpu()
    found = await outcome(since, seconds)
    if found.decided < comments:
        run.note(f"{what}: {comments - found.decided} comments were never decided; deliveries: {dict(window.statuses)}")
    cpu = tuple((b - a) * 1e6 / comments for a, b in zip(used, after, strict=True))
    return Played(comments, found.in_time / seconds, found.decided / found.seconds, window, found.latencies_ms, cpu)


def tell(run: Run, what: str, played: Played, *, bar: float | None, at_bars: bool = False) -> None:
    """The figures of one load."""
    run.figure(f"{what}: decided, while they came", played.in_window, "comments/s", at_least=bar)
    run.figure(f"{what}: decided, until the last", played.to_the_end, "comments/s")
    run.figure(f"{what}: acknowledged p99", played.window.percentile_ms(0.99), "ms", at_most=BARS["ack_ms"] if at_bars else None)
    run.figure(f"{what}: decided p50", played.decided_ms[0], "ms")
    run.figure(f"{what}: decided p99", played.decided_ms[1], "ms", at_most=BARS["decided_ms"] if at_bars else None)
    api, worker, server, generator = played.cpu_us
    run.note(f"{what}: per comment {api:.0f} µs API, {worker:.0f} µs workers, {server:.0f} µs PostgreSQL, {generator:.0f} µs load generator; "
             f"{played.window.failed} of {played.window.answered} deliveries failed.")  # fmt: skip


async def measure(
    run: Run,
    *,
    seconds: float,
    batched: float,
    single: float,
    paced: float,
    calm: int,
    shops: int,
    posts: int,
    buyers: int,
    on_hand: int,
    workers: int,
) -> None:
    """See the module."""
    async with stage(run, shops=shops, posts=posts, on_hand=on_hand, members=buyers // 3, buyers=buyers, workers=workers) as on:
        warm = int(min(batched, 2_000))
        await play(run, "warming up", on, deliveries(on.crowd(buyers, warm), warm, (20, 100)), warm, seconds=2.0, connections=8)
        count = int(batched * seconds)
        found = await play(
            run, "batched", on, deliveries(on.crowd(buyers, batched), count, (20, 100)), count, seconds=seconds, connections=16
        )
        tell(run, "deliveries of 20 to 100", found, bar=BARS["batched"])
        with run.step("the bare statement"):
            bare = await bare_orders_per_second(seconds=min(seconds, 10.0))
        run.figure("bare set-based statement, 100 orders each", bare, "orders/s")
        run.ratio("decided of the bare statement", found.in_window / bare if bare else float("nan"))
        count = int(single * seconds)
        found = await play(run, "single", on, deliveries(on.crowd(buyers, single), count, (1, 1)), count, seconds=seconds, connections=128)
        tell(run, "deliveries of one", found, bar=BARS["single"])
        count = int(paced * seconds)
        found = await play(run, "paced", on, deliveries(on.crowd(buyers, paced), count, (1, 1)), count, seconds=seconds, connections=32)
        tell(run, f"{paced:,.0f} deliveries of one a second", found, bar=None, at_bars=True)
        found = await play(run, "calm", on, deliveries(on.crowd(buyers, 5), calm, (1, 1)), calm, seconds=calm / 5, connections=1)
        run.figure("at night, one now and then: decided p50", found.decided_ms[0], "ms", at_most=BARS["calm_ms"])
        run.figure("at night, one now and then: decided p99", found.decided_ms[1], "ms")
        broken = await check(datetime.now(UTC))
        run.note("All invariants hold." if not broken and not await undecided() else f"BROKEN: {broken}")
    run.note(
        f"{posts} posts of {shops} shops, {buyers:,} buyers of whom a third have the app, {on_hand:,} pieces of each variant; {workers} workers; the generator shares the cores."
    )


BENCH = Bench(
    "claims", "signed deliveries to decided comments: throughput and latency", measure,
    full={"seconds": 60.0, "batched": 6_000.0, "single": 3_500.0, "paced": 1_000.0, "calm": 100, "shops": 4, "posts": 4, "buyers": 20_000, "on_hand": 30_000, "workers": 2},
    quick={"seconds": 3.0, "batched": 6_000.0, "single": 3_500.0, "paced": 1_000.0, "calm": 10, "shops": 4, "posts": 4, "buyers": 5_000, "on_hand": 3_000, "workers": 2},
    smallest={"seconds": 0.5, "batched": 200.0, "single": 50.0, "paced": 50.0, "calm": 2, "shops": 2, "posts": 2, "buyers": 50, "on_hand": 20, "workers": 2},
)  # fmt: skip
