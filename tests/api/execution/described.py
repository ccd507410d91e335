"""Finds the tests in graphql-core's own test files, which nest them as functions in `describe_…` functions (pytest-describe's way)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

FOLDER = Path(__file__).parents[2] / "fixtures" / "graphql_core"
PREFIX = "describe_"


def cleanup(rounds: int = 5) -> None:
    """graphql-core's fixture of this name."""
    for _ in range(rounds):
        gc.collect()


def modules() -> list[str]:
    """Their names. The files end in `.txt`, for they keep their own style."""
    return sorted(path.name.removesuffix(".py.txt") for path in FOLDER.glob("*.py.txt"))


def load(name: str) -> ModuleType:
    """One of the files, as a module."""
    path = FOLDER / f"{name}.py.txt"
    module = ModuleType(f"graphql_core_{name}")
    sys.modules[module.__name__] = module
    exec(compile(path.read_text(), path, "exec"), vars(module))
    return module


def described(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The tests of a file with their names."""
    for name, found in vars(module).items():
        if name.startswith(PREFIX):
            yield from _within(name.removeprefix(PREFIX), found)


def _within(name: str, describe: Callable[[], Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for inner, found in _locals_of(describe).items():
        if inner.startswith(PREFIX):
            yield from _within(f"{name}.{inner.removeprefix(PREFIX)}", found)
        elif not inner.startswith("_") and isinstance(found, FunctionType) and found.__module__ == describe.__module__:
            yield f"{name}.{inner}", found


def _locals_of(function: Callable[[], Any]) -> dict[str, Any]:
    """What a function has defined when it returns."""
    found: dict[str, Any] = {}
    code = function.__code__  # type: ignore[attr-defined]

    def look(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update({name: value for name, value in frame.f_locals.items() if name in code.co_varnames or name in code.co_cellvars})

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(before)
    return found
