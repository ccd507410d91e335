"""The command line: serve, work, demo, migrate, doctor, shop, bench.

Exit codes: 0 done, 1 something needed is missing or broken, 2 a setting or a shop file is missing or wrong.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from domain.settings import Settings
from plusone import keys_cli, member_cli, operations_cli, receipt_cli, simulate_cli, start
from plusone.bench_cli import bench
from plusone.start import settings_or_exit, with_database

app = typer.Typer(
    help="Back end of +1 social commerce: a signed comment becomes the right order.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
shop = typer.Typer(help="Open a shop from a file, connect its pages and chats, and look at it.", no_args_is_help=True)
app.add_typer(shop, name="shop")
app.add_typer(bench, name="bench")
out = Console()
err = Console(stderr=True)


@app.command()
def serve() -> None:
    """Answer the apps and the platforms' webhooks, until SIGTERM."""
    start.serve()


@app.command()
def work(
    health_port: Annotated[
        int,
        typer.Option(envvar="PLUSONE_WORKER_PORT", min=-1, max=65535, help="Port of health and metrics; 0 takes a free one, -1 none."),
    ] = start.WORKER_PORT,
) -> None:
    """Decide what came in and send what goes out, until SIGTERM."""
    start.work(health_port)


@app.command()
def migrate(check: Annotated[bool, typer.Option("--check", help="Only look: exit code 1 when migrations are pending.")] = False) -> None:
    """Bring the database to this version; several may run at once."""
    from plusone import runtime

    def main(_: Settings, dsn: str) -> None:
        if check:
            missing = asyncio.run(runtime.pending(dsn))
            for name in missing:
                out.print(f"pending {name}", highlight=False)
            if missing:
                raise typer.Exit(1)
            out.print("Nothing is pending.")
            return
        applied = asyncio.run(runtime.migrate(dsn))
        for name in applied:
            out.print(f"applied {name}", highlight=False)
        out.print("The database is at this version.")

    with_database(main, prepared=False)


@app.command()
def doctor(
    invariants: Annotated[bool, typer.Option("--invariants", help="Also run the invariants over all data.")] = False,
    replay_parked: Annotated[bool, typer.Option("--replay-parked", help="Give parked deliveries back to the workers.")] = False,
) -> None:
    """Show what is configured, reachable and missing; exit code 1 when something needed is missing."""
    from plusone import doctor as examination

    settings = settings_or_exit()
    healthy = examination.examine(settings, out, invariants=invariants, replay_parked=replay_parked)
    if not healthy:
        raise typer.Exit(1)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the replay; exit code 0 only if every expectation held.")] = False,
) -> None:
    """Replay a recorded evening on a database of its own, then stay up to be played with."""
    from plusone.demo.run import main

    raise typer.Exit(main(once=once))


@shop.command("apply")
def shop_apply(
    file: Annotated[Path, typer.Argument(help="The shop as TOML; docs/examples/shop.toml is one.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
) -> None:
    """Make what the file describes and the database lacks; run twice, the second changes nothing."""
    from plusone import shopfile_cli
    from plusone.shopfile_parts import FileRefused

    try:
        described, secrets = shopfile_cli.checked(file)
        with_database(lambda settings, dsn: shopfile_cli.apply_file(described, secrets, settings, dsn, out, dry_run=dry_run), prepared=True)
    except FileRefused as error:
        err.print(
            f"{file} is refused, nothing was changed (entries are counted from 1):",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        for problem in error.problems:
            err.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


@shop.command("show")
def shop_show(handle: Annotated[str, typer.Argument(help="The shop's handle.", show_default=False)]) -> None:
    """Show a shop: people, channels, goods, posts, and chats that wrote but belong to no shop."""
    from plusone import shopfile_cli

    def main(settings: Settings, dsn: str) -> None:
        if not shopfile_cli.show_shop(handle, settings, dsn, out):
            raise typer.Exit(1)

    with_database(main, prepared=True)


receipt_cli.add_to(app, with_database, out, err)
keys_cli.add_to(app, with_database, out, err)
member_cli.add_to(app, with_database, out, err)
simulate_cli.add_to(shop, with_database, out, err)
operations_cli.add_to(app, with_database, out, err)
