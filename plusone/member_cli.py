"""`plusone member`: what only whoever runs the deployment can do for a member.

Exit codes: 0 done or nothing to do, 1 there is no such member or it was not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console


def add_to(app: typer.Typer, with_database: Callable[..., None], out: Console, err: Console) -> None:
    """Join the command to the program; `with_database` runs something with settings and a database."""
    group = typer.Typer(help="Help a member who cannot help themselves.", no_args_is_help=True)
    app.add_typer(group, name="member")

    @group.callback()
    def member() -> None:
        """Help a member who cannot help themselves."""

    @group.command("forget-proofs")
    def forget_proofs(
        member: Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id: member_… or a UUID.", show_default=False)],
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ) -> None:
        """Remove all second proofs of somebody who has lost them, and sign them out everywhere."""
        from plusone import member_work

        try:
            with_database(lambda settings, dsn: member_work.forget_proofs(member, settings, dsn, out, confirmed=yes), prepared=True)
        except member_work.NotForgotten as error:
            err.print(str(error), style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from None
