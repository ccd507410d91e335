"""Writes the findings of benches into the documentation: `python -m benchmarks.report FINDINGS.json [docs/performance.md]`.

FINDINGS.json is what `plusone bench … --json` wrote. For each bench in it, what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`
is replaced; the rest of the file, and benches without findings, stay as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.frame import Grid, Machine, Result, cell, from_json, shown

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"


class NoPlace(ValueError):
    """The document has no place for a bench."""


def section(result: Result) -> str:
    """The findings of one bench as Markdown."""
    lines = [_when(result), ""]
    for grid in result.grids:
        lines += [*_grid(grid), ""]
    lines += [*_figures(result), ""]
    lines += [f"* {note}" for note in result.notes]
    return "\n".join(lines).strip()


def _when(result: Result) -> str:
    parameters = ", ".join(f"{name} {_value(value)}" for name, value in result.parameters.items())
    return f"{result.started_at:%Y-%m-%d}, {result.size.value} form ({parameters}), {result.seconds:.0f} s. {_machine(result.machine)}"


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_value(one) for one in value)
    return shown(float(value)) if isinstance(value, int | float) else str(value)


def _machine(machine: Machine) -> str:
    load = f"load {shown(machine.load_before)} before and {shown(machine.load_after)} after"
    postgresql = f", PostgreSQL {machine.postgresql}" if machine.postgresql else ""
    return f"{machine.cpu}, {machine.cores} cores, {machine.ram_gib} GiB, {machine.system}, Python {machine.python}{postgresql}; {load}."


def _grid(grid: Grid) -> Iterator[str]:
    yield f"**{grid.title}**"
    yield ""
    yield _row(grid.columns)
    yield _row(["---", *["---:"] * (len(grid.columns) - 1)])
    yield from (_row([cell(value) for value in row]) for row in grid.rows)


def _figures(result: Result) -> Iterator[str]:
    if not result.figures:
        return
    yield _row(["figure", "value", "bar", ""])
    yield _row(["---", "---:", "---", "---"])
    verdicts = {None: "", True: "met", False: "not met"}
    for one in result.figures:
        yield _row([one.name, f"{shown(one.value)} {one.unit}".strip(), one.bar, verdicts[one.holds]])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(document: str, results: Sequence[Result]) -> str:
    """The document with these findings in their places.

    Raises:
        NoPlace: one of them has none.
    """
    for result in results:
        begin, end = f"<!-- bench:{result.bench} -->", f"<!-- /bench:{result.bench} -->"
        head, found, rest = document.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise NoPlace(f"the document has no {begin} … {end}")
        document = f"{head}{begin}\n{section(result)}\n{end}{tail}"
    return document


def main(arguments: Sequence[str]) -> int:
    """Exit code 0, or 2 with the reason."""
    if not arguments:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    document = Path(arguments[1]) if len(arguments) > 1 else DOCUMENT
    results = [from_json(one) for one in json.loads(Path(arguments[0]).read_text())]
    try:
        document.write_text(written(document.read_text(), results))
    except NoPlace as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
