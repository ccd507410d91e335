"""The processes `plusone serve` and `plusone work`: their loop, their sockets, and an orderly end on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api import health
from api.sockets import ABORT
from domain import bootstrap, db
from domain.bootstrap import Services
from domain.providers.apple_tokens import tokens_of
from domain.settings import Settings
from plusone.prompt import Prompt
from plusone.runtime import StartRefused

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 25
"""How long requests and jobs in hand may take after SIGTERM; the whole stop stays below 30 s."""


LAST_WORDS_SECONDS: Final = 5.0
"""How long a web socket may take what was written to it before the process ended."""
LARGEST_MESSAGE: Final = 131_072
"""Bytes of one web socket message to us."""


class QuietServer(uvicorn.Server):
    """Leaves signals to the process that it runs in: uvicorn's own handling ends in the signal's default, which skips our clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Abortable(WebSocketsSansIOProtocol):
    """A web socket whose line can be dropped: closing waits until the client has taken what was written, and a client that reads nothing
    would be waited for without end."""

    def handle_connect(self, event: Request) -> None:
        self.app_state = {**self.app_state, ABORT: self.transport.abort}
        super().handle_connect(event)

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(LAST_WORDS_SECONDS, self.transport.abort)


def server_for(app: ASGIApp) -> QuietServer:
    """A uvicorn server with uvloop's loop around it, httptools, and time for requests in hand at the end."""
    config = uvicorn.Config(
        app,
        http=Prompt,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
        ws=Abortable,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
    )
    return QuietServer(config)


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        StartRefused: the address cannot be used; names the setting.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartRefused(f"Cannot listen on {host}:{port} ({error.strerror}): end what uses it, or choose another {setting}.") from None


async def serve_http(app: ASGIApp, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let requests in hand end."""
    server = server_for(app)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, in the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def health_app(services: Services) -> Starlette:
    """Health and metrics alone, for a worker process."""
    return Starlette(routes=list(health.routes(services)))


def settle() -> None:
    """What is loaded stays: the collector looks only at what comes after, and less often, for a request or a batch leaves no cycles behind.

    A full collection of a whole process otherwise takes 65 ms now and then (measured), in the middle of somebody's request. Nor is there one here:
    what loading leaves behind is 1,500 objects.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)


async def serve(settings: Settings, dsn: str, listening: socket.socket) -> None:
    """An API process."""
    from api.app import create_app  # each process loads its own half of the house

    stop = stop_on_signals()
    services = bootstrap.services(settings)
    await bootstrap.connect(settings, dsn, application_name="plusone-api")
    try:
        app = create_app(services)
        settle()
        log.info("the API listens", extra={"at": shown(listening)})
        await serve_http(app, listening, stop)
    finally:
        await db.close()
        log.info("the API has ended")


async def work(settings: Settings, dsn: str, listening: socket.socket | None) -> None:
    """A worker process, with health and metrics on a port of its own."""
    from workers import main as workers

    tokens_of(settings)  # a wrong setting stops the start before anything runs
    stop = stop_on_signals()
    services = bootstrap.services(settings)
    await bootstrap.connect(settings, dsn, application_name="plusone-worker")
    parts: list[Awaitable[None]] = [workers.run(services, stop, dsn)]
    if listening is not None:
        parts.append(serve_http(health_app(services), listening, stop))
    settle()
    try:
        log.info("the workers run", extra={"at": shown(listening) if listening else None})
        await asyncio.gather(*parts)
    finally:
        await db.close()
        log.info("the workers have ended")


def shown(listening: socket.socket) -> str:
    """A socket's address as people write it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a process's coroutine on uvloop, where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(_loop_trouble)
        runner.run(_as_coroutine(main))


async def _as_coroutine(main: Callable[[], Awaitable[None]]) -> None:
    await main()


def _loop_trouble(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio would log with the repr of everything it holds."""
    log.error("in the event loop", exc_info=context.get("exception"), extra={"what": str(context.get("message", ""))[:100]})
