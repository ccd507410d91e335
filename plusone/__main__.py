"""`python -m plusone`, and the command `plusone`."""

from __future__ import annotations

import gc

gc.disable()  # looking through what is loaded again and again takes a quarter of the start

from plusone import quick_dataclasses  # noqa: E402

quick_dataclasses.install()

from plusone.cli import app  # noqa: E402


def main() -> None:
    """Run a command; a process that serves or works turns the collector on when all is loaded."""
    gc.freeze()
    gc.enable()
    app(prog_name="plusone")


if __name__ == "__main__":
    main()
