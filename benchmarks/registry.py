"""Which benchmarks there are. Their modules are loaded when they are asked for: some load half of the program and its libraries."""

from __future__ import annotations

import importlib
from typing import Final

from benchmarks.frame import Bench

MODULES: Final = ("reads", "growth", "start", "push", "memory", "claims", "drain", "scaling")
"""Modules of this package with a `BENCH`, or several in `BENCHES`; a bare `plusone bench` runs them in this order."""


def benches() -> list[Bench]:
    """All benches, in order."""
    found: list[Bench] = []
    for name in MODULES:
        try:
            module = importlib.import_module(f"benchmarks.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"benchmarks.{name}":
                raise
            continue
        found += getattr(module, "BENCHES", None) or [module.BENCH]
    return found


def bench(name: str) -> Bench | None:
    """The bench of this name."""
    return next((one for one in benches() if one.name == name), None)
