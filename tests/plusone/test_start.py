"""What a process that serves or works loads before it answers, and that it is the same process however it is started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from plusone import __main__ as program
from plusone import start

HEAVY = {
    "typer",
    "rich",
    "pygments",
    "pydantic_settings",
    "firebase_admin",
    "google.auth",
    "benchmarks",
    "plusone.cli",
    "plusone.demo",
    "tortoise.migrations",
}
ONLY_WORK = {"pgqueuer"}


def loaded(*modules: str) -> set[str]:
    told = f"import plusone.__main__, plusone.processes, plusone.runtime, plusone.logging, {', '.join(modules)}, sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split())


def test_serving_loads_nothing_that_only_other_commands_need() -> None:
    found = loaded("api.app")
    assert "api.graphql_app" in found
    assert found & (HEAVY | ONLY_WORK) == set()


def test_working_loads_neither_the_schema_nor_the_command_line() -> None:
    found = loaded("workers.main")
    assert {"pgqueuer", "domain.claims.offers"} <= found
    assert found & {"typer", "plusone.cli", "plusone.demo", "api.graphql_app", "benchmarks"} == set()


@pytest.mark.parametrize(
    ("words", "port", "started"),
    [
        (["serve"], None, ["serve"]),
        (["work"], None, ["work 8001"]),
        (["work"], "", ["work 8001"]),
        (["work"], "0", ["work 0"]),
        (["work"], "65535", ["work 65535"]),
        (["work"], "65536", ["cli"]),
        (["work"], "-1", ["cli"]),
        (["work"], "eighty", ["cli"]),
        (["work", "--health-port", "5"], None, ["cli"]),
        (["serve", "--help"], None, ["cli"]),
        (["doctor"], None, ["cli"]),
        ([], None, ["cli"]),
    ],
)
def test_only_a_plain_command_goes_past_the_command_line(
    monkeypatch: pytest.MonkeyPatch, words: Sequence[str], port: str | None, started: list[str]
) -> None:
    from plusone import cli

    done: list[str] = []
    monkeypatch.setattr(sys, "argv", ["plusone", *words])
    monkeypatch.delenv("PLUSONE_WORKER_PORT", raising=False)
    if port is not None:
        monkeypatch.setenv("PLUSONE_WORKER_PORT", port)
    monkeypatch.setattr(start, "serve", lambda: done.append("serve"))
    monkeypatch.setattr(start, "work", lambda number: done.append(f"work {number}"))
    monkeypatch.setattr(cli, "app", lambda **_: done.append("cli"))
    monkeypatch.setattr(program.gc, "freeze", lambda: None)
    program.main()
    assert done == started
