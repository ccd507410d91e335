"""The frame of all benchmarks: what one is, what a run is given, and what it answers.

    async def measure(run: Run, *, seconds: float, posts: int) -> None:
        async with house.database(run) as database:            # migrated, empty, gone afterwards
            with run.step("comments come in"):
                ...
        run.figure("comments decided", 5_310, "1/s", at_least=5_000)
        run.ratio("of the bare statement", 0.21)
        run.note("the load generator shares the two cores")

    BENCH = Bench("claims", "signed deliveries to decided comments", measure,
                  full={"seconds": 60.0, "posts": 4}, quick={"seconds": 5.0, "posts": 4}, smallest={"seconds": 0.5, "posts": 1})

`registry.MODULES` names the module, and `plusone bench claims` runs it. The keys of `full` and `quick` are the keywords of the function.
Figures may carry a bar: it is shown beside them and never fails a run, for a run says as much about the machine as about the program.
"""

from __future__ import annotations

import asyncio
import math
import os
import platform
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from plusone import processes

RATIO: Final = "x"


class BadParameter(ValueError):
    """The bench has no such parameter, or not with such a value."""


class BenchRefused(Exception):
    """The bench cannot run here; the message says why."""


class Size(StrEnum):
    FULL = "full"
    QUICK = "quick"
    """All benches in less than three minutes."""
    SMALLEST = "smallest"
    """Only shows that the bench works: for tests."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit (`x` for a ratio), and the bar it is held against where there is one."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without a bar or without a value."""
        if math.isnan(self.value) or (self.at_least is None and self.at_most is None):
            return None
        return (self.at_least is None or self.value >= self.at_least) and (self.at_most is None or self.value <= self.at_most)

    @property
    def bar(self) -> str:
        """The bar as people write it."""
        parts = [
            f"≥ {shown(self.at_least)}" if self.at_least is not None else "",
            f"≤ {shown(self.at_most)}" if self.at_most is not None else "",
        ]
        return " and ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of what was measured side by side: the first column names the row, the others are numbers or words."""

    title: str
    columns: list[str]
    rows: list[list[str | float | None]] = field(default_factory=list)

    def add(self, name: str, *values: str | float) -> None:
        """A row; NaN is what could not be had."""
        self.rows.append([name, *(None if isinstance(value, float) and math.isnan(value) else value for value in values)])


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run took place. `load` is the run queue's length over a minute, before and after: far above 0 before means neighbours."""

    cpu: str
    cores: int
    ram_gib: float
    system: str
    python: str
    postgresql: str = ""
    load_before: float = math.nan
    load_after: float = math.nan


@dataclass(frozen=True, slots=True)
class Result:
    """What a run answers."""

    bench: str
    purpose: str
    size: Size
    parameters: Mapping[str, Any]
    figures: list[Figure]
    grids: list[Grid]
    notes: list[str]
    machine: Machine
    started_at: datetime
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a file; `from_json` reads them again. A figure that could not be had is null."""
        plain = asdict(self)
        for one in plain["figures"]:
            one["value"] = None if math.isnan(one["value"]) else one["value"]
        machine = plain["machine"]
        plain["machine"] = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in machine.items()}
        return {**plain, "size": self.size.value, "started_at": self.started_at.isoformat(timespec="seconds")}


def from_json(plain: Mapping[str, Any]) -> Result:
    """A result as `as_json` wrote it."""
    figures = [Figure(**{**one, "value": math.nan if one["value"] is None else one["value"]}) for one in plain["figures"]]
    known = {name: value for name, value in plain["machine"].items() if value is not None}
    grids = [Grid(**one) for one in plain["grids"]]
    more = {"figures": figures, "grids": grids, "machine": Machine(**known), "size": Size(plain["size"])}
    return Result(**{**plain, **more, "started_at": datetime.fromisoformat(plain["started_at"])})


@dataclass(slots=True)
class Run:
    """One run of one bench: what it was asked for, and what it has found so far."""

    size: Size
    console: Console
    given_dsn: str | None = None
    """A PostgreSQL server to make the run's database on, in place of an embedded one."""
    figures: list[Figure] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    postgresql: str = ""
    """The server's version, once there is one."""

    def figure(self, name: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Note a figure."""
        self.figures.append(Figure(name, float(value), unit, at_least, at_most))

    def ratio(self, name: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Note a ratio of two things measured in this run."""
        self.figure(name, value, RATIO, at_least=at_least, at_most=at_most)

    def grid(self, title: str, *columns: str) -> Grid:
        """A table for what is measured side by side; the caller adds the rows."""
        self.grids.append(Grid(title, list(columns)))
        return self.grids[-1]

    def note(self, text: str) -> None:
        """A sentence that belongs below the figures."""
        self.notes.append(text)

    @contextmanager
    def step(self, text: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Show what is going on until the block ends; with `total` a bar that the yielded function moves on."""
        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), *([BarColumn(), MofNCompleteColumn()] if total else [])]
        with Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True) as progress:
            task = progress.add_task(text, total=total)
            yield lambda amount: progress.advance(task, amount)


Measure = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark: `measure(run, **parameters)` with the parameters of its three sizes."""

    name: str
    purpose: str
    """One line."""
    measure: Measure
    full: Mapping[str, Any]
    quick: Mapping[str, Any]
    smallest: Mapping[str, Any]

    def parameters(self, size: Size, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a size with those that were given by name.

        Raises:
            BadParameter: a name that this bench does not have.
        """
        sizes = {Size.FULL: self.full, Size.QUICK: self.quick, Size.SMALLEST: self.smallest}
        found = dict(sizes[size])
        for name, value in given.items():
            if name not in found:
                raise BadParameter(f"{self.name} has no parameter {name}; it has {', '.join(found) or 'none'}")
            found[name] = _like(found[name], value, f"{self.name}'s {name}")
        return found


def _like(example: Any, value: Any, what: str) -> Any:
    """A value as given on the command line, of the example's type."""
    try:
        if isinstance(example, tuple):
            return tuple(type(example[0])(part) for part in str(value).split(","))
        return type(example)(value)
    except ValueError:
        raise BadParameter(f"{what} is like {example!r}, not {value!r}") from None


def run(bench: Bench, *, size: Size, console: Console, dsn: str | None = None, given: Mapping[str, Any] | None = None) -> Result:
    """Run a bench to its end in a loop of its own. SIGINT and SIGTERM cancel it, so that what it started ends with it.

    Raises:
        BadParameter, BenchRefused: see there.
        asyncio.CancelledError, KeyboardInterrupt: it was told to end.
    """
    parameters = bench.parameters(size, given or {})
    this = Run(size, console, dsn)
    before, started_at, started = _load(), datetime.now(UTC), time.perf_counter()

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await bench.measure(this, **parameters)
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    processes.run(main)
    seconds = time.perf_counter() - started
    return Result(
        bench.name, bench.purpose, size, parameters, this.figures, this.grids, this.notes, machine(this.postgresql, before), started_at,
        round(seconds, 1),
    )  # fmt: skip


def machine(postgresql: str = "", load_before: float = math.nan) -> Machine:
    """The machine that this process runs on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    system = f"{platform.system()} {platform.release()}"
    return Machine(
        _cpu(), os.cpu_count() or 1, round(pages / 2**30, 1), system, platform.python_version(), postgresql, load_before, _load()
    )


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _load() -> float:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return math.nan


def shown(value: float) -> str:
    """A number with as many digits as say something."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def cell(value: str | float | None) -> str:
    """A value of a grid as people read it."""
    return "-" if value is None else value if isinstance(value, str) else shown(value)


def tables(result: Result) -> Iterator[Table]:
    """The grids as the command line shows them."""
    for grid in result.grids:
        found = Table(title=grid.title, title_justify="left", show_edge=False)
        for position, column in enumerate(grid.columns):
            found.add_column(column, justify="right" if position else "left")
        for row in grid.rows:
            found.add_row(*(cell(value) for value in row))
        yield found


def table(result: Result) -> Table:
    """The figures as the command line shows them."""
    found = Table(title=f"{result.bench} ({result.size.value}, {result.seconds:.0f} s)", title_justify="left", show_edge=False)
    found.add_column("figure")
    found.add_column("value", justify="right")
    found.add_column("unit")
    found.add_column("bar")
    for one in result.figures:
        verdict = {None: "", True: "  met", False: "  not met"}[one.holds]
        found.add_row(one.name, shown(one.value), one.unit, f"{one.bar}{verdict}")
    return found
