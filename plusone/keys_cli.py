"""`plusone keys`: the signing keys of a deployment: look at them, renew them, drop one that got out.

Exit codes: 0 done, 1 there is no such key or it was not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console


class Use(StrEnum):
    """What a key signs, as it is typed."""

    ACCESS = "access"
    PICKUP = "pickup"
    RECEIPT = "receipt"


def add_to(app: typer.Typer, with_database: Callable[..., None], out: Console, err: Console) -> None:
    """Join the commands to the program; `with_database` runs something with settings and a database."""
    group = typer.Typer(help="The keys that sign access tokens, pickup codes and receipts.", no_args_is_help=True)
    app.add_typer(group, name="keys")

    @group.command("list")
    def list_keys() -> None:
        """Show every key: what it signs, since when, and until when its signatures count."""
        from plusone import keys_work

        with_database(lambda settings, dsn: keys_work.show(settings, dsn, out), prepared=True)

    @group.command("rotate")
    def rotate(
        use: Annotated[Use, typer.Argument(help="What the key signs.", show_default=False)],
        older_than: Annotated[
            int, typer.Option("--older-than", metavar="DAYS", min=0, help="Only when the present key has signed for so many days.")
        ] = 0,
    ) -> None:
        """Publish the next key: it signs in 24 hours, and the present one is honoured for a while after that."""
        from plusone import keys_work

        with_database(lambda settings, dsn: keys_work.rotate(use, older_than, settings, dsn, out), prepared=True)

    # A key id may begin with a dash.
    @group.command("revoke", context_settings={"ignore_unknown_options": True})
    def revoke(
        kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id, as `plusone keys list` shows it.", show_default=False)],
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ) -> None:
        """Emergency: drop a key at once, with all that it signed, and sign with a new one."""
        from plusone import keys_work

        try:
            with_database(lambda settings, dsn: keys_work.revoke(kid, settings, dsn, out, confirmed=yes), prepared=True)
        except keys_work.NotRevoked as error:
            err.print(str(error), style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from None
