"""The types of the schema are made in a third of the time that strawberry takes: half of the start of a process went into it.

Two things of strawberry's are done more cheaply, with the same outcome (`tests/api/graphql/test_quick.py` holds the schema against it):

* Every type becomes a dataclass, for which Python compiles `__init__`, `__repr__` and `__eq__` one by one, each with the types of all fields looked
  up. The objects of our answers are rows and never of these classes, so they get none of the three. Inputs, which are made, get all.
* An annotation is a text that is looked up several times for each field, by way of a syntax tree that is written down and compiled anew. Here it is
  evaluated once for each module that says it. What names something that is not there yet, or comes late (`strawberry.lazy`), is strawberry's business.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from re import compile as pattern
from types import GenericAlias, UnionType
from typing import Any, Final, ForwardRef

import strawberry
from strawberry import annotation
from strawberry.types import object_type
from strawberry.utils import typing as strawberry_typing

Class = type[Any]
Namespace = dict[str, Any]

PLAIN: Final = pattern(r"[\w.\[\], |]+")
"""Annotations without strings and calls."""
_known: dict[tuple[str, int], tuple[Any, Namespace | None]] = {}
"""By text and module; the namespace is kept, so that its id stays its own."""
_evaluate: Final[Callable[..., Any]] = strawberry_typing.eval_type


def evaluate(type_: Any, globalns: Namespace | None = None, localns: Namespace | None = None) -> Any:
    """strawberry's `eval_type`, with a memory.

    Raises:
        NameError: the text names something that is not there, or not yet.
    """
    if localns is not None or not isinstance(type_, ForwardRef):
        return _evaluate(type_, globalns, localns)
    key = (type_.__forward_arg__, id(globalns))
    if key not in _known:
        found = _at_once(key[0], globalns)
        if found is None:
            return _evaluate(type_, globalns)
        _known[key] = (found, globalns)
    found = _known[key][0]
    if isinstance(found, NameError):
        raise NameError(*found.args)
    return found


def _at_once(text: str, namespace: Namespace | None) -> Any:
    """What a plain annotation says, if that is made of classes alone; an error for what is never there; None for what strawberry must look at."""
    if not PLAIN.fullmatch(text):
        return None
    try:
        found = eval(text, {} if namespace is None else namespace)  # noqa: S307 -- an annotation of our own modules
    except NameError as error:
        return error.with_traceback(None) if namespace is None else None  # a field is looked at before its module is known, too
    return found if _is_classes(found) else None


def _is_classes(found: Any) -> bool:
    if isinstance(found, (GenericAlias, UnionType)):
        return all(_is_classes(part) for part in found.__args__)
    return isinstance(found, type)


class _Dataclasses:
    """The module `dataclasses` as strawberry's maker of types sees it. `inputs`: whether inputs are being made."""

    inputs = False

    def __getattr__(self, name: str) -> Any:
        return getattr(dataclasses, name)

    def dataclass(self, *, kw_only: bool) -> Callable[[Class], Class]:
        if self.inputs:
            return dataclasses.dataclass(kw_only=kw_only)
        return self._bare

    @staticmethod
    def _bare(cls: Class) -> Class:
        if not cls.__doc__:
            cls.__doc__ = cls.__name__  # dataclasses would write the signature
        return dataclasses.dataclass(cls, init=False, repr=False, eq=False, match_args=False, kw_only=True)


_dataclasses: Final = _Dataclasses()
_type: Final[Callable[..., Any]] = object_type.type


def _making(cls: Class | None = None, *, is_input: bool = False, **words: Any) -> Any:
    """strawberry's `type`, which also makes its inputs and interfaces."""

    def make(given: Class) -> Class:
        before, _dataclasses.inputs = _dataclasses.inputs, is_input
        try:
            made: Class = _type(given, is_input=is_input, **words)
        finally:
            _dataclasses.inputs = before
        return made

    return make if cls is None else make(cls)


def install() -> None:
    """Before the first type is made."""
    for module, name, ours in (
        (strawberry_typing, "eval_type", evaluate),
        (annotation, "eval_type", evaluate),
        (object_type, "dataclasses", _dataclasses),
        (object_type, "type", _making),
        (strawberry, "type", _making),
    ):
        setattr(module, name, ours)


install()
