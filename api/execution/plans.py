"""Plans: parts of an operation compiled into Python functions that copy finished rows into the answer.

A part is one object or list with everything selected below it, where every field is read from a row (`api/execution/rows.py`), every type
is an object, list, scalar or enum, and nothing is deferred or streamed. Its function answers what graphql-core's executor would, or raises;
whatever it raises, the executor then completes the same value itself, so that errors, nulls and awaitables are the specification's.

Compiled source holds response keys and row keys as `repr()` and names of ours; nothing else of a document or schema is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    VariableNode,
    get_nullable_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import Executor

from api.execution.leaves import Leaves, at_once, misfit
from api.execution.limits import nodes_of
from api.execution.rows import Rows

Group = list[FieldDetails]
"""The places of a document that ask for one field of the answer."""

STATIC_DIRECTIVES: Final = frozenset({"skip", "include"})
LISTS: Final = (list, tuple)
SMALL: Final = 6
"""Leaves of an object that is written where it stands."""


class Unplannable(Exception):
    """This part of the operation has no plan: the executor completes it."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A field below the plan that is answered by a resolver FROM_ROW; bound once per request."""

    field: GraphQLField
    parent: GraphQLObjectType
    group: Group

    @property
    def is_constant(self) -> bool:
        """True when no variable is in its arguments."""
        return not any(isinstance(node, VariableNode) for argument in self.group[0].node.arguments or () for node in nodes_of(argument))


@dataclass(frozen=True, slots=True)
class Plan:
    """`run(value, asks)` answers the completed value; `asks` holds, at the numbers of `asked`, the bound resolvers."""

    run: Callable[[Any, Any], Any]
    asked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    asked: frozenset[int]


def key_of(type_: GraphQLOutputType, group: Group) -> Hashable:
    """What names a part within one document (whose nodes live as long as its plans) and one choice of its conditions."""
    if len(group) == 1:
        return (type_, id(group[0].node))
    return (type_, *(id(details.node) for details in group))


class Compiler:
    """Compiles parts of one document under one choice of its `@skip` and `@include` conditions; equal parts are compiled once.

    `most_fields`: of all its parts together. What goes beyond has no plan.
    """

    def __init__(self, rows: Rows, most_fields: int) -> None:
        self.fields = 0
        self.asks: list[Asking] = []
        self._rows = rows
        self._most_fields = most_fields
        self._functions: dict[Hashable, _Function | None] = {}
        self._sources: list[str] = []
        self._environment: dict[str, Any] = {"misfit": misfit, "at_once": at_once}
        self._names = 0
        self._leaves = Leaves(self._bind, rows.writers)

    def plan(self, executor: Executor[Any], type_: GraphQLOutputType, group: Group) -> Plan | None:
        """The plan of a part whose value is not null; None when it has none."""
        part = _Part(self, executor)
        try:
            name = self._name("p")
            self._sources.append(f"def {name}(v, b):\n return {part.value(type_, group, 'v', 'v', nullable=False)}")
            source = "\n".join(self._sources)
            self._sources.clear()
            exec(compile(source, "<plan>", "exec"), self._environment)  # noqa: S102  see the module's docstring
        except Exception:  # no plan, or a directive's value is wrong: the executor completes and reports
            return None
        return Plan(self._environment[name], tuple(sorted(part.asked)))

    def function(self, key: Hashable, write: Callable[[], _Function]) -> _Function:
        """The function of an object, written when it is first needed.

        Raises:
            Unplannable: it cannot be written.
        """
        if key not in self._functions:
            self._functions[key] = None
            self._functions[key] = write()
        found = self._functions[key]
        if found is None:
            raise Unplannable
        return found

    def add_function(self, body: str, asked: frozenset[int]) -> _Function:
        """A function of a row `v` and the bound resolvers `b`."""
        name = self._name("f")
        self._sources.append(f"def {name}(v, b):\n if type(v) is not dict: misfit()\n return {body}")
        return _Function(name, asked)

    def add_asking(self, asking: Asking) -> int:
        """The number of a field that asks."""
        self.asks.append(asking)
        return len(self.asks) - 1

    def count_field(self) -> None:
        """One field more.

        Raises:
            Unplannable: too many.
        """
        self.fields += 1
        if self.fields > self._most_fields:
            raise Unplannable

    def leaf(self, type_: GraphQLScalarType | GraphQLEnumType, given: str, x: str, *, nullable: bool) -> str:
        """The expression that writes a leaf."""
        return self._leaves.expression(type_, given, x, nullable=nullable)

    def fresh(self) -> str:
        """A name for a value within a function."""
        return self._name("x")

    @property
    def rows(self) -> Rows:
        """How fields read rows."""
        return self._rows

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _bind(self, prefix: str, value: Any) -> str:
        name = self._name(prefix)
        self._environment[name] = value
        return name


class _Part:
    """One part while it is written; `asked`: the fields below it that ask."""

    def __init__(self, compiler: Compiler, executor: Executor[Any]) -> None:
        self.asked: frozenset[int] = frozenset()
        self._compiler = compiler
        self._executor = executor

    def value(self, type_: GraphQLOutputType, group: Group, given: str, x: str, *, nullable: bool = True) -> str:
        """The expression that completes the value of the expression `given`; `x` is its name from there on."""
        first = x if given == x else f"({x} := {given})"
        match type_:
            case GraphQLNonNull():
                return self.value(type_.of_type, group, given, x, nullable=False)
            case GraphQLScalarType() | GraphQLEnumType():
                return self._compiler.leaf(type_, given, x, nullable=nullable)
            case GraphQLList():
                item = self._compiler.fresh()
                items = f"[{self.value(type_.of_type, group, item, item)} for {item} in {x}]"
                other = f"None if {x} is None else misfit()" if nullable else "misfit()"
                return f"({items} if type({first}) is list or type({x}) is tuple else {other})"
            case GraphQLObjectType():
                if given != x and (fields := self._small(type_, group, x)) is not None:
                    other = f"None if {x} is None else misfit()" if nullable else "misfit()"
                    return f"({fields} if type({first}) is dict else {other})"
                name = self._object(type_, group)
                return f"(None if {first} is None else {name}({x}, b))" if nullable else f"{name}({given}, b)"
        raise Unplannable

    def _object(self, type_: GraphQLObjectType, group: Group) -> str:
        def write() -> _Function:
            part = _Part(self._compiler, self._executor)
            body = part._fields(part._collected(type_, group), type_, "v")
            return self._compiler.add_function(body, part.asked)

        function = self._compiler.function(key_of(type_, group), write)
        self.asked |= function.asked
        return function.name

    def _small(self, type_: GraphQLObjectType, group: Group, row: str) -> str | None:
        """The display of an object of a few leaves (money, say), which is not worth a function's call; None for others."""
        collected = self._collected(type_, group)
        fields = [self._executor.schema.get_field(type_, below[0].node.name.value) for below in collected.values()]
        small = len(fields) <= SMALL and all(field is not None and is_leaf_type(get_nullable_type(field.type)) for field in fields)
        return self._fields(collected, type_, row) if small else None

    def _collected(self, type_: GraphQLObjectType, group: Group) -> Mapping[str, Group]:
        if type_.is_type_of is not None:
            raise Unplannable
        collected = self._executor.collect_subfields(type_, group)
        if collected.new_defer_usages:
            raise Unplannable
        return collected.grouped_field_set

    def _fields(self, collected: Mapping[str, Group], type_: GraphQLObjectType, row: str) -> str:
        """The display of an object's fields, in the order of the answer."""
        items = ((key, self._field(type_, group, row)) for key, group in collected.items())
        return f"{{{', '.join(f'{key!r}: {expression}' for key, expression in items if expression is not None)}}}"

    def _field(self, type_: GraphQLObjectType, group: Group, row: str) -> str | None:
        """The expression of a field; None for one that the type does not have, which the executor leaves out."""
        compiler, node = self._compiler, group[0].node
        compiler.count_field()
        if not all(is_static(details) for details in group):
            raise Unplannable
        name = node.name.value
        if name == "__typename":
            return repr(type_.name)
        field = self._executor.schema.get_field(type_, name)
        if field is None:
            return None
        if compiler.rows.asks(field):
            number = compiler.add_asking(Asking(field, type_, group))
            self.asked |= {number}
            return self.value(field.type, group, f"at_once(b[{number}]({row}))", compiler.fresh())
        key = compiler.rows.key(field, name)
        if key is None or node.arguments:
            raise Unplannable
        return self.value(field.type, group, compiler.rows.reader(row, key), compiler.fresh())


def is_static(details: FieldDetails) -> bool:
    """True when the place is neither deferred nor streamed nor within a fragment with variables of its own."""
    directives = details.node.directives or ()
    return (
        details.defer_usage is None
        and details.fragment_variable_values is None
        and all(directive.name.value in STATIC_DIRECTIVES for directive in directives)
    )
