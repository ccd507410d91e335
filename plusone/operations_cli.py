"""`plusone operations`: the documents that the apps ship with, which are all that production answers unless a setting opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="GraphQL documents, each file one as the app sends it; or JSON: Apollo's manifest, or texts by their SHA-256.",
        show_default=False,
    ),
]
Hashes = Annotated[list[str], typer.Argument(metavar="HASH...", help="Whole, or its first 8 digits or more.", show_default=False)]


def add_to(app: typer.Typer, with_database: Callable[..., None], out: Console, err: Console) -> None:
    """Join the commands to the program; `with_database` runs something with settings and a database."""
    operations = typer.Typer(help="Register the apps' GraphQL documents, the only ones that production answers.", no_args_is_help=True)
    app.add_typer(operations, name="operations")

    @operations.command("add")
    def add(files: Files) -> None:
        """Register documents by the SHA-256 of their text. All or none: exit code 2 when one is not valid for this version's schema."""
        from plusone import operations_work as work

        try:
            drafts = work.read(files)
        except work.FilesRefused as error:
            err.print("Nothing was registered:", style="red", highlight=False)
            for problem in error.problems:
                err.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        with_database(lambda settings, dsn: work.register(drafts, settings, dsn, out), prepared=True)

    @operations.command("list")
    def list_() -> None:
        """Show what is registered: hash, instant, names."""
        from plusone import operations_work as work

        with_database(lambda settings, dsn: work.show(settings, dsn, out), prepared=True)

    @operations.command("remove")
    def remove(hashes: Hashes) -> None:
        """Forget documents; processes answer them for a minute more. All or none: exit code 1 when a hash is none of them, or of several."""
        from plusone import operations_work as work

        try:
            with_database(lambda settings, dsn: work.forget(hashes, settings, dsn, out), prepared=True)
        except work.NotThere as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(1) from None
