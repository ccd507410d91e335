"""Fan-out: a notice to every one of many phones, through the real worker, to a server in the shape of Google's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from benchmarks import house
from benchmarks.frame import Bench, BenchRefused, Run
from benchmarks.house import Child, Stopwatch
from benchmarks.stall import Stall, open_stall
from domain import db
from domain.ids import new_id
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.vault import Vault
from plusone.demo.fcm_server import FakeFcm

BAR_SECONDS: Final = 60.0
"""For 10,000 phones."""
BAR_DEVICES: Final = 10_000
LOT: Final = 1_000
"""Notices that one transaction writes."""
POLL_SECONDS: Final = 0.1
STILL_SECONDS: Final = 60.0
"""No push at all for so long: something is broken."""


async def measure(run: Run, *, devices: Sequence[int]) -> None:
    """For each number of phones a database and a worker of its own."""
    with house.server(run) as server:
        for count in devices:
            async with house.fresh(run, server) as database, FakeFcm() as fcm:
                await house.connected(database, 4)
                try:
                    stall = await open_stall(Vault(house.SECRET_KEY), posts=1, on_hand=1, now=datetime.now(UTC))
                    with run.step(f"{count:,} phones sign up"):
                        first, *buyers = await _sign_up(stall, count + 1)
                    with house.folder() as base:
                        async with house.child(
                            "plusone", "work", dsn=database.dsn, base=base, PLUSONE_FCM_BASE_URL=fcm.url, PLUSONE_ENVIRONMENT="development"
                        ) as worker:
                            await _warmed_up(run, stall, first, fcm)
                            await _fan_out(run, stall, buyers, worker, fcm)
                finally:
                    await db.close()
    run.note(
        "The server that takes the pushes is Python too, in the process of the bench, and shares the cores: the worker is faster alone."
    )


async def _sign_up(stall: Stall, count: int) -> list[UUID]:
    """Members with one phone each, known to the shop; answers them as buyers."""
    members, buyers, now = [new_id() for _ in range(count)], [new_id() for _ in range(count)], datetime.now(UTC)
    await db.execute(
        "insert into member (id, ver, display_name, locale, created_at) select m, 1, '', 'zh-TW', $2 from unnest($1::uuid[]) m",
        members,
        now,
    )
    await db.execute(
        """insert into buyer (id, shop_id, provider, external_id, name, member_id, created_at)
           select b, $1, 'facebook', b::text, '', m, $4 from unnest($2::uuid[], $3::uuid[]) x(b, m)""",
        stall.shop_id, buyers, members, now,
    )  # fmt: skip
    await db.execute(
        """insert into device (id, member_id, installation_id, platform, target_kind, target, locale, created_at, last_seen_at)
           select d, m, d::text, 'ANDROID', 'TOKEN', 'bench-' || d, 'zh-TW', $3, $3 from unnest($1::uuid[], $2::uuid[]) x(d, m)""",
        [new_id() for _ in range(count)], members, now,
    )  # fmt: skip
    return buyers


async def _warmed_up(run: Run, stall: Stall, buyer: UUID, fcm: FakeFcm) -> None:
    """The first push of a process loads its client and fetches a token: its time is a figure of its own."""
    watch = Stopwatch()
    with run.step("the first push") as moved:
        await asyncio.gather(_write(stall, [buyer]), _arrived(fcm, 1, moved))
        await _all_marked(1)
    run.figure("first push of a worker", watch.seconds, "s")
    fcm.messages.clear()


async def _fan_out(run: Run, stall: Stall, buyers: Sequence[UUID], worker: Child, fcm: FakeFcm) -> None:
    count, what = len(buyers), f"{len(buyers):,} phones"
    watch, used = Stopwatch(), house.cpu_seconds(worker.pid)
    with run.step(f"{what}: sending", count) as moved:
        written = await asyncio.gather(_write(stall, buyers), _arrived(fcm, count, moved))
        arrived = watch.seconds
        await _all_marked(count + 1)
    seconds = watch.seconds
    run.figure(f"{what}: notices written", written[0], "s")
    run.figure(f"{what}: all arrived", arrived, "s", at_most=BAR_SECONDS if count == BAR_DEVICES else None)
    run.figure(f"{what}: all marked as sent", seconds, "s")
    run.figure(f"{what}: pushes", count / arrived, "1/s")
    run.figure(f"{what}: worker CPU", (house.cpu_seconds(worker.pid) - used) * 1000 / count, "ms/push")
    run.figure(f"{what}: doubled", len(fcm.messages) - count, "", at_most=0)


async def _write(stall: Stall, buyers: Sequence[UUID]) -> float:
    """The notices, LOT in a transaction, with the pushes and jobs that belong to them; answers the seconds."""
    watch, jobs, now = Stopwatch(), PgQueuerJobs(), datetime.now(UTC)
    facts = {"shopName": "量測小舖", "title": "今晚八點開播", "body": "新品第一場,先看先得"}
    for first in range(0, len(buyers), LOT):
        drafts = [NoticeDraft(buyer, NoticeKind.ANNOUNCEMENT, f"bench:{buyer}", facts) for buyer in buyers[first : first + LOT]]
        async with db.transaction() as tx:
            await enqueue(tx, stall.shop_id, drafts, now=now, jobs=jobs)
    return watch.seconds


async def _arrived(fcm: FakeFcm, count: int, moved: object) -> None:
    assert callable(moved)
    seen, still = 0, Stopwatch()
    while seen < count:
        now = len(fcm.messages)
        if now > seen:
            moved(now - seen)
            seen, still = now, Stopwatch()
        if still.seconds > STILL_SECONDS:
            raise BenchRefused(f"only {seen} of {count} pushes arrived, and no more come")
        await asyncio.sleep(POLL_SECONDS)


async def _all_marked(count: int) -> None:
    watch = Stopwatch()
    while await db.fetchval("select count(*) from push_delivery where state = 'SENT'") < count:
        if watch.seconds > STILL_SECONDS:
            raise BenchRefused("pushes arrived that are not marked as sent")
        await asyncio.sleep(POLL_SECONDS)


BENCH = Bench(
    "push",
    "a notice to every one of many phones, through the worker, to an FCM-shaped server",
    measure,
    full={"devices": (10_000, 100_000)},
    quick={"devices": (200,)},
    smallest={"devices": (20,)},
)
