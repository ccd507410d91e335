"""Dataclasses made without compiling most of their methods answer as Python's own do."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from plusone import quick_dataclasses

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="from 3.13 on Python compiles a class at once, and nothing is replaced")

Class = type[Any]


def made(**how: bool) -> Class:
    """A class of three fields, one of them not compared and one not shown."""

    @dataclasses.dataclass(**how)
    class Thing:
        name: str
        price: int = dataclasses.field(default=5, compare=False)
        secret: str = dataclasses.field(default="s", repr=False)

    return Thing


def small(**how: bool) -> tuple[Class, Class]:
    """Classes of one field, and of none."""

    @dataclasses.dataclass(**how)
    class One:
        only: Any

    @dataclasses.dataclass(**how)
    class Nothing: ...

    return One, Nothing


HOWS = [{}, {"frozen": True}, {"frozen": True, "slots": True}, {"slots": True, "unsafe_hash": True}, {"order": True}, {"eq": False}]


@pytest.fixture(params=HOWS, ids=lambda how: "+".join(how) or "plain")
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[Class, ...], tuple[Class, ...]]:
    """The same classes as Python makes them and as we do."""
    theirs = (made(**request.param), *small(**request.param))
    for name, method in quick_dataclasses.OURS.items():
        monkeypatch.setattr(dataclasses, name, method)
    return theirs, (made(**request.param), *small(**request.param))


def outcome(act: Any) -> Any:
    """What an act answers, or how it fails."""
    try:
        return act()
    except Exception as error:
        return type(error), str(error)


def test_they_compare_hash_and_show_alike(pair: tuple[tuple[Class, ...], tuple[Class, ...]]) -> None:
    def answers(classes: tuple[Class, ...]) -> list[Any]:
        thing, one, nothing = classes
        a, b, c = thing("a", 1), thing("a", 2), thing("b", 1, "other")
        nan = float("nan")
        return [
            a == b, a == c, a != b, a == thing("a", 1, "other"), a == "a", a.__eq__("a"), one(nan) == one(nan), one((1,)) == one(1), nothing() == nothing(),
            [outcome(lambda value=value: isinstance(hash(value), int)) for value in (a, one(1), nothing())],
            outcome(lambda: hash(a) == hash(b)), outcome(lambda: hash(a) == hash(c)), outcome(lambda: hash(one("x")) == hash(("x",))),
            outcome(lambda: hash(nothing()) == hash(())), outcome(lambda: a < c), outcome(lambda: a <= b),
            repr(a), repr(c), repr(one([1, "x"])), repr(nothing()),
        ]  # fmt: skip

    theirs, ours = pair
    if thing_eq := vars(theirs[0]).get("__eq__"):
        assert thing_eq.__qualname__ == vars(ours[0])["__eq__"].__qualname__
    assert answers(ours) == answers(theirs)


def test_one_that_holds_itself_is_shown(pair: tuple[tuple[Class, ...], tuple[Class, ...]]) -> None:
    shown = []
    for _, one, _ in pair:
        inside: list[Any] = []
        value = one(inside)
        inside.append(value)
        shown.append(repr(value))
    assert shown[0] == shown[1]
    assert "..." in shown[0]


def test_frozen_ones_are_guarded_alike(pair: tuple[tuple[Class, ...], tuple[Class, ...]]) -> None:
    def answers(classes: tuple[Class, ...]) -> list[Any]:
        found: list[Any] = []
        for cls, given in zip(classes, (("a",), (1,), ()), strict=True):
            child = type("Child", (cls,), {})
            for value in (cls(*given), child(*given)):
                for name in ("name", "only", "stranger"):
                    found.append((name, outcome(lambda: setattr(value, name, 3)), getattr(value, name, None)))  # noqa: B023
                    found.append((name, outcome(lambda: delattr(value, name)), getattr(value, name, None)))  # noqa: B023
        return found

    theirs, ours = pair
    assert answers(ours) == answers(theirs)


def test_the_command_line_makes_them_so() -> None:
    told = "from plusone import __main__; import dataclasses; print(dataclasses._repr_fn.__module__)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == quick_dataclasses.__name__
