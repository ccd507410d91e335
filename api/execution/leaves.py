"""Leaf values in compiled plans: the expressions that write them exactly as graphql-core's `complete_leaf_value` does.

An expression takes the usual Python type the short way and hands every other value to a function that does what the executor would do,
or says that the value does not fit. Nothing of a document is in an expression: names are ours, constants are bound in the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from math import inf
from typing import Any, Final
from uuid import UUID

import orjson
from graphql import GraphQLBoolean, GraphQLEnumType, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLScalarType, GraphQLString, Undefined
from graphql.pyutils import is_awaitable
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from api.execution.rows import Writers

Write = Callable[[Any], Any]

PLAIN: Final = frozenset({str, int, float, bool, bytes, datetime, Decimal, UUID, list, tuple, dict})
"""Exact types that are a value and nothing else: not awaited, not called, not raised."""
WRITTEN: Final = frozenset({str, int, float, bool})
LEAF_ENUMS: Final = (GraphQLEnumType.coerce_output_value, CustomGraphQLEnumType.coerce_output_value)


class Misfit(Exception):
    """A value that a plan does not write: graphql-core's executor completes the whole subtree instead, and reports what is wrong."""


def misfit(_value: Any = None) -> Any:
    """Raises Misfit."""
    raise Misfit


def at_once(value: Any) -> Any:
    """What a resolver FROM_ROW answered, unless it must be awaited; such an answer is closed, for the executor asks again.

    Raises:
        Misfit: it must be awaited.
    """
    if type(value) in PLAIN or not is_awaitable(value):
        return value
    _close(value)
    raise Misfit


def careful(write: Write, *, nullable: bool) -> Write:
    """Writes any value of a leaf as the executor does; a null only where one may be."""

    def written(value: Any) -> Any:
        if value is None and nullable:
            return None
        kind = type(value)
        if kind not in PLAIN and (isinstance(value, Exception) or callable(value) or is_awaitable(value)):
            raise Misfit
        if value is None or value is Undefined:
            raise Misfit
        return finished(write(value))

    return written


def finished(done: Any) -> Any:
    """What a scalar wrote, unless it is null or must be awaited.

    Raises:
        Misfit: it is.
    """
    if done is None or done is Undefined:
        raise Misfit
    if type(done) not in PLAIN and is_awaitable(done):
        _close(done)
        raise Misfit
    return done


def enum_names(type_: GraphQLEnumType) -> Mapping[Any, str]:
    """The names by the values that rows hold: those of the type, and the members of its Python enum."""
    values = [value.value for value in type_.values.values()]
    values += list(getattr(type_, "wrapped_cls", ()))
    found: dict[Any, str] = {}
    for value in values:
        if isinstance(value, (str, int, Enum)) and not callable(value):
            name = type_.coerce_output_value(value)
            if found.setdefault(value, name) != name:
                return {}
    return found


def utc_text(value: datetime) -> str | None:
    """RFC 3339 with `Z`, as orjson writes it in a tenth of `isoformat`'s time; None for an instant in another zone."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)[1:-1].decode() if value.tzinfo is UTC else None


class Leaves:
    """Makes the expressions; `bind` gives a value a name in the plan's environment."""

    def __init__(self, bind: Callable[[str, Any], str], writers: Writers) -> None:
        self._bind = bind
        self._quick = writers
        self._writers: dict[tuple[Any, bool], str] = {}
        self._named: dict[Any, str] = {}

    def expression(self, type_: GraphQLScalarType | GraphQLEnumType, given: str, x: str, *, nullable: bool) -> str:
        """Writes the value of the expression `given`; `x` names it (`x` and `given` are the same for a name)."""
        first = x if given == x else f"({x} := {given})"
        other = f"{self._careful(type_, nullable=nullable)}({x})"
        if type_ is GraphQLString or type_ is GraphQLID:
            return f"({x} if type({first}) is str else {other})"
        if type_ is GraphQLBoolean:
            return f"({x} if type({first}) is bool else {other})"
        if type_ is GraphQLInt:
            return f"({x} if type({first}) is int and -2147483648 <= {x} <= 2147483647 else {other})"
        if type_ is GraphQLFloat:
            return f"({x} if type({first}) is float and -{self._once('inf', inf)} < {x} < {self._once('inf', inf)} else {other})"
        if isinstance(type_, GraphQLEnumType):
            return self._enum(type_, given, x, nullable=nullable)
        return self._scalar(type_, first, x, other)

    def _enum(self, type_: GraphQLEnumType, given: str, x: str, *, nullable: bool) -> str:
        if type(type_).coerce_output_value not in LEAF_ENUMS or not (names := enum_names(type_)):
            return f"{self._careful(type_, nullable=nullable)}({given})"
        table = self._once(type_, names)
        first = x if given == x else f"({x} := {given})"
        return f"(None if {first} is None else {table}[{x}])" if nullable else f"{table}[{given}]"

    def _scalar(self, type_: GraphQLScalarType, first: str, x: str, other: str) -> str:
        if type_.name in self._quick:
            kind, quick = self._quick[type_.name]
            done = f"{x}_"
            short = f"({done} if ({done} := {self._once((type_, 'quick'), quick)}({x})) is not None else {other})"
            return f"({short} if type({first}) is {self._once(kind, kind)} else {other})"
        write = type_.coerce_output_value
        plain, done = self._once("PLAIN", PLAIN), f"{x}_"
        if write is str:  # str() of a plain value is a text
            return f"(str({x}) if type({first}) in {plain} else {other})"
        written, finish = self._once("WRITTEN", WRITTEN), self._once("finished", finished)
        short = f"({done} if type({done} := {self._once(type_, write)}({x})) in {written} else {finish}({done}))"
        return f"({short} if type({first}) in {plain} else {other})"

    def _careful(self, type_: GraphQLScalarType | GraphQLEnumType, *, nullable: bool) -> str:
        key = (type_, nullable)
        if key not in self._writers:
            self._writers[key] = self._bind("w", careful(type_.coerce_output_value, nullable=nullable))
        return self._writers[key]

    def _once(self, key: Any, value: Any) -> str:
        if key not in self._named:
            self._named[key] = self._bind("k", value)
        return self._named[key]


def _close(awaitable: Any) -> None:
    close = getattr(awaitable, "close", None)
    if callable(close):
        close()
