"""How large a document may be. Every fragment is looked at once, however often it is spread, so the check itself stays linear.

Cost: an object 1 (HEAVY says which are more), a list its size times its child (a page its `first` or `last`, other lists LIST_SIZE), a mutation 10, a scalar 0.
Values of an object that come with it (money, page info, edges) cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
)
from graphql.language import Node

from api.execution.errors import Code, RequestError
from domain.orders.shapes import LINES_SHOWN
from domain.paging import DEFAULT_SIZE, MAX_SIZE

MAX_CHARACTERS: Final = 10_000
MAX_TOKENS: Final = 1_000
MAX_DEPTH: Final = 10
MAX_ALIASES: Final = 30
MAX_SPREADS: Final = 30
MAX_DIRECTIVES: Final = 20
MAX_OPERATIONS: Final = 5
MAX_SAME_NAME: Final = 50
"""Fields of one response name in one place, through inline fragments: validation compares them pair by pair."""
MAX_COST: Final = 1_000
MUTATION_COST: Final = 10
LIST_SIZE: Final = 5
HEAVY: Final = {"Query.claimPolicySimulate": 100}
"""Fields whose object is far more work than others."""
PAGE_SIZES: Final = {"Order.lines": LINES_SHOWN}
"""Lists whose pages are of another size than DEFAULT_SIZE when none is said."""
FREE: Final = frozenset({"Money", "PageInfo", "OrderSource", "SocialIdentity"})


class TooComplex(RequestError):
    """The document is larger than an app needs."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Code.QUERY_TOO_COMPLEX)


@dataclass(slots=True)
class _Counts:
    aliases: int = 0
    spreads: int = 0
    directives: int = 0


def check_size(document: DocumentNode, *, introspection: bool) -> None:
    """Refuse a parsed document that is too large in any count, or too deep, before it is validated.

    Raises:
        TooComplex: a limit is passed.
        RequestError: a text in it holds NUL.
    """
    counts = _Counts()
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    if len(operations) > MAX_OPERATIONS:
        raise TooComplex(f"a document has at most {MAX_OPERATIONS} operations")
    for node in nodes_of(document):
        counts.directives += len(getattr(node, "directives", None) or ())
        if isinstance(node, FieldNode | OperationDefinitionNode | FragmentDefinitionNode) and node.selection_set is not None:
            _check_names(node.selection_set)
        if isinstance(node, FieldNode):
            counts.aliases += node.alias is not None
        elif isinstance(node, FragmentSpreadNode):
            counts.spreads += 1
        elif isinstance(node, StringValueNode) and "\0" in node.value:
            raise RequestError("a text holds NUL")
    for count, limit, what in (
        (counts.aliases, MAX_ALIASES, "aliases"), (counts.spreads, MAX_SPREADS, "fragment spreads"), (counts.directives, MAX_DIRECTIVES, "directives"),
    ):  # fmt: skip
        if count > limit:
            raise TooComplex(f"a document has at most {limit} {what}")
    depths = _Depths(fragments, introspection)
    if max((depths.of(operation.selection_set) for operation in operations), default=0) > MAX_DEPTH:
        raise TooComplex(f"fields are at most {MAX_DEPTH} deep")


def nodes_of(top: Node) -> Iterator[Node]:
    """A node (a document, say) and all below it."""
    stack: list[Node] = [top]
    while stack:
        node = stack.pop()
        yield node
        for key in node.keys:
            child = getattr(node, key, None)
            if isinstance(child, Node):
                stack.append(child)
            elif isinstance(child, list | tuple):
                stack.extend(c for c in child if isinstance(c, Node))


def _check_names(selections: SelectionSetNode) -> None:
    names: dict[str, int] = {}
    waiting = list(selections.selections)
    while waiting:
        selection = waiting.pop()
        if isinstance(selection, InlineFragmentNode):
            waiting += selection.selection_set.selections
        elif isinstance(selection, FieldNode):
            name = (selection.alias or selection.name).value
            names[name] = names.get(name, 0) + 1
            if names[name] > MAX_SAME_NAME:
                raise TooComplex(f"one field stands at most {MAX_SAME_NAME} times in one place")


@dataclass(slots=True)
class _Depths:
    """Depth of selection sets in fields; each fragment is measured once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    introspection: bool
    known: dict[str, int] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode) -> int:
        deepest = 0
        for selection in selections.selections:
            match selection:
                case FieldNode():
                    below = 0 if selection.selection_set is None else self.of(selection.selection_set)
                    # In development the editor's own look at the schema is deeper than any screen.
                    own = self.introspection and selection.name.value in ("__schema", "__type")
                    deepest = max(deepest, 1 if own else 1 + below)
                case InlineFragmentNode():
                    deepest = max(deepest, self.of(selection.selection_set))
                case FragmentSpreadNode():
                    deepest = max(deepest, self.of_fragment(selection.name.value))
        return deepest

    def of_fragment(self, name: str) -> int:
        if name not in self.known:
            self.known[name] = 0  # a fragment inside itself is refused by validation
            if name in self.fragments:
                self.known[name] = self.of(self.fragments[name].selection_set)
        return self.known[name]


@dataclass(slots=True)
class Costs:
    """Cost of one operation of a valid document with these variables; each fragment is counted once."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    known: dict[str, int] = field(default_factory=dict)

    def of_operation(self, operation: OperationDefinitionNode) -> int:
        """The cost in points.

        Raises:
            RequestError: a page size is not 1 to 100.
        """
        root = self.schema.get_root_type(operation.operation)
        if root is None:
            return 0
        once = MUTATION_COST if operation.operation is OperationType.MUTATION else 0
        return self._selections(operation.selection_set, root, once)

    def _selections(self, selections: SelectionSetNode, type_: Any, each: int = 0) -> int:
        total = 0
        for selection in selections.selections:
            match selection:
                case FieldNode():
                    total += each + self._field(selection, type_)
                case InlineFragmentNode():
                    name = selection.type_condition.name.value if selection.type_condition else type_.name
                    total += self._selections(selection.selection_set, self.schema.type_map[name], each)
                case FragmentSpreadNode():
                    total += self._fragment(selection.name.value, each)
        return total

    def _fragment(self, name: str, each: int) -> int:
        if name not in self.known:
            fragment = self.fragments[name]
            self.known[name] = self._selections(fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value], each)
        return self.known[name]

    def _field(self, node: FieldNode, type_: Any) -> int:
        definition = type_.fields.get(node.name.value) if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else None
        size = self._page_size(node)
        if definition is None or node.selection_set is None:
            return 0
        named: Any = get_named_type(definition.type)
        own = price_of(type_.name, node.name.value, named.name)
        if named.name.endswith("Connection"):
            return self._connection(node.selection_set, named, size or PAGE_SIZES.get(f"{type_.name}.{node.name.value}", DEFAULT_SIZE))
        child = self._selections(node.selection_set, named)
        if isinstance(get_nullable_type(definition.type), GraphQLList):
            return self._list_size(node) * (own + child)
        return own + child

    def _connection(self, selections: SelectionSetNode, type_: Any, size: int) -> int:
        """`nodes` and `edges` cost their page; what stands beside them is counted as it is."""
        total = 0
        for selection in selections.selections:
            match selection:
                case FieldNode() if selection.name.value == "nodes" and selection.selection_set is not None:
                    node_type: Any = get_named_type(type_.fields["nodes"].type)
                    total += size * (1 + self._selections(selection.selection_set, node_type))
                case FieldNode() if selection.name.value == "edges" and selection.selection_set is not None:
                    edge_type: Any = get_named_type(type_.fields["edges"].type)
                    total += size * self._selections(selection.selection_set, edge_type)
                case FieldNode():
                    total += self._field(selection, type_)
                case InlineFragmentNode():
                    total += self._connection(selection.selection_set, type_, size)
                case FragmentSpreadNode():
                    key = f"{selection.name.value} {size}"
                    if key not in self.known:
                        self.known[key] = self._connection(self.fragments[selection.name.value].selection_set, type_, size)
                    total += self.known[key]
        return total

    def _list_size(self, node: FieldNode) -> int:
        """`nodes(ids:)` is as long as its ids; other lists are taken as LIST_SIZE."""
        for argument in node.arguments or ():
            if argument.name.value == "ids":
                value = argument.value
                given = self.variables.get(value.name.value) if isinstance(value, VariableNode) else value
                size = len(given.values) if isinstance(given, ListValueNode) else len(given) if isinstance(given, list) else 1
                if size > MAX_SIZE:
                    raise RequestError(f"at most {MAX_SIZE} ids at once")
                return size
        return LIST_SIZE

    def _page_size(self, node: FieldNode) -> int | None:
        size: int | None = None
        for argument in node.arguments or ():
            if argument.name.value not in ("first", "last"):
                continue
            value = argument.value
            given: Any = int(value.value[:11]) if isinstance(value, IntValueNode) else None
            if isinstance(value, VariableNode):
                given = self.variables.get(value.name.value)
            if given is None:
                continue
            if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MAX_SIZE:
                raise RequestError(f"{argument.name.value} must be 1 to {MAX_SIZE}")
            size = given
        return size


def price_of(parent: str, field: str, of: str) -> int:
    """Points of one object of the type `of`, at this field."""
    return HEAVY.get(f"{parent}.{field}", 0 if of in FREE else 1)
