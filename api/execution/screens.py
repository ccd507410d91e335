"""Whole operations that ask for screens: one statement, whose rows of text are written into the answer at once.

An operation is one when it is a query whose only fields are those that say so (`ROOT` and, below it, `SCREEN`, see `rows.py`, and the viewer's own
name), and when what it selects of each screen has a writer (`writing.py`). Such fields change nothing, so whatever is raised on the way is no answer: the
executor runs the operation from its beginning, and reports.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.executor import Executor
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.language import FieldNode

from api.auth.viewer import Unauthenticated
from api.execution.actual import Prices, prices_of
from api.execution.conditions import values_of
from api.execution.errors import AWAY, RequestError
from api.execution.limits import nodes_of
from api.execution.placing import Beyond, Tally, Written
from api.execution.plans import Group, Unplannable, is_static
from api.execution.rows import ScreenRows, Show
from api.execution.writing import Writer
from domain.errors import DomainError
from domain.paging import Args
from domain.paging.written import CARRIED, Fields, fetch_columns

log = logging.getLogger(__name__)

MOST_LANGUAGES: Final = 4
"""Writers of one field: words differ by language, and `domain.words` has four."""
MOST_CHOICES: Final = 16
"""Values of the variables below screens that a document is compiled for; those used longest ago make room."""
MOST_STATEMENTS: Final = 16
"""Kept of one operation: by language, and by variables."""
CONSTANTS: Final = frozenset({str, int, bool, type(None)})
"""Types of variables that an operation may be compiled for."""
NO_VARIABLES: Final = VariableValues({}, {})
ANSWERS: Final = (RequestError, Unauthenticated, DomainError, Beyond)
"""What the executor will tell the app, or read for it; nothing is wrong with us."""


class Answered(NamedTuple):
    """The data of an answer as JSON, and what it cost."""

    data: bytes
    points: int


@dataclass(slots=True)
class _Asked:
    """A field that is a screen. `constant`: its arguments, when no variable is in them."""

    key: str
    of: GraphQLField
    group: Group
    show: Show
    constant: Mapping[str, Any] | None = None
    writers: dict[Fields, Written] = field(default_factory=dict)


@dataclass(slots=True)
class _Own:
    """A field of the viewer's own row: the SQL of its piece, and what writes it from that."""

    key: str
    piece: str
    write: Callable[[str], str]


_Part: TypeAlias = str | _Own | _Asked


@dataclass(frozen=True, slots=True)
class _Kept:
    """The statement of an operation. `found`: of each screen how it is written, its first column, and the page that was asked for."""

    columns: tuple[str, ...]
    args: Args
    found: tuple[tuple[Written, int, Any], ...]
    is_kept: bool = True


class Operation:
    """One operation under one choice of the variables that stand below its screens."""

    def __init__(self, executor: Executor[Any], rows: ScreenRows, most_fields: int, prices: Prices) -> None:
        """Raises Unplannable when it is not made of screens alone."""
        self._executor = executor
        self._rows = rows
        self._tally = Tally()
        self._sure = prices.sure
        self._writer = Writer(executor, rows, most_fields, self._tally)
        self._parts: list[tuple[str, list[_Part]]] = []
        self._read(prices)
        self._screens = [part for _, parts in self._parts for part in parts if isinstance(part, _Asked)]
        self._own = [part for _, parts in self._parts for part in parts if isinstance(part, _Own)]
        self._kept: dict[Hashable, _Kept] = {}
        self.counted = 0
        """Fields of it that `Operations` counted."""

    @property
    def fields(self) -> int:
        """Fields that were compiled."""
        return self._writer.fields

    async def answer(self, context: Any, variables: VariableValues) -> Answered:
        """The operation's answer."""
        key = self._key(context, variables)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._stated(context, variables)
            values, found = kept.args.values, kept.found
            if kept.is_kept and key is not None:
                if len(self._kept) >= MOST_STATEMENTS:
                    self._kept.clear()
                self._kept[key] = kept
        else:
            viewer = context.require_viewer()
            values = kept.args.again(viewer.member_id, context.now)
            found = tuple([(written, first, question.by(viewer)) for written, first, question in kept.found])
        row: Any = await fetch_columns(kept.columns, values) if kept.columns else ()
        self._tally.points = self._sure  # from here on nothing waits: nobody else counts in between
        texts = iter([written.write(row, first, question) for written, first, question in found])
        rest = iter(row[len(row) - len(self._own) :])
        data = f"{{{','.join([self._object(key, parts, texts, rest, context) for key, parts in self._parts])}}}".encode(CARRIED)
        return Answered(data, self._tally.points)

    def _key(self, context: Any, variables: VariableValues) -> Hashable:
        """What a statement is kept by: the request's language, and its variables where they have a hash; None when it is not kept."""
        language: str = context.language
        given = () if not variables.coerced else tuple(variables.coerced.items())
        try:
            hash(given)
        except TypeError:
            return None
        return language, given

    def _stated(self, context: Any, variables: VariableValues) -> _Kept:
        """The statement for this request."""
        args, columns, is_kept = Args(), list[str](), True
        found: list[tuple[Written, int, Any]] = []
        for asked in self._screens:
            question, screen = asked.show(context, args, **self._arguments(asked, variables))
            written = asked.writers.get(screen.fields)
            if written is None:
                if len(asked.writers) >= MOST_LANGUAGES:
                    raise Unplannable
                type_ = asked.of.type
                written = asked.writers[screen.fields] = self._writer.connection(type_, asked.group, screen)
            elif written.place != screen.place:
                raise Unplannable
            found.append((written, len(columns), question))
            columns += written.columns(screen)
            is_kept = is_kept and screen.is_kept
        if self._own and self._rows.own is not None:
            source = self._rows.own[1](context, args)
            columns += [f"(select convert_to(({own.piece})::text, 'UTF8') {source})" for own in self._own]
        return _Kept(tuple(columns), args, tuple(found), is_kept)

    def _object(self, key: str, parts: list[_Part], texts: Iterator[str], own: Iterator[bytes], context: Any) -> str:
        inner = list[str]()
        for part in parts:
            if isinstance(part, _Asked):
                inner.append(f'"{part.key}":{next(texts)}')
            elif isinstance(part, _Own):
                inner.append(f'"{part.key}":{part.write(next(own).decode(CARRIED))}')
            else:
                inner.append(part.format(self._rows.viewer(context)) if part.endswith('{}"') else part)
        return f'"{key}":{{{",".join(inner)}}}'

    def _arguments(self, asked: _Asked, variables: VariableValues) -> Mapping[str, Any]:
        if asked.constant is not None:
            return asked.constant
        node = asked.group[0].node
        given = get_argument_values(asked.of, node, variables)
        named = self._rows.named(asked.of, SimpleNamespace(schema=self._executor.schema), given)  # type: ignore[arg-type]
        if not any(isinstance(inner, VariableNode) for argument in node.arguments or () for inner in nodes_of(argument)):
            asked.constant = named
        return named

    def _read(self, prices: Prices) -> None:
        executor, operation = self._executor, self._executor.operation
        root = executor.schema.query_type
        if root is None or operation.operation is not OperationType.QUERY or operation.directives:
            raise Unplannable
        collected = collect_fields(executor.schema, executor.fragments, executor.variable_values, root, operation)
        if collected.new_defer_usages:
            raise Unplannable
        for key, group in collected.grouped_field_set.items():
            found = _field(executor.schema, root, group)
            type_ = get_named_type(found.type)
            if not self._rows.is_root(found) or group[0].node.arguments or not isinstance(type_, GraphQLObjectType):
                raise Unplannable
            self._parts.append((key, self._below(type_, group, prices.below[key])))

    def _below(self, type_: GraphQLObjectType, group: Group, prices: Prices) -> list[_Part]:
        collected, found = self._executor.collect_subfields(type_, group), list[_Part]()
        if collected.new_defer_usages:
            raise Unplannable
        for key, below in collected.grouped_field_set.items():
            field_, name = _field(self._executor.schema, type_, below), below[0].node.name.value
            show = self._rows.screen(field_)
            if name == "__typename":
                found.append(f'"{key}":"{type_.name}"')
            elif name == "id" and self._rows.key(field_, name):
                found.append(f'"{key}":"{{}}"')
            elif show is not None:
                self._writer.price(below, prices.below[key])
                found.append(_Asked(key, field_, below, show))
            elif self._rows.own is not None and (known := self._rows.key(field_, name)) is not None:
                found.append(_Own(key, *self._writer.alone(self._rows.own[0].entries.get(known), field_.type)))
            else:
                raise Unplannable
        return found


def _field(schema: GraphQLSchema, type_: GraphQLObjectType, group: Group) -> GraphQLField:
    found = schema.get_field(type_, group[0].node.name.value)
    if found is None or not all(is_static(details) for details in group):
        raise Unplannable
    return found


class Operations:
    """What was compiled of one document; `fields`: how much."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, rows: ScreenRows, most_fields: int, conditions: tuple[str, ...]
    ) -> None:
        self.fields = 0
        self._schema = schema
        self._document = document
        self._rows = rows
        self._most_fields = most_fields
        self._conditions = conditions
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._fixed: dict[int, tuple[str, ...]] = {}
        self._kept: OrderedDict[Hashable, Operation | None] = OrderedDict()

    async def answer(self, definition: OperationDefinitionNode, variables: dict[str, Any], context: Any) -> Answered | None:
        """The operation's answer; None when the executor must answer. `context.away`: see GraphQLContext."""
        given: Any = NO_VARIABLES
        if definition.variable_definitions:
            given = get_variable_values(self._schema, definition.variable_definitions, variables, 1)
            if isinstance(given, list):
                return None
        key = self._key(definition, given)
        found = None if key is None else self._operation(key, definition, variables)
        if found is None:
            return None
        try:
            return await found.answer(context, given)
        except Unplannable:
            self._kept[key] = None
            self._count()
        except AWAY as error:
            context.away = error
        except ANSWERS:
            pass
        except Exception as error:
            log.warning("a screen is read as rows: its text does not fit", extra={"error": type(error).__name__})
        finally:
            if found.fields != found.counted:
                found.counted = found.fields
                self._count()
        return None

    def _count(self) -> None:
        self.fields = sum(operation.fields for operation in self._kept.values() if operation is not None)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self.fields = 0

    def _key(self, definition: OperationDefinitionNode, variables: VariableValues) -> Hashable:
        fixed = self._fixed.get(id(definition))
        if fixed is None:
            fixed = self._fixed[id(definition)] = fixed_variables(definition, self._document, self._rows.screens, self._conditions)
        values = tuple(variables.coerced.get(name) for name in fixed)
        return (id(definition), values) if all(type(value) in CONSTANTS for value in values) else None

    def _operation(self, key: Hashable, definition: OperationDefinitionNode, variables: dict[str, Any]) -> Operation | None:
        try:
            found = self._kept[key]
        except KeyError:
            if len(self._kept) >= MOST_CHOICES:
                self._kept.popitem(last=False)
            found = self._kept[key] = self._made(definition, variables)
        else:
            if len(self._kept) > 1:
                self._kept.move_to_end(key)
        return found

    def _made(self, definition: OperationDefinitionNode, variables: dict[str, Any]) -> Operation | None:
        name = definition.name.value if definition.name else None
        built = Executor.build(self._schema, self._document, raw_variable_values=variables, operation_name=name)
        try:
            if isinstance(built, list):
                return None
            conditions = values_of(self._conditions, definition, variables)
            prices = prices_of(self._schema, self._fragments, definition, conditions)
            return Operation(built, self._rows, self._most_fields, prices)
        except Unplannable:
            return None


def fixed_variables(
    operation: OperationDefinitionNode, document: Any, screens: frozenset[str], conditions: tuple[str, ...]
) -> tuple[str, ...]:
    """The variables that an `Operation` is compiled for: its conditions', and all but those in the arguments of its screens, which have these names."""
    found: dict[str, None] = dict.fromkeys(conditions)
    for node in nodes_of(document):
        if not isinstance(node, FieldNode):
            continue
        arguments = () if node.name.value in screens else node.arguments or ()
        for argument in arguments:
            found |= {inner.name.value: None for inner in nodes_of(argument) if isinstance(inner, VariableNode)}
    own = {definition.variable.name.value for definition in operation.variable_definitions or ()}
    return tuple(name for name in found if name in own)
