"""`plusone shop simulate`: what another claim policy would have made of a post's comments, or of a file of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def add_to(shop: typer.Typer, with_database: Callable[..., None], out: Console, err: Console) -> None:
    """Join the command to `plusone shop`; `with_database` runs something with settings and a database."""

    @shop.command("simulate")
    def simulate(
        handle: Annotated[str, typer.Argument(metavar="SHOP", help="The shop's handle.", show_default=False)],
        post: Annotated[str, typer.Argument(help="The post's id, or its title: the newest of this title.", show_default=False)],
        policy: Annotated[
            list[str] | None,
            typer.Option(
                "--policy", metavar="KEY=VALUE", help="What to try; repeat it. Names as in a shop file's [policy]; lists by commas."
            ),
        ] = None,
        comments: Annotated[
            Path | None, typer.Option("--comments", metavar="FILE", help="Use these comments, one a line, instead of the post's own.")
        ] = None,
        unlimited: Annotated[bool, typer.Option("--unlimited", help="As if there were pieces enough for everybody.")] = False,
        show: Annotated[int, typer.Option("--show", min=0, help="How many comments that come out differently are shown.")] = 20,
    ) -> None:
        """Try another claim policy on comments; nothing is changed. Exit code 2 when a policy or a file cannot be used."""
        from plusone import simulate_show

        try:
            wanted = simulate_show.wanted(policy or (), comments, unlimited=unlimited)
            with_database(lambda settings, dsn: simulate_show.run(handle, post, wanted, settings, dsn, out, show=show), prepared=True)
        except simulate_show.NotThere as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(1) from None
        except simulate_show.Unusable as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(2) from None
