"""What an operation really cost: its answer counted by the same price list that priced the document, with the lists as long as they were.

The count is compiled once per operation into one expression: objects that cannot be missing are constants, and only lists and what may be null
are looked at. Where a type shows only at run time (`node`), each kind that was asked for counts. Answers that are written as text, row by row,
count their rows by `prices_of`, which says the same: a point of each object, as often as the document asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
)

from api.execution.conditions import UNKNOWN, is_asked
from api.execution.limits import MUTATION_COST, price_of

Count = Callable[[Any], int]


@dataclass(slots=True)
class _Price:
    """Points of a selection: what is sure, and expressions over its object for the rest."""

    sure: int = 0
    terms: list[str] = field(default_factory=list)

    @property
    def expression(self) -> str:
        return " + ".join([*self.terms, str(self.sure)] if self.sure or not self.terms else self.terms)


@dataclass(slots=True)
class Prices:
    """Points of the objects at one place of an answer: `own` of each object, and below it by response keys. `is_list`: how many there are
    is not known; an object that may be missing is such a list too."""

    own: int = 0
    is_list: bool = False
    below: dict[str, Prices] = field(default_factory=dict)

    @property
    def sure(self) -> int:
        """Points of one object here, with all below it that is in no further list."""
        return self.own + sum(price.sure for price in self.below.values() if not price.is_list)

    def add(self, other: Prices) -> None:
        """The same place is asked for once more."""
        self.own += other.own
        self.is_list = other.is_list
        for key, price in other.below.items():
            self.below.setdefault(key, Prices()).add(price)


def prices_of(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    operation: OperationDefinitionNode,
    variables: Mapping[str, bool | None],
) -> Prices:
    """The price list of a query's answer; `variables` are those of its conditions."""
    root = schema.get_root_type(operation.operation)
    assert root is not None
    known: dict[str, Prices] = {}

    def walk(selections: SelectionSetNode, type_: Any) -> Prices:
        found = Prices()
        for selection in selections.selections:
            if is_asked(selection, variables) is False:
                continue
            match selection:
                case FieldNode(selection_set=SelectionSetNode() as below) if selection.name.value in getattr(type_, "fields", ()):
                    of: Any = type_.fields[selection.name.value].type
                    price = walk(below, get_named_type(of))
                    price.own = _own(type_, selection, of)
                    price.is_list = isinstance(get_nullable_type(of), GraphQLList) or not (type_ is root or isinstance(of, GraphQLNonNull))
                    found.below.setdefault((selection.alias or selection.name).value, Prices()).add(price)
                case InlineFragmentNode():
                    found.add(walk(selection.selection_set, _type_of(schema, selection, type_)))
                case FragmentSpreadNode():
                    name = selection.name.value
                    if name not in known:
                        known[name] = walk(fragments[name].selection_set, _type_of(schema, fragments[name], type_))
                    found.add(known[name])
        return found

    return walk(operation.selection_set, root)


def compiled(
    schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], operation: OperationDefinitionNode,
    variables: Mapping[str, bool | None] = UNKNOWN,
) -> Count:  # fmt: skip
    """A function from `data` of the answer to points; `data` may be null. `variables` are those of its conditions;
    where they are not known, what is in the answer was asked for."""
    root = schema.get_root_type(operation.operation)
    assert root is not None
    writer = _Writer(schema, fragments, variables)
    each = MUTATION_COST if operation.operation is OperationType.MUTATION else 0
    writer.functions.append(
        f"def count(v):\n return {writer.selections(operation.selection_set, root, 'v', sure=True, each=each).expression}"
    )
    environment: dict[str, Any] = {}
    exec(compile("\n".join(writer.functions), "<cost>", "exec"), environment)  # noqa: S102  response keys as repr() and names of ours, nothing else
    count: Count = environment["count"]
    return lambda data: count(data) if data is not None else 0


@dataclass(slots=True)
class _Writer:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, bool | None]
    functions: list[str] = field(default_factory=list)
    known: dict[tuple[str, bool, int], _Price] = field(default_factory=dict)
    """Fragments are written once; `_Price` of a fragment is over a row `v`."""
    names: int = 0

    def selections(self, selections: SelectionSetNode, type_: Any, row: str, *, sure: bool, each: int = 0) -> _Price:
        """`sure`: the fields below are in the answer, whatever the row's type and the conditions are."""
        price = _Price()
        sure = sure and isinstance(type_, GraphQLObjectType)
        for selection in selections.selections:
            there = is_asked(selection, self.variables)
            if there is False:
                continue
            certain = sure and there is True
            match selection:
                case FieldNode():
                    self._field(selection, type_, row, price, certain=certain, each=each)
                case InlineFragmentNode():
                    inner = _type_of(self.schema, selection, type_)
                    certain = certain and inner is type_
                    below = self.selections(selection.selection_set, inner, row, sure=certain, each=each)
                    price.sure += below.sure
                    price.terms += below.terms
                case FragmentSpreadNode():
                    self._fragment(selection.name.value, type_, row, price, certain=certain, each=each)
        return price

    def _fragment(self, name: str, type_: Any, row: str, price: _Price, *, certain: bool, each: int) -> None:
        fragment = self.fragments[name]
        inner = self.schema.type_map[fragment.type_condition.name.value]
        certain = certain and inner is type_
        key = (name, certain, each)
        if key not in self.known:
            found = self.selections(fragment.selection_set, inner, "v", sure=certain, each=each)
            if found.terms:
                function = self._name("f")
                self.functions.append(f"def {function}(v):\n return {' + '.join(found.terms)}")
                found = _Price(found.sure, [function])
            self.known[key] = found
        found = self.known[key]
        price.sure += found.sure
        price.terms += [f"{function}({row})" for function in found.terms]

    def _field(self, node: FieldNode, type_: Any, row: str, price: _Price, *, certain: bool, each: int) -> None:
        key = (node.alias or node.name).value
        definition = type_.fields.get(node.name.value) if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else None
        if certain:
            price.sure += each
        elif each:
            price.terms.append(f"({each} if {key!r} in {row} else 0)")
        if definition is None or node.selection_set is None:
            return
        named: Any = get_named_type(definition.type)
        own = _own(type_, node, definition.type)
        value = self._name("x")
        # When the place itself may be skipped, another selection may have brought its key, without what stands below this one.
        below = self.selections(node.selection_set, named, value, sure=certain)
        there = certain and isinstance(definition.type, GraphQLNonNull)
        nullable: Any = get_nullable_type(definition.type)
        if isinstance(nullable, GraphQLList):
            rows = f"{row}[{key!r}]" if there else f"({row}.get({key!r}) or ())"
            price.terms += _each(nullable, _Price(own + below.sure, below.terms), value, rows)
        elif there and not below.terms:
            price.sure += own + below.sure
        elif own + below.sure or below.terms:
            inner = _Price(own + below.sure, below.terms).expression
            found = f"{row}[{key!r}]" if there else f"{row}.get({key!r})"
            price.terms.append(f"({inner} if ({value} := {found}) is not None else 0)")

    def _name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"


def _own(parent: Any, node: FieldNode, of: Any) -> int:
    """Points of one object of this field."""
    name = get_named_type(of).name
    return 0 if name.endswith(("Connection", "Edge")) else price_of(parent.name, node.name.value, name)


def _type_of(schema: GraphQLSchema, fragment: Any, around: Any) -> Any:
    return schema.type_map[fragment.type_condition.name.value] if fragment.type_condition else around


def _each(type_: GraphQLList[Any], price: _Price, item: str, rows: str) -> list[str]:
    """The items of a list, each at this price; those that are null cost nothing."""
    if not price.sure and not price.terms:
        return []
    if not isinstance(type_.of_type, GraphQLNonNull):
        return [f"sum([{price.expression} for {item} in {rows} if {item} is not None])"]
    return [f"sum([{price.expression} for {item} in {rows}])" if price.terms else f"{price.sure} * len({rows})"]
