"""`plusone verify-receipt`: is this receipt genuine, and what does it say?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def add_to(app: typer.Typer, with_database: Callable[..., None], out: Console, err: Console) -> None:
    """Join the command to the program; `with_database` runs something with settings and a database."""

    @app.command("verify-receipt")
    def verify_receipt(
        file: Annotated[Path, typer.Argument(help="What GraphQL answered, as JSON; - reads standard input.", show_default=False)],
        keys: Annotated[
            str | None, typer.Option("--keys", metavar="FILE|URL", help="A published key set; without it, this deployment's own keys.")
        ] = None,
    ) -> None:
        """Check a claim receipt, and show what it says; exit code 1 when it does not hold."""
        from plusone import receipt_check

        if not receipt_check.verify(file, keys, lambda main: with_database(main, prepared=True), out, err):
            raise typer.Exit(1)
