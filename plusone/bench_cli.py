"""`plusone bench`: measure this program on this machine. The benchmarks are a package beside this one, of a checkout only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperGroup

if TYPE_CHECKING:
    from benchmarks.frame import Bench, Result, Size

out = Console()
err = Console(stderr=True)

ALL: Final = "all"
BENCH: Final = "run"


class _Named(TyperGroup):
    """`bench NAME …` is `bench run NAME …` for every name that is no command of its own; no name at all is all of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words after `bench`."""
        first = next((word for word in args if not word.startswith("-")), None)
        if not {"--help"} & set(args) or first not in (None, *self.commands):
            if not args or args[0].startswith("-"):
                args = [BENCH, ALL, *args]
            elif args[0] not in self.commands:
                args = [BENCH, *args]
        return super().parse_args(ctx, args)


bench = typer.Typer(
    cls=_Named,
    help="Measure this program on this machine: plusone bench NAME, or all of them without a name.",
    no_args_is_help=False,
    rich_markup_mode="rich",
)

Seconds = Annotated[float | None, typer.Option("--seconds", min=0.1, help="How long each window or load takes, where the bench has one.")]
Server = Annotated[
    str | None, typer.Option("--dsn", help="A PostgreSQL server to make a database on and drop it; without it an embedded one.")
]


def _package() -> None:
    """Load the package, or end with the reason: wheels and images are made without it."""
    try:
        import benchmarks.registry  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        if error.name not in ("benchmarks", "benchmarks.registry"):
            raise
        err.print("The benchmarks are not part of this installation: run them from a checkout of the repository.", style="red")
        raise typer.Exit(1) from None


def _given(settings: list[str], seconds: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text} is not name=value")
        found[name] = value
    return found if seconds is None else {**found, "seconds": seconds}


@bench.command(BENCH, hidden=True)
def run(
    name: Annotated[str, typer.Argument(help="Which one; `plusone bench list` names them.")],
    quick: Annotated[bool, typer.Option("--quick", help="The short form: seconds instead of minutes.")] = False,
    seconds: Seconds = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Another parameter of the bench, as name=value.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the findings there too; findings of other benches in it stay.")] = None,
    dsn: Server = None,
) -> None:
    """Run one benchmark, or `all` of them."""
    _package()
    from benchmarks import registry
    from benchmarks.frame import Size

    chosen = registry.benches() if name == ALL else [one for one in [registry.bench(name)] if one]
    if not chosen:
        err.print(f"There is no bench {name}; there are {', '.join(one.name for one in registry.benches())}.", markup=False)
        raise typer.Exit(2)
    given = _given(setting or [], seconds)
    for one in chosen:
        fitting = {key: value for key, value in given.items() if name != ALL or key in one.full}
        result = _run(one, Size.QUICK if quick else Size.FULL, fitting, dsn)
        _show(result)
        if file is not None:
            _keep(file, result)


def _run(one: Bench, size: Size, given: Mapping[str, Any], dsn: str | None) -> Result:
    from benchmarks import frame

    out.print(f"[bold]{one.name}[/bold]  {one.purpose}", highlight=False)
    try:
        return frame.run(one, size=size, console=out, dsn=dsn, given=given)
    except frame.BadParameter as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    except frame.BenchRefused as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        err.print("Interrupted.")
        raise typer.Exit(130) from None


def _show(result: Result) -> None:
    from benchmarks import frame

    for grid in frame.tables(result):
        out.print(grid, "")
    out.print(frame.table(result))
    for note in result.notes:
        out.print(f"  {note}", markup=False, highlight=False)
    machine = result.machine
    text = f"{machine.cpu}, {machine.cores} cores, {machine.ram_gib} GiB; Python {machine.python}; PostgreSQL {machine.postgresql or '-'}"
    out.print(
        f"  {text}; load {frame.shown(machine.load_before)} before, {frame.shown(machine.load_after)} after\n",
        markup=False,
        highlight=False,
    )


def _keep(file: Path, result: Result) -> None:
    kept = json.loads(file.read_text()) if file.exists() else []
    others = [one for one in kept if one["bench"] != result.bench]
    file.write_text(json.dumps([*others, result.as_json()], indent=1, ensure_ascii=False) + "\n")


@bench.command("list")
def list_all() -> None:
    """Name the benchmarks and what each is for."""
    _package()
    from benchmarks import registry

    table = Table(show_edge=False)
    for column in ("name", "what it measures", "parameters of the full form"):
        table.add_column(column)
    for one in registry.benches():
        table.add_row(one.name, one.purpose, ", ".join(f"{name}={value}" for name, value in one.full.items()))
    out.print(table)


@bench.command()
def seed(
    orders: Annotated[int, typer.Option(min=1, help="How many orders, with everything that belongs to them.")] = 100_000,
    members: Annotated[int | None, typer.Option(min=1, help="Members of the app; one per ten orders without it.")] = None,
    shops: Annotated[int | None, typer.Option(min=1, help="Shops; one per thousand orders without it.")] = None,
    seed_number: Annotated[int, typer.Option("--seed", help="Another number, other data.")] = 1,
    until: Annotated[datetime | None, typer.Option(help="The present of the data, UTC; now without it.")] = None,
    dsn: Annotated[str | None, typer.Option("--dsn", help="A database without shops; without it the one of the settings.")] = None,
) -> None:
    """Fill an empty database with realistic data, by COPY."""
    _package()
    from benchmarks.frame import BenchRefused
    from benchmarks.seed import Seeded
    from benchmarks.seed import seed as fill
    from benchmarks.seed_world import Plan
    from plusone import runtime, start

    present = until.replace(tzinfo=UTC) if until else datetime.now(UTC).replace(microsecond=0)
    plan = Plan(orders, members or max(10, orders // 10), shops or max(3, orders // 1000), present, seed_number)

    def main(_: object, address: str) -> None:
        asyncio.run(runtime.migrate(address))
        columns = (TextColumn("seeding"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=out, transient=True) as progress:
            task = progress.add_task("", total=orders)
            done: Seeded = asyncio.run(fill(address, plan, told=lambda more: progress.advance(task, more)))
        out.print(
            f"{done.orders:,} orders, {done.rows:,} rows in {done.seconds:.0f} s: {done.orders_per_second:,.0f} orders/s.", highlight=False
        )

    try:
        if dsn:
            main(None, dsn)
        else:
            start.with_database(main, prepared=False)
    except (BenchRefused, runtime.StartRefused) as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
