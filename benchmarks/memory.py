"""Memory of an API and a worker process under a steady load of reads and webhooks: does it still grow once it is warm?"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import house, load, reads
from benchmarks.frame import Bench, Run
from benchmarks.house import Child, Database, Stopwatch
from benchmarks.screens import DOCUMENTS
from benchmarks.seed_world import Plan
from benchmarks.stall import Said, Stall, open_stall
from domain import db
from domain.vault import Vault

SAMPLE_SECONDS: Final = 1.0
BAR: Final = 0.10
PIECES: Final = 10_000_000
AUTHORS: Final = 5_000


@dataclass(slots=True)
class Sampled:
    """A process and its resident memory over time, in MiB."""

    name: str
    child: Child
    mib: list[float] = field(default_factory=list)

    def around(self, part: float) -> float:
        """The mean over a tenth of the time that begins there."""
        first = int(len(self.mib) * part)
        window = self.mib[first : first + max(1, len(self.mib) // 10)]
        return sum(window) / len(window) if window else float("nan")

    @property
    def growth(self) -> float:
        """How much larger it is at the end than half way, as a part."""
        return self.around(0.9) / self.around(0.5) - 1


async def measure(
    run: Run, *, seconds: float, window: float, reads_per_second: float, webhooks_per_second: float, orders: int, members: int
) -> None:
    """Load for `seconds`, in windows whose requests are made anew: access tokens are good for ten minutes."""
    async with house.database(run, connect=4) as database, AsyncExitStack() as stack:
        base = stack.enter_context(house.folder())
        await reads.seeded(run, database, Plan(orders, members, max(3, orders // 1000), datetime.now(UTC).replace(microsecond=0)))
        stall = await open_stall(Vault(house.SECRET_KEY), posts=4, on_hand=PIECES, now=datetime.now(UTC))
        with run.step("starting the processes"):
            processes = await _processes(stack, database, base)
            senders = [await stack.enter_async_context(load.generator()) for _ in range(2)]
        sampler = asyncio.create_task(_sample(processes))
        watch, sent, failed, said, statuses = Stopwatch(), 0, 0, 0, Counter[str]()
        with run.step("loading", seconds) as moved:
            while watch.seconds < seconds:
                length = min(window, max(0.2, seconds - watch.seconds))
                api = processes[0].child
                screens = await _screens(base, members)
                comments = _comments(base, stall, said, int(length * webhooks_per_second) + 1)
                said += comments.size
                found = await asyncio.gather(
                    senders[0].window(api, screens, connections=8, seconds=length, rate=reads_per_second, bad=reads.WRONG),
                    senders[1].window(api, comments, connections=8, seconds=length, rate=webhooks_per_second, once=True),
                )
                sent += sum(one.answered for one in found)
                failed += sum(one.failed for one in found)
                statuses.update(found[0].statuses + found[1].statuses)
                moved(length)
        sampler.cancel()
        await _tell(run, processes, sent, failed, stall)
        if failed:
            run.note(f"Answers by their status: {dict(statuses)}.")


async def _processes(stack: AsyncExitStack, database: Database, base: Path) -> list[Sampled]:
    api = await stack.enter_async_context(house.child("plusone", "serve", dsn=database.dsn, base=base))
    worker = await stack.enter_async_context(house.child("plusone", "work", dsn=database.dsn, base=base))
    return [Sampled("serve", api), Sampled("work", worker)]


async def _sample(processes: Sequence[Sampled]) -> None:
    while True:
        for one in processes:
            one.mib.append(house.rss_mib(one.child.pid))
        await asyncio.sleep(SAMPLE_SECONDS / 4)


async def _screens(base: Path, members: int) -> load.Deck:
    people = await reads.signed_in(min(members, 500))
    mixed = random.Random(7)
    requests = [reads.request_of(reads.OURS, screen, who) for screen in DOCUMENTS for who in mixed.sample(people, len(people))]
    mixed.shuffle(requests)
    return load.Deck.of(base / f"screens-{datetime.now(UTC).timestamp()}.deck", requests)


def _comments(base: Path, stall: Stall, first: int, count: int) -> load.Deck:
    now = datetime.now(UTC)
    requests = [
        stall.delivery([Said(n, str(200_000 + n * 7919 % AUTHORS), n % len(stall.posts), "A1+1" if n % 3 else "晚安大家")], now)
        for n in range(first, first + count)
    ]
    return load.Deck.of(base / f"comments-{first}.deck", requests)


async def _tell(run: Run, processes: Sequence[Sampled], sent: int, failed: int, stall: Stall) -> None:
    decided = await db.fetchval("select count(*) from claim where shop_id = $1", stall.shop_id)
    grid = run.grid("resident memory, MiB", "process", "at the start", "half way", "at the end", "highest")
    for one in processes:
        grid.add(one.name, one.around(0.0), one.around(0.5), one.around(0.9), max(one.mib, default=float("nan")))
        run.figure(f"growth of {one.name} in the second half", one.growth, "part", at_most=BAR)
    run.figure("requests answered", sent, "")
    run.figure("of them wrong", failed, "", at_most=0)
    run.figure("comments decided", float(decided), "")
    run.note("Growth is the last tenth of the time against the tenth after its middle.")


BENCH = Bench(
    "memory",
    "resident memory of serve and work under a steady load, and its growth in the second half",
    measure,
    full={"seconds": 3_600.0, "window": 60.0, "reads_per_second": 50.0, "webhooks_per_second": 50.0, "orders": 20_000, "members": 2_000},
    quick={"seconds": 10.0, "window": 5.0, "reads_per_second": 30.0, "webhooks_per_second": 30.0, "orders": 1_000, "members": 100},
    smallest={"seconds": 1.0, "window": 1.0, "reads_per_second": 10.0, "webhooks_per_second": 10.0, "orders": 100, "members": 10},
)
