"""How a command comes by its settings and database, and the two commands that stay up; none of it needs the command line's own library."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Final

from domain.settings import MissingSetting, Settings, load

WORKER_PORT: Final = 8001


def say(text: str, style: str | None = None) -> None:
    """A line to standard error, as it is."""
    from rich.console import Console  # late: only what is refused is said

    Console(stderr=True).print(text, style=style, markup=False, highlight=False)


def settings_or_exit() -> Settings:
    """The settings; without them the process ends with code 2 and their names."""
    try:
        return load()
    except MissingSetting as error:
        raise _not_complete(error) from None


def _not_complete(missing: MissingSetting) -> SystemExit:
    say("The settings are not complete:", "red")
    for line in str(missing).splitlines():
        say(f"  {line}")
    say("Set them in the environment or in a file named .env; .env.example tells what each is for.")
    return SystemExit(2)


def with_database(main: Callable[[Settings, str], None], *, prepared: bool, meanwhile: str | None = None) -> None:
    """Run `main` with settings and a database; refusals become one line and a code. `meanwhile`: a module to load while the database starts."""
    settings = settings_or_exit()
    from plusone import logging, runtime

    logging.configure(settings)
    if meanwhile:
        threading.Thread(target=import_module, args=(meanwhile,), name="loading", daemon=True).start()
    try:
        with runtime.database(settings) as dsn:
            if prepared:
                runtime.prepare(settings, dsn)
            main(settings, dsn)
    except runtime.StartRefused as error:
        say(str(error), "red")
        raise SystemExit(1) from None
    except MissingSetting as error:  # one that only the part that uses it can judge
        raise _not_complete(error) from None


def serve() -> None:
    """Answer the apps and the platforms' webhooks, until SIGTERM."""
    gc.disable()  # until `settle`: what is loaded stays, and looking through it again and again takes a quarter of the start
    from plusone import processes

    def main(settings: Settings, dsn: str) -> None:
        with processes.listen(settings.host, settings.port, "PLUSONE_PORT") as listening:
            processes.run(lambda: processes.serve(settings, dsn, listening))

    with_database(main, prepared=True, meanwhile="api.app")


def work(health_port: int) -> None:
    """Decide what came in and send what goes out, until SIGTERM. `health_port` 0 takes a free one, -1 none."""
    gc.disable()
    from plusone import processes

    def main(settings: Settings, dsn: str) -> None:
        if health_port < 0:
            processes.run(lambda: processes.work(settings, dsn, None))
            return
        with processes.listen(settings.host, health_port, "PLUSONE_WORKER_PORT") as listening:
            processes.run(lambda: processes.work(settings, dsn, listening))

    with_database(main, prepared=True)
