"""All work of one worker process: the drain of the inbox, the jobs, and the sweep of deadlines, each kept up by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.bootstrap import Services
from domain.claims import offers
from domain.idempotency import commands as idempotency
from domain.jobs import ANNOUNCE, RESTOCKED, JobRunner, Payload
from domain.members import keys, linking, sweeping
from domain.notices import announcements
from domain.pickup import commands as pickup
from domain.providers.apple_tokens import tokens_of
from domain.providers.pgqueuer_jobs import PgQueuerRunner
from workers import account_links, deadlines, ingest, outbox, payments, people, upkeep
from workers.grants import EVERY_HOUR, give_back

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 5.0
LINK_MISSED: Final = "*/10 * * * *"
FORGET_EXPIRED: Final = "17 * * * *"
FORGET_KEYS: Final = "27 * * * *"
KEYS_KEPT: Final = timedelta(days=2)
"""Longer than any app tries a request again; the promise is 24 h."""
MOST_FORGOTTEN: Final = 50_000
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 4.0
"""After a restart of the database everything works again well within 10 s."""
STEADY_SECONDS: Final = 30.0
"""A part that ran so long starts again without a long pause."""
GRACE_SECONDS: Final = 25.0
"""How long what is in hand may take at the end."""


async def run(services: Services, stop: asyncio.Event, dsn: str) -> None:
    """Work until `stop` is set, then let what is in hand end. The job queue listens on a connection of its own to `dsn`."""
    keys.sign_with(services.vault)
    runner = PgQueuerRunner(dsn)
    close = register(runner, services)
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "ingest": lambda: ingest.run(services, stop),
        "jobs": lambda: runner.run(stop),
        "deadlines": lambda: sweep_deadlines(services, stop),
    }
    tasks = {asyncio.create_task(keep_up(name, part, stop), name=name) for name, part in parts.items()}
    await stop.wait()
    _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
    for task in late:
        log.warning("cut at the end", extra={"part": task.get_name()})
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await close()


def register(runner: JobRunner, services: Services) -> Callable[[], Awaitable[None]]:
    """Teach a runner every job of this project; answers what closes their connections at the end."""

    async def restocked(payload: Payload) -> None:
        await fill_waiting(services, payload)

    async def missed() -> None:
        await linking.link_missed(services.clock.now())

    async def expired() -> None:
        await sweeping.forget_expired(services.clock.now())

    async def answered() -> None:
        await idempotency.forget(before=services.clock.now() - KEYS_KEPT, limit=MOST_FORGOTTEN)

    async def announced(payload: Payload) -> None:
        after = payload["after"]
        announcement = UUID(payload["announcement"])
        await announcements.tell_next(announcement, after and UUID(after), now=services.clock.now(), jobs=services.jobs)

    apple = tokens_of(services.settings)

    async def returned() -> None:
        await give_back(apple, services)

    runner.every(EVERY_HOUR, "give-back-grants", returned)
    runner.handle(RESTOCKED, restocked)
    runner.handle(ANNOUNCE, announced)
    runner.every(LINK_MISSED, "link-missed-buyers", missed)
    runner.every(FORGET_EXPIRED, "forget-expired", expired)
    runner.every(FORGET_KEYS, "forget-idempotency-keys", answered)
    people.register(runner, services)
    account_links.register(runner, services)
    payments.register(runner, services)
    upkeep.register(runner, services)
    return outbox.register(runner, services)


async def fill_waiting(services: Services, payload: Payload) -> None:
    """Pieces became free: buyers who wait come first, then orders that now have all their goods become ready."""
    shop_id = UUID(payload["shop_id"])
    variant_ids = [UUID(variant) for variant in payload["variants"]]
    now = services.clock.now()
    await offers.serve(shop_id=shop_id, variant_ids=variant_ids, now=now, jobs=services.jobs)
    await pickup.ready_waiting_orders(shop_id=shop_id, variant_ids=variant_ids, now=now, jobs=services.jobs)


async def sweep_deadlines(services: Services, stop: asyncio.Event) -> None:
    """Look for deadlines that have passed, every SWEEP_SECONDS."""
    while not stop.is_set():
        await deadlines.sweep(services)
        await pause(stop, SWEEP_SECONDS)


async def keep_up(name: str, part: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run a part again whenever it ends before `stop`: after a failure, and after the database was away."""
    wait = FIRST_PAUSE_SECONDS
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        started = loop.time()
        try:
            await part()
        except Exception as error:
            log.error("a part failed and starts again", exc_info=error, extra={"part": name, "pause": wait})
        else:
            if not stop.is_set():
                log.warning("a part ended and starts again", extra={"part": name, "pause": wait})
        if loop.time() - started > STEADY_SECONDS:
            wait = FIRST_PAUSE_SECONDS
        await pause(stop, wait)
        wait = min(wait * 2, LONGEST_PAUSE_SECONDS)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
