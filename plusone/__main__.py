"""`python -m plusone`, and the command `plusone`."""

from __future__ import annotations

import gc
import os
import sys
from typing import Final

gc.disable()  # looking through what is loaded again and again takes a quarter of the start

from plusone import quick_dataclasses  # noqa: E402

quick_dataclasses.install()

from plusone import start  # noqa: E402

LAST_PORT: Final = 65_535


def main() -> None:
    """Run a command; a process that serves or works turns the collector on when all is loaded.

    The two that run for long are started past the command line's library when nothing is said that it would have to read.
    """
    words, port = sys.argv[1:], os.environ.get("PLUSONE_WORKER_PORT") or str(start.WORKER_PORT)
    if words == ["serve"]:
        start.serve()
    elif words == ["work"] and port.isdecimal() and int(port) <= LAST_PORT:
        start.work(int(port))
    else:
        from plusone.cli import app

        gc.freeze()
        gc.enable()
        app(prog_name="plusone")


if __name__ == "__main__":
    main()
