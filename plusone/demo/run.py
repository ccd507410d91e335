"""`plusone demo`: PostgreSQL, API, workers, a push server and a platform server in one process; the evening; then a person's turn.

Every run starts on empty tables in a folder of its own, which is gone afterwards. Nothing outside of this machine is asked for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
from rich.console import Console

from api.app import create_app
from domain import bootstrap, db
from domain.bootstrap import MODEL_MODULES, Services
from domain.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from domain.ids import public_id
from domain.providers.platforms.fake import FakePlatformServer
from domain.settings import Settings, load
from plusone import invariants, logging, processes, runtime
from plusone.demo import view
from plusone.demo.app import AppRefused, at_the_counter, sign_in
from plusone.demo.expect import Report, check, figures_of_shops
from plusone.demo.fcm_server import UNREGISTERED, FakeFcm
from plusone.demo.people import DEAD_TARGET, subject_of
from plusone.demo.places import EVENING
from plusone.demo.record import recorded
from plusone.demo.replay import NotSettled, ReplayClock, replay, settled
from plusone.demo.shops import Seeded, seed
from plusone.runtime import StartRefused
from workers import main as workers

HOST: Final = "127.0.0.1"
PORT: Final = 8000
SECRET_KEY: Final = "the-demo-keeps-no-secrets-worth-having"  # noqa: S105
BUYER: Final = "林小美"


@dataclass(frozen=True, slots=True)
class House:
    """Everything that runs."""

    services: Services
    clock: ReplayClock
    fcm: FakeFcm
    platform: FakePlatformServer
    url: str
    seeded: Seeded


def main(*, once: bool = False) -> int:
    """Run the demo; answers the process's exit code: 0 when every expectation held, 1 when not, 130 when it was interrupted before."""
    console = view.console_of()
    folder = Path(tempfile.gettempdir()) / f"plusone-demo-{uuid4().hex[:12]}"
    # What the demo writes is thrown away: it need not survive a power cut.
    server = EmbeddedPostgres(folder, settings={"fsync": "off", "synchronous_commit": "off"})
    asked = _note_signals()
    code = 130
    try:
        console.print("Starting PostgreSQL, API and workers …", markup=False)
        server.start()
        if not asked:
            code = _run(_demo(console, server.dsn, folder, asked, once=once))
    except (StartRefused, EmbeddedPostgresError) as error:
        if not asked:
            console.print(str(error), style="red", markup=False)
            code = 1
    finally:
        _note_signals()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if code == 130:
        console.print("Interrupted.", markup=False)
    return code


def _note_signals() -> list[int]:
    """Until something else wants the signals, they are noted: a server that is just being started or stopped is not left half way."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda found, _: asked.append(found))
    return asked


def _run(demo: Coroutine[Any, Any, int]) -> int:
    found: list[int] = []

    async def keep() -> None:
        found.append(await demo)

    processes.run(keep)
    return found[0]


async def _demo(console: Console, dsn: str, folder: Path, asked: Sequence[int], *, once: bool) -> int:
    stop, playing = processes.stop_on_signals(), asyncio.Event()
    if asked:
        stop.set()
    task = asyncio.create_task(_evening(console, dsn, folder, stop, playing, once=once))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done() and not playing.is_set():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task
    return 130


async def _evening(console: Console, dsn: str, folder: Path, stop: asyncio.Event, playing: asyncio.Event, *, once: bool) -> int:
    """The whole demo in one loop. `playing` is set once the replay is over: from then on Ctrl-C is the orderly end."""
    # The push client takes a second to load: before the evening, not in it.
    importlib.import_module("firebase_admin.messaging")
    await runtime.migrate(dsn)
    await db.connect(dsn, MODEL_MODULES, application_name="plusone-demo")
    try:
        async with house(dsn, _listen(console), folder) as running:
            report = await play(console, running)
            door = await counter(console, running, report)
            _conclude(console, report)
            if not once:
                if door is not None:
                    view.how_to_go_on(console, door)
                console.print("\nCtrl-C ends it.", markup=False)
                playing.set()
                await stop.wait()
            return 1 if report.failures else 0
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def house(dsn: str, listening: socket.socket, folder: Path) -> AsyncIterator[House]:
    """Shops, servers, API and workers on a migrated, empty database that this process is connected to; the servers end with the block."""
    async with FakeFcm() as fcm, FakePlatformServer() as platform:
        fcm.answers[DEAD_TARGET] = UNREGISTERED
        settings = _settings(listening, fcm.url, platform.url, folder)
        logging.configure(settings)
        clock = ReplayClock(EVENING)
        services = bootstrap.services(settings, clock=clock)
        seeded = await seed(services)
        end = asyncio.Event()
        parts = [processes.serve_http(create_app(services), listening, end), workers.run(services, end, dsn)]
        running = [asyncio.create_task(part) for part in parts]
        try:
            yield House(services, clock, fcm, platform, settings.public_url, seeded)
        finally:
            end.set()
            await asyncio.gather(*running)


def _listen(console: Console) -> socket.socket:
    port = int(os.environ.get("PLUSONE_PORT") or PORT)
    try:
        return processes.listen(HOST, port, "PLUSONE_PORT")
    except StartRefused:
        free = processes.listen(HOST, 0, "PLUSONE_PORT")
        console.print(f"Port {port} is taken; using {free.getsockname()[1]} instead.", markup=False)
        return free


def _settings(listening: socket.socket, fcm_url: str, reply_url: str, folder: Path) -> Settings:
    """Nothing of the environment but the port and the level of the logs: the demo is the same everywhere."""
    return load(
        _env_file=None,
        environment="development",
        secret_key=SECRET_KEY,
        data_dir=folder,
        pool_size=10,
        host=HOST,
        port=listening.getsockname()[1],
        public_url=processes.shown(listening),
        line_login_channel_id=None,
        line_login_channel_secret=None,
        firebase_credentials=None,
        fcm_base_url=fcm_url,
        reply_base_url=reply_url,
        log_level=os.environ.get("PLUSONE_LOG_LEVEL") or "WARNING",
        log_json=False,
    )


async def play(console: Console, running: House) -> Report:
    """Replay the evening, show it, and compare it with the script."""
    deliveries = recorded()
    with view.View(console, len(deliveries)) as shown:
        try:
            replayed = await replay(deliveries, running.url, running.clock, shown.scene)
        except NotSettled as error:
            return Report([f"not everything was decided and sent: {error}"], 1)
    fcm, platform = running.fcm, running.platform
    report = await check(deliveries, replayed, fcm.messages, fcm.attempts, platform.replies, running.services.clock.now())
    console.print(f"\n{len(deliveries)} deliveries replayed in {replayed.seconds:.1f} s\n", markup=False)
    view.totals(console, await figures_of_shops(replayed))
    console.print(f"\nPushes received: {len(fcm.messages)}. Replies on platforms: {len(platform.replies)}.", markup=False)
    return report


async def counter(console: Console, running: House, report: Report) -> view.Door | None:
    """The rest of the main job, over HTTP: paid, pass, scan, handed over once."""
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=10) as client:
        try:
            seller = await sign_in(client, "member", "amei-owner")
            buyer = await sign_in(client, "facebook", subject_of(BUYER, "facebook"))
            scanner = await sign_in(client, "member", "amei-scanner")
            shop = public_id("shop", running.seeded.shops["amei"])
            done = await at_the_counter(seller, buyer, scanner, shop, BUYER)
        except (AppRefused, StopIteration, KeyError, TypeError, httpx.HTTPError) as error:
            report.failures.append(f"at the counter: {type(error).__name__} {error}")
            return None
    await settled()
    report.same("the paid order", done.paid, ("PAID", "READY_FOR_PICKUP", "TO_PICK_UP"))
    report.same("orders under the pass", done.covered, (done.order,))
    report.same("pieces left to hand over", done.left, 0)
    report.same("the second scan", done.again, "ALREADY_USED")
    report.same("broken invariants at the end", [(v.invariant, v.rows) for v in await invariants.check(running.services.clock.now())], [])
    console.print(
        f"\nOrder {done.order}: marked paid, pass issued, {done.handed_over} pieces handed over; the second scan was refused ({done.again}).",
        markup=False,
    )
    post: UUID = await db.fetchval("select post_id from post_placement order by created_at, id limit 1")
    return view.Door(running.url, buyer.token, seller.token, scanner.token, shop, public_id("post", post))


def _conclude(console: Console, report: Report) -> None:
    if not report.failures:
        console.print(f"\nAll {report.checked} expectations held.", style="bold green", markup=False)
        return
    console.print(f"\n{len(report.failures)} of {report.checked} expectations did not hold:", style="bold red", markup=False)
    for failure in report.failures:
        console.print(f"  {failure}", markup=False, soft_wrap=True)
