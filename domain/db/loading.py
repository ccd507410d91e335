"""Tortoise, loaded without two things that it does for every program and that none of ours needs: they took a twelfth of a start.

It reads and parses the source of each model, its own base class's first, for comments that begin with `#:`; ours have none. And it compiles patterns of
host names with every letter there is, for validators of addresses that we have no fields for; here they wait until somebody looks for one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import Any, Final

EVERY_LETTER: Final = "\u00a1-\uffff"
_compile: Final[Callable[..., Any]] = re.compile


class Late:
    """A pattern that is compiled when it is first used."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._given = (pattern, flags)

    @cached_property
    def _made(self) -> re.Pattern[str]:
        made: re.Pattern[str] = _compile(*self._given)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


def _late(pattern: Any, flags: Any = 0) -> Any:
    return Late(pattern, flags) if isinstance(pattern, str) and EVERY_LETTER in pattern else _compile(pattern, flags)


def _no_source(_: object) -> str:
    raise OSError("nobody looks for comments here")


@contextmanager
def _instead(place: Any, name: str, ours: object) -> Iterator[None]:
    theirs = getattr(place, name)
    setattr(place, name, ours)
    try:
        yield
    finally:
        setattr(place, name, theirs)


def load() -> None:
    """Before the first model; again it does nothing more."""
    with _instead(re, "compile", _late), _instead(inspect, "getsource", _no_source):
        models = import_module("tortoise.models")
    models._get_comments = lambda _: {}  # type: ignore[attr-defined]


load()
