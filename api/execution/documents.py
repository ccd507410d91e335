"""Documents, read once: parsed, measured, validated and planned, and kept by the hash of their text."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
    value_from_ast_untyped,
)

from api.execution.actual import Count, compiled
from api.execution.conditions import UNKNOWN, values_of
from api.execution.errors import RequestError
from api.execution.kept import Plans, Room
from api.execution.limits import MAX_CHARACTERS, MAX_COST, MAX_TOKENS, Costs, TooComplex, check_size
from api.execution.rows import Rows, SchemaRows

KEPT: Final = 500
KEPT_FIELDS: Final = 50_000
"""Compiled fields of all documents, about 40 MB; the documents used longest ago lose their plans first."""
KEPT_COSTS: Final = 20
MAX_VALIDATION_ERRORS: Final = 5


@dataclass(slots=True)
class Prepared:
    """A document with what was found out about it. `errors`: it is not valid for the schema."""

    document: DocumentNode
    errors: list[GraphQLError]
    plans: Plans
    operations: dict[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    costs: dict[Hashable, int] = field(default_factory=dict)
    """By operation and the variables that can be page sizes; bounded."""
    counts: dict[Hashable, Count] = field(default_factory=dict)
    """What an answer really cost, by operation and the variables of its conditions; bounded."""
    selections: dict[Any, Any] = field(default_factory=dict)
    """What resolvers found selected below their fields; bounded by them."""

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run.

        Raises:
            RequestError: none of this name, or a choice without a name.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise RequestError("operationName must say which operation to run" if self.operations else "the document has no operation")
        if name not in self.operations:
            raise RequestError("the document has no operation of this name")
        return self.operations[name]

    def actual_cost(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode, data: Any, variables: Mapping[str, Any] = UNKNOWN
    ) -> int:
        """What this answer cost. Only for an operation whose cost was checked, which bounds the work."""
        conditions = values_of(self.plans.conditions, operation, variables)
        key = (id(operation), *conditions.values())
        count = self.counts.get(key)
        if count is None:
            if len(self.counts) >= KEPT_COSTS:
                self.counts.clear()
            count = self.counts[key] = compiled(schema, self.fragments, operation, conditions)
        return count(data)


class Documents:
    """The bounded store of one schema. `introspection`: the schema may be asked about itself (development)."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool, rows: Rows | None = None) -> None:
        self._schema = schema
        self._rows = rows or SchemaRows()
        self._room = Room()
        self._introspection = introspection
        self._rules = (*specified_rules,) if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._kept: OrderedDict[bytes, Prepared] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, text: str, digest: bytes = b"") -> Prepared:
        """The document of this text; `digest`: its SHA-256, where it is known.

        Raises:
            TooComplex: it is too large.
            RequestError: a text in it holds NUL.
            GraphQLSyntaxError: it is not GraphQL.
        """
        if len(text) > MAX_CHARACTERS:
            raise TooComplex(f"a document has at most {MAX_CHARACTERS} characters")
        key = digest or hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._prepare(text)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)[1].plans.clear()
        else:
            self._kept.move_to_end(key)
        if self._room.fields > KEPT_FIELDS:
            self._make_room()
        return found

    def _make_room(self) -> None:
        for prepared in self._kept.values():
            prepared.plans.clear()
            if self._room.fields <= KEPT_FIELDS // 2:
                return

    def _prepare(self, text: str) -> Prepared:
        try:
            document = parse(text, max_tokens=MAX_TOKENS, allow_empty_selection_sets=False)
        except GraphQLSyntaxError as error:
            if "tokens" in error.message:
                raise TooComplex(f"a document has at most {MAX_TOKENS} tokens") from None
            if "nested too deeply" in error.message:
                raise TooComplex("the document is nested too deeply") from None
            raise
        check_size(document, introspection=self._introspection)
        errors = validate(self._schema, document, self._rules, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=not self._introspection)
        prepared = Prepared(document, errors, Plans(self._schema, document, self._rows, self._room))
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                prepared.operations[definition.name.value if definition.name else ""] = definition
            elif isinstance(definition, FragmentDefinitionNode):
                prepared.fragments[definition.name.value] = definition
        return prepared

    def check_cost(self, prepared: Prepared, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """The operation's cost in points.

        Raises:
            TooComplex: more than MAX_COST.
            RequestError: a page size is not 1 to 100.
        """
        sizes = tuple((name, len(v) if isinstance(v, list) else v) for name, v in variables.items() if isinstance(v, int | float | list))
        key = (id(operation), sizes)
        cost = prepared.costs.get(key)
        if cost is None:
            if len(prepared.costs) >= KEPT_COSTS:
                prepared.costs.clear()
            given = {**_defaults(operation), **variables}
            cost = prepared.costs[key] = Costs(self._schema, prepared.fragments, given).of_operation(operation)
        if cost > MAX_COST:
            raise TooComplex(f"the operation costs {cost} points, {MAX_COST} are allowed; ask for smaller pages")
        return cost


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    """What the operation's variables are when the app leaves them out: a page size may stand there."""
    return {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
