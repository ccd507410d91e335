"""The plans of one document: made when a part is first completed, kept with the document, and bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, Final

from graphql import DocumentNode, GraphQLOutputType, GraphQLSchema, OperationDefinitionNode
from graphql.execution.executor import Executor

from api.execution.conditions import conditions_of
from api.execution.plans import Asking, Compiler, Group, Plan, key_of
from api.execution.rows import Rows, SchemaRows
from api.execution.screens import Answered, Operations

MOST_FIELDS: Final = 1_000
"""Compiled fields of one choice; a document that has as many makes room before its next choice."""
MOST_CHOICES: Final = 16
"""Choices of the values of the variables in `@skip` and `@include`; the one used longest ago makes room."""


class Room:
    """How many fields the plans of all documents have compiled; a field takes about 0.8 KB."""

    def __init__(self) -> None:
        self.fields = 0


class Plans:
    """The plans of one document for one schema. It holds the document, so that the ids of nodes in its keys are never another's."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, rows: Rows, room: Room | None = None) -> None:
        self._schema = schema
        self._document = document
        self._rows = rows
        self._room = room or Room()
        self.conditions = conditions_of(document)
        """Names of the variables that decide what is selected."""
        self._chosen: OrderedDict[tuple[bool | None, ...], Chosen] = OrderedDict()
        self._lock = threading.Lock()
        self._counted = 0
        """Fields of the screens' operations that the room counts."""
        self._operations = Operations(schema, document, rows, MOST_FIELDS, self.conditions) if isinstance(rows, SchemaRows) else None

    def __len__(self) -> int:
        return len(self._chosen)

    async def answer(self, operation: OperationDefinitionNode, variables: dict[str, Any], context: Any) -> Answered | None:
        """The data of an operation that is made of screens (`api/execution/screens.py`), as JSON, and its points; None when the executor must answer."""
        kept = self._operations
        if kept is None:
            return None
        try:
            return await kept.answer(operation, variables, context)
        finally:
            self._count(kept)

    def _count(self, kept: Operations) -> None:
        """The room counts what there is now: others were answered, or all was forgotten, while one waited."""
        self._room.fields += kept.fields - self._counted
        self._counted = kept.fields

    @property
    def fields(self) -> int:
        """Compiled fields of all choices."""
        return sum(chosen.fields for chosen in self._chosen.values())

    def chosen(self, schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Chosen | None:
        """The plans for these values of the variables (coerced); None for another schema's or document's operation."""
        if schema is not self._schema or all(operation is not definition for definition in self._document.definitions):
            return None
        values = tuple(variables.get(name) for name in self.conditions)
        if any(value is not None and type(value) is not bool for value in values):
            return None
        with self._lock:
            found = self._chosen.get(values)
            if found is None:
                self._make_room()
                found = self._chosen[values] = Chosen(self._rows, self._room)
            elif len(self._chosen) > 1:
                self._chosen.move_to_end(values)
            return found

    def _make_room(self) -> None:
        while self._chosen and (len(self._chosen) >= MOST_CHOICES or self.fields >= MOST_FIELDS):
            self._chosen.popitem(last=False)[1].release()

    def clear(self) -> None:
        """Forget all; who runs by one of them runs to the end by it."""
        with self._lock:
            while self._chosen:
                self._chosen.popitem()[1].release()
            if self._operations is not None:
                self._operations.clear()
                self._count(self._operations)


class Chosen:
    """The plans under one choice of the document's conditions."""

    def __init__(self, rows: Rows, room: Room) -> None:
        self._compiler = Compiler(rows, MOST_FIELDS)
        self._room: Room | None = room
        self.constants: dict[int, Mapping[str, Any]] = {}
        """Arguments of fields that ask, by their numbers, where the document spells them out."""
        self._plans: dict[Hashable, Plan | None] = {}
        self._lock = threading.Lock()

    @property
    def fields(self) -> int:
        """Fields that were compiled, or tried."""
        return self._compiler.fields

    @property
    def asks(self) -> list[Asking]:
        """The fields that ask, by their numbers."""
        return self._compiler.asks

    @property
    def rows(self) -> Rows:
        """How fields read rows."""
        return self._compiler.rows

    def plan(self, executor: Executor[Any], type_: GraphQLOutputType, group: Group) -> Plan | None:
        """The plan of a part whose value is not null; None when it has none."""
        key = key_of(type_, group)
        try:
            return self._plans[key]
        except KeyError:
            with self._lock:
                if key not in self._plans:
                    before = self.fields
                    self._plans[key] = self._compiler.plan(executor, type_, group)
                    if self._room is not None:
                        self._room.fields += self.fields - before
            return self._plans[key]

    def release(self) -> None:
        """These plans are kept no longer: they count no more."""
        with self._lock:
            if self._room is not None:
                self._room.fields -= self.fields
                self._room = None
