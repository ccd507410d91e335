"""Dataclasses whose `__eq__`, `__hash__`, `__repr__` and guards against changes are not compiled one by one, which took a sixth of the start.

Python 3.11 and 3.12 write each of these methods as text and compile it, for 750 classes of ours and of libraries, three thousand times in all; from 3.13
on a class is one text. Here they are closures over the fields' names, with the same answers (`tests/plusone/test_quick_dataclasses.py` holds them against
Python's own). `__init__` stays compiled: it is what runs often. To be installed before anything is loaded; nothing depends on it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

Names = Sequence[str]
Fields = Sequence["dataclasses.Field[Any]"]
Method = Callable[..., Any]

_compare: Final[Method | None] = getattr(dataclasses, "_cmp_fn", None)


def values_of(names: Names) -> Callable[[Any], Any]:
    """A function that answers these attributes of an object as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _: ()
    only = attrgetter(names[0])
    return lambda self: (only(self),)


def _cmp_fn(name: str, op: str, self_tuple: str, other_tuple: str, globals: dict[str, Any]) -> Method:
    if op != "==":
        assert _compare is not None
        order: Method = _compare(name, op, self_tuple, other_tuple, globals)
        return order
    values = values_of([part.removeprefix("self.") for part in self_tuple.strip("()").split(",") if part])

    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    return __eq__


def _hash_fn(fields: Fields, _: dict[str, Any]) -> Method:
    values = values_of([field.name for field in fields])

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _repr_fn(fields: Fields, _: dict[str, Any]) -> Method:
    names = [field.name for field in fields]

    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{self.__class__.__qualname__}({shown})"

    guarded: Method = dataclasses._recursive_repr(__repr__)  # type: ignore[attr-defined]
    return guarded


def _frozen_get_del_attr(cls: type[Any], fields: Fields, _: dict[str, Any]) -> tuple[Method, Method]:
    names = frozenset(field.name for field in fields)

    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


OURS: Final[dict[str, Method]] = {
    "_cmp_fn": _cmp_fn,
    "_hash_fn": _hash_fn,
    "_repr_fn": _repr_fn,
    "_frozen_get_del_attr": _frozen_get_del_attr,
}


def install() -> None:
    """From now on, in this process."""
    if sys.version_info < (3, 13) and all(hasattr(dataclasses, name) for name in OURS):
        for name, method in OURS.items():
            setattr(dataclasses, name, method)
