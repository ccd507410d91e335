"""Random schemas, rows and operations for `test_plans_property.py`.

Field names hold their type's name, so that any two selections of one response key are the same field and documents are always valid.
A row is made from a recipe, anew for each run: what is awaited can be awaited only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
)

Make = Callable[[], Any]
"""A recipe of a value."""


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Later:
    """Must be awaited for its value; may be left alone."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def __repr__(self) -> str:
        return "later"

    def __await__(self) -> Any:
        yield from ()
        return self._make()


class Called:
    """A method of a value: graphql-core's default resolver calls it."""

    def __repr__(self) -> str:
        return "called"

    def __call__(self, _info: Any) -> Any:
        raise ValueError("when called")


def _loud(value: Any) -> Any:
    if not isinstance(value, str):
        raise GraphQLError("only a text can be loud", extensions={"code": "QUIET"})
    return value.upper() or None


LOUD = GraphQLScalarType("Loud", coerce_output_value=_loud)
JSON = GraphQLScalarType("Json")
EXACT = GraphQLScalarType("Exact", coerce_output_value=str)
STAMP = GraphQLScalarType("Stamp", coerce_output_value=lambda value: value.isoformat())
SOON = GraphQLScalarType("Soon", coerce_output_value=lambda value: Later(lambda: value))
SIZE = GraphQLEnumType("Size", {"SMALL": 1, "LARGE": 2, "ODD": "odd", "MANY": (1, 2)})
COLOUR = GraphQLEnumType("Colour", Colour)
LEAVES = [GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID, LOUD, JSON, EXACT, STAMP, SOON, SIZE, COLOUR]
FITTING: Mapping[str, list[Any]] = {
    "Int": [0, 7, -(2**31), 2**31 - 1],
    "Float": [0.0, -0.0, 2.5, 7],
    "String": ["", "a", "五", "q'\"\\\n"],
    "Boolean": [True, False],
    "ID": ["id", 7],
    "Loud": ["a"],
    "Json": [{"a": [1]}, [1, None], "x", 1],
    "Exact": [Decimal("1.20"), 3, "x"],
    "Stamp": [datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC)],
    "Soon": [1, "x"],
    "Size": [1, 2, "odd", (1, 2), True],
    "Colour": [Colour.RED, Colour.BLUE, "red"],
}
ODD: list[Any] = [
    None, Undefined, 2**31, -(2**31) - 1, 10**400, True, 1.5, float("nan"), float("inf"), "", "12", b"x", [], {}, [1], {"a": 1}, (), object, Decimal(7),
    Colour.RED, "nowhere", frozenset({1}),
]  # fmt: skip


def wraps(chance: Random) -> list[str]:
    """Lists and non-nulls around a type, from the inside."""
    return [chance.choice("![") for _ in range(chance.choice([0, 0, 1, 1, 2, 2, 3, 4]))]


def failing(text: str) -> Any:
    """Raises."""
    raise ValueError(text)


def schema_of(chance: Random, count: int, *, keyed: bool) -> GraphQLSchema:
    """A schema of `count` object types; `keyed`: fields read rows by other keys than their names, some through resolvers with arguments that may be planned."""
    objects: list[GraphQLObjectType] = []
    thing = GraphQLInterfaceType("Thing", lambda: {"thing": GraphQLField(GraphQLString)}, resolve_type=kind_of)
    either = GraphQLUnionType("Either", lambda: objects, resolve_type=kind_of)
    shapes = [
        (chance.random() < 0.5, [(chance.randint(0, 30), wraps(chance)) for _ in range(chance.randint(1, 5))])
        for _ in range(count)
    ]  # fmt: skip
    asking = [[keyed and chance.randint(0, 3) == 0 for _ in fields] for _, fields in shapes]

    def type_for(pick: int, around: list[str]) -> Any:
        composite: list[Any] = [*objects * 3, thing, either]
        found: Any = LEAVES[pick] if pick < len(LEAVES) else composite[pick % len(composite)]
        for wrap in around:
            if wrap == "[":
                found = GraphQLList(found)
            elif not isinstance(found, GraphQLNonNull):
                found = GraphQLNonNull(found)
        return found

    def fields_of(n: int) -> dict[str, GraphQLField]:
        implements, fields = shapes[n]
        made = {f"o{n}f{k}": field(f"o{n}f{k}", type_for(*shape), asks=asking[n][k]) for k, shape in enumerate(fields)}
        return {**made, "thing": field("thing", GraphQLString, asks=False)} if implements else made

    def field(name: str, type_: Any, *, asks: bool) -> GraphQLField:
        if not keyed:
            return GraphQLField(type_)
        key = f"{name} key"
        if asks:
            extensions = {"ask": key}
            return GraphQLField(type_, {"times": GraphQLArgument(GraphQLInt, 1)}, resolve=asked(key), extensions=extensions)
        return GraphQLField(type_, resolve=lambda row, _info: row[key], extensions={"key": key})

    objects.extend(GraphQLObjectType(f"O{n}", lambda n=n: fields_of(n), interfaces=[thing] if shapes[n][0] else []) for n in range(count))
    return GraphQLSchema(objects[0], types=[*objects, GraphQLInt])


def kind_of(row: Any, _info: Any, _type: Any) -> Any:
    """The type that a row says it is of."""
    return row.get("kind") if isinstance(row, dict) else None


def asked(key: str) -> Callable[..., Any]:
    """A resolver FROM_ROW: it may raise, and answers at once or later."""

    def resolve(row: Any, _info: Any, times: int | None = None) -> Any:
        if times == 3:
            return Later(lambda: row[key])
        if times == 4:
            raise ValueError("four is too many")
        return row[key]

    return resolve


class KeyedRows:
    """How the keyed schemas' fields read rows."""

    writers: Mapping[str, Any] = {"Stamp": (datetime, lambda value: value.isoformat() if value.hour else None)}

    def key(self, field: Any, name: str) -> str | None:
        return field.extensions.get("key")

    def reader(self, row: str, key: str) -> str:
        return f"{row}[{key!r}]"

    def asks(self, field: Any) -> bool:
        return "ask" in field.extensions

    def named(self, field: Any, info: Any, arguments: dict[str, Any]) -> Mapping[str, Any]:
        return arguments

    def ask(self, field: Any, info: Any, named: Mapping[str, Any]) -> Any:
        return lambda row: field.resolve(row, info, **named)


def recipe(chance: Random, type_: Any, schema: GraphQLSchema, depth: int, odd: int, *, keyed: bool) -> Make:
    """Makes a value of this type; one in `odd` is something else (0: never)."""
    if odd and chance.randint(1, odd) == 1:
        return _odd(chance, type_, schema, depth, odd, keyed=keyed)
    if isinstance(type_, GraphQLNonNull):
        return recipe(chance, type_.of_type, schema, depth, odd, keyed=keyed)
    if isinstance(type_, GraphQLList):
        items = [
            recipe(chance, type_.of_type, schema, depth - 1, odd, keyed=keyed) for _ in range(chance.randint(0, 3) if depth > 0 else 0)
        ]
        kind = chance.choice([list, list, list, tuple])
        return lambda: kind(make() for make in items)
    if isinstance(type_, GraphQLObjectType):
        return row_of(chance, type_, schema, depth, odd, keyed=keyed)
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        possible = schema.get_possible_types(type_)
        return row_of(chance, chance.choice(possible), schema, depth, odd, keyed=keyed) if possible else lambda: None
    value = chance.choice(FITTING[type_.name])
    return lambda: value


def _odd(chance: Random, type_: Any, schema: GraphQLSchema, depth: int, odd: int, *, keyed: bool) -> Make:
    match chance.randint(0, 4):
        case 0:
            inner = recipe(chance, type_, schema, depth, 0, keyed=keyed)
            return lambda: Later(inner)
        case 1:
            return lambda: Later(lambda: failing("later"))
        case 2:
            return lambda: ValueError("a value that is an error")
        case 3 if not keyed:
            return Called
    value = chance.choice(ODD)
    return lambda: value


def row_of(chance: Random, type_: GraphQLObjectType, schema: GraphQLSchema, depth: int, odd: int, *, keyed: bool) -> Make:
    """Makes a row with the type's fields, down to `depth`; deeper objects lack theirs."""
    made: dict[str, Make] = {}
    if depth > 0:
        for name, field in type_.fields.items():
            if not odd or chance.randint(0, 3 * odd):
                made[f"{name} key" if keyed else name] = recipe(chance, field.type, schema, depth - 1, odd, keyed=keyed)
    return lambda: {"kind": type_.name, **{key: make() for key, make in made.items()}}


def document_of(chance: Random, schema: GraphQLSchema) -> str:
    """An operation with fragments, aliases, repeated fields, conditions of types and of directives."""
    assert schema.query_type is not None
    writer = _Writer(chance, schema)
    operation = writer.selections(schema.query_type, 4)
    fragments = [
        f"fragment F{n} on {type_.name} {{ {writer.selections(type_, 2, fragments=n)} }}" for n, type_ in enumerate(writer.fragments)
    ]
    head = "query ($yes: Boolean = true, $no: Boolean = false, $b: Boolean!, $times: Int)"
    return "\n".join([f"{head} {{ {operation} }}", *fragments])


class _Writer:
    def __init__(self, chance: Random, schema: GraphQLSchema) -> None:
        self.chance = chance
        self.schema = schema
        named = [type_ for name, type_ in schema.type_map.items() if name in ("Thing", "Either") or name.startswith("O")]
        self.fragments = [chance.choice(named) for _ in range(chance.randint(0, 3))]

    def selections(self, type_: Any, depth: int, *, fragments: int = -1) -> str:
        """Selections on a type; spreads only fragments above this number, so that none spreads itself."""
        return " ".join(self._selection(type_, depth, fragments) for _ in range(self.chance.randint(1, 5)))

    def _selection(self, type_: Any, depth: int, fragments: int) -> str:
        spreads = [n for n in range(fragments + 1, len(self.fragments)) if self._overlap(type_, self.fragments[n])]
        others = [t for t in self.schema.type_map.values() if self._composite(t) and self._overlap(type_, t)]
        match self.chance.randint(0, 9):
            case 0:
                return f"__typename{self._conditions()}"
            case 1 if spreads:
                return f"...F{self.chance.choice(spreads)}{self._conditions()}"
            case 2 if depth > 0 and others:
                inner = self.chance.choice(others)
                return f"... on {inner.name}{self._conditions()} {{ {self.selections(inner, depth - 1, fragments=fragments)} }}"
            case 3 if depth > 0:
                return f"...{self._conditions()} {{ {self.selections(type_, depth - 1, fragments=fragments)} }}"
        return self._field(type_, depth, fragments)

    def _field(self, type_: Any, depth: int, fragments: int) -> str:
        fields = {} if isinstance(type_, GraphQLUnionType) else type_.fields
        if not fields:
            return "__typename"
        name = self.chance.choice(sorted(fields))
        field, alias = fields[name], self.chance.choice(["", "", f"{name}_a: ", f"{name}_b: "])
        arguments = self._arguments(alias) if field.args else ""
        named = field.type
        while hasattr(named, "of_type"):
            named = named.of_type
        if not self._composite(named):
            return f"{alias}{name}{arguments}{self._conditions()}"
        if depth <= 0:
            return "__typename"
        return f"{alias}{name}{arguments}{self._conditions()} {{ {self.selections(named, depth - 1, fragments=fragments)} }}"

    def _arguments(self, alias: str) -> str:
        """One choice per response key, so that repeated fields can be merged."""
        return {"": "", "a": "(times: $times)", "b": "(times: 3)"}[alias[-3:-2]]

    def _conditions(self) -> str:
        if self.chance.randint(0, 2):
            return ""
        kinds = self.chance.choice([["skip"], ["include"], ["skip", "include"]])
        values = ["true", "false", "$yes", "$no", "$b"]
        return "".join(f" @{kind}(if: {self.chance.choice(values)})" for kind in kinds)

    def _composite(self, type_: Any) -> bool:
        return isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType) and not type_.name.startswith("__")

    def _overlap(self, one: Any, other: Any) -> bool:
        return bool(self._possible(one) & self._possible(other))

    def _possible(self, type_: Any) -> set[str]:
        return {type_.name} if isinstance(type_, GraphQLObjectType) else {t.name for t in self.schema.get_possible_types(type_)}
