"""Every bench in its smallest form: it runs, answers figures, and leaves nothing behind. How fast it was is nobody's business here."""

from __future__ import annotations

import json
import math
import os
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import frame, registry, report
from benchmarks.frame import BadParameter, Bench, Figure, Result, Size
from tests.serving import SECRET_KEY, environment, plusone

NEEDED = {
    "reads": {"home, 2: requests/s of by hand, JSON", "unpaid, 2: web CPU of by hand, rows", "notices, 2: requests/s of the ordinary way"},
    "growth": {"home: 300 against 100 orders", "desk: stock: 300 against 100 orders"},
    "start": {"first answer, server running", "first answer, embedded server stopped before"},
    "push": {"20 phones: all arrived", "20 phones: doubled"},
    "claims": {"deliveries of 20 to 100: decided, while they came", "bare set-based statement, 100 orders each"},
    "drain": {"buyers all new: Python", "20 regulars: PostgreSQL"},
    "scaling": {"lane limit", "dollars per month"},
    "memory": {"growth of serve in the second half", "growth of work in the second half", "comments decided"},
}
EXACT = {"20 phones: doubled": 0.0, "of them wrong": 0.0}


def leftovers() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("plusone-bench-*")}


def children() -> list[str]:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


@pytest.mark.bench
@pytest.mark.parametrize("name", NEEDED)
def test_a_bench_answers_figures_and_leaves_nothing(name: str) -> None:
    bench = registry.bench(name)
    assert bench is not None
    before, ours = leftovers(), children()
    out = StringIO()
    result = frame.run(bench, size=Size.SMALLEST, console=Console(file=out))
    assert leftovers() - before == set()
    assert children() == ours
    figures = {one.name: one for one in result.figures}
    assert NEEDED[name] - figures.keys() == set()
    assert {n: figures[n].value for n in EXACT.keys() & figures.keys()} == {n: v for n, v in EXACT.items() if n in figures}
    assert all(one.value >= 0 or math.isnan(one.value) or "growth" in one.name for one in result.figures)
    assert sum(not math.isnan(one.value) for one in result.figures) >= len(NEEDED[name])
    assert all(len(row) == len(grid.columns) for grid in result.grids for row in grid.rows)
    kept = json.loads(json.dumps(result.as_json()))
    assert json.loads(json.dumps(frame.from_json(kept).as_json())) == kept
    Console(file=out).print(frame.table(result), *frame.tables(result))
    assert bench.name in out.getvalue()


def a_result(**more: object) -> Result:
    machine = frame.machine("18.4", 0.1)
    plain = {
        "bench": "reads", "purpose": "so", "size": Size.QUICK, "parameters": {"seconds": 1.0, "sizes": (1_000, 2)}, "figures": [],
        "grids": [], "notes": ["noisy"], "machine": machine, "started_at": frame.datetime(2026, 11, 21, tzinfo=frame.UTC), "seconds": 2.0,
    }  # fmt: skip
    return Result(**{**plain, **more})  # type: ignore[arg-type]


def test_a_figure_is_held_against_its_bar() -> None:
    assert Figure("x", 1.0, "x").holds is None
    assert Figure("x", 1.0, "x", at_least=1.0).holds is True
    assert Figure("x", 0.9, "x", at_least=1.0).holds is False
    assert Figure("x", 3.6, "x", at_most=3.5).holds is False
    assert Figure("x", math.nan, "x", at_most=3.5).holds is None
    assert Figure("x", 1.0, "x", at_least=0.75, at_most=3.5).bar == "≥ 0.750 and ≤ 3.50"


def test_a_report_replaces_only_its_place() -> None:
    grid = frame.Grid("side by side", ["way", "requests/s"])
    grid.add("ours", 1234.0)
    grid.add("theirs", math.nan)
    result = a_result(grids=[grid], figures=[Figure("ratio", 0.8, "x", at_least=0.75)])
    document = "before\n<!-- bench:reads -->\nold\n<!-- /bench:reads -->\nafter <!-- bench:push -->kept<!-- /bench:push -->\n"
    written = report.written(document, [result])
    assert written.startswith("before\n<!-- bench:reads -->\n2026-11-21, quick form (seconds 1, sizes 1,000/2), 2 s.")
    assert written.endswith("<!-- /bench:reads -->\nafter <!-- bench:push -->kept<!-- /bench:push -->\n")
    assert "| ours | 1,234 |\n| theirs | - |\n" in written
    assert "| ratio | 0.800 x | ≥ 0.750 | met |" in written
    assert "old" not in written
    assert report.written(written, [result]) == written
    with pytest.raises(report.NoPlace):
        report.written("nothing", [result])


def test_the_page_has_a_place_for_every_bench() -> None:
    page = report.DOCUMENT.read_text()
    for name in registry.MODULES:
        assert page.count(f"<!-- bench:{name} -->") == page.count(f"<!-- /bench:{name} -->") == 1


def test_parameters_are_those_of_the_bench() -> None:
    bench = registry.bench("reads")
    assert bench is not None
    found = bench.parameters(Size.QUICK, {"orders": "70", "screens": "home,unpaid", "connections": "4", "seconds": 0.5})
    assert (found["orders"], found["screens"], found["connections"], found["seconds"]) == (70, ("home", "unpaid"), (4,), 0.5)
    with pytest.raises(BadParameter, match="has no parameter colour"):
        bench.parameters(Size.FULL, {"colour": "red"})
    with pytest.raises(BadParameter, match="reads's orders is like"):
        bench.parameters(Size.QUICK, {"orders": "many"})


@pytest.mark.parametrize("bench", registry.benches(), ids=lambda bench: bench.name)
def test_all_sizes_have_the_same_parameters(bench: Bench) -> None:
    assert list(bench.full) == list(bench.quick) == list(bench.smallest)
    assert "\n" not in bench.purpose


ENV = environment(PLUSONE_SECRET_KEY=SECRET_KEY)


def test_the_command_line_runs_a_bench_and_keeps_its_findings(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    found.write_text(json.dumps([a_result().as_json()]))
    done = plusone("bench", "push", "--quick", "--set", "devices=5", "--json", str(found), cwd=tmp_path, env=ENV, timeout=180, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "5 phones: all arrived" in done.stdout
    kept = json.loads(found.read_text())
    assert [one["bench"] for one in kept] == ["reads", "push"]
    assert kept[1]["parameters"] == {"devices": [5]}


def test_the_command_line_names_the_benches_and_refuses_others(tmp_path: Path) -> None:
    listed = plusone("bench", "list", cwd=tmp_path, env=ENV)
    assert listed.returncode == 0
    assert [one.name for one in registry.benches() if one.name not in listed.stdout] == []
    for words in (["nothing"], ["push", "--set", "colour=red"], ["push", "--set", "colour"]):
        done = plusone("bench", *words, cwd=tmp_path, env=ENV)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_the_command_line_seeds_a_database(tmp_path: Path, server_dsn: str) -> None:
    done = plusone("bench", "seed", "--orders", "50", "--members", "9", "--shops", "2", cwd=tmp_path, env=ENV, timeout=120, fresh=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("50 orders, ")
    again = plusone("bench", "seed", "--orders", "50", cwd=tmp_path, env=ENV, timeout=120)
    assert again.returncode == 1
    assert "has shops or members already" in again.stderr
