"""Operations as nobody would write them, drawn from the schema: fields, arguments, fragments and directives by chance, with ids of real things."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

from api.graphql_app import schema

SCHEMA = schema._schema
LEVELS = 6
SCALARS: dict[str, list[Any]] = {
    "DateTime": ["2026-11-21T08:00:00Z", "2026-11-29T23:59:59+08:00", "9999-12-31T23:59:59Z"],
    "Date": ["2026-11-21", "2027-01-01"],
    "Decimal": ["0", "1", "-1", "1180", "0.5", "999999999"],
    "String": ["", "x", "紅色+1", "CASH", "r" * 300, "Asia/Taipei", "zh-TW"],
    "Int": [0, 1, 2, -1, 7, 2**31 - 1],
    "Boolean": [True, False],
    "Float": [0.0, 1.5],
}


@dataclass
class Draw:
    """One operation, drawn with `chance`; `ids` are what an ID argument may name."""

    chance: random.Random
    ids: Sequence[str]
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)
    left: int = 40
    """Fields that may still be drawn: what costs too much is refused before anything runs."""

    def operation(self, kind: str, name: str) -> str:
        """The text of an operation on one field of a root."""
        root: Any = SCHEMA.query_type if kind == "query" else SCHEMA.mutation_type
        body = self._field(name, root.fields[name], 0)
        key = ""
        if kind == "mutation":
            self.types["key"], self.variables["key"] = "String!", f"{self.chance.getrandbits(128):032x}"
            head, brace, tail = body.partition(" {")
            body, key = f"{head} @idempotent(key: $key){brace}{tail}", "key"
        named = ", ".join(f"${name}: {type_}" for name, type_ in self.types.items() if name != "key" or key)
        return f"{kind} {f'({named}) ' if named else ''}{{ {body} }} {' '.join(self.fragments)}"

    def _field(self, name: str, found: GraphQLField, depth: int) -> str:
        self.left -= 1
        alias = f"a{self.chance.randrange(10**9)}: " if depth and self.chance.random() < 0.1 else ""
        given = [f"{arg}: {self._argument(arg, argument)}" for arg, argument in found.args.items() if self._wanted(arg, argument)]
        inner = self._selection(get_named_type(found.type), depth + 1)
        arguments = f"({', '.join(given)})" if given else ""
        return f"{alias}{name}{arguments}{self._condition() if depth else ''}{inner}"

    def _wanted(self, name: str, argument: Any) -> bool:
        if isinstance(argument.type, GraphQLNonNull):
            return True
        return self.chance.random() < (0.8 if name == "first" else 0.3)

    def _condition(self) -> str:
        if self.chance.random() > 0.06:
            return ""
        name = f"if{len(self.types)}"
        self.types[name], self.variables[name] = "Boolean!", self.chance.random() < 0.5
        return f" @{self.chance.choice(('skip', 'include'))}(if: ${name})"

    def _argument(self, name: str, argument: Any) -> str:
        value = self.value(argument.type, name)
        if self.chance.random() < 0.3 and not isinstance(value, dict | list):
            return str(value) if isinstance(get_named_type(argument.type), GraphQLEnumType) and value is not None else json.dumps(value)
        variable = f"v{len(self.types)}"
        self.types[variable], self.variables[variable] = str(argument.type), value
        return f"${variable}"

    def value(self, type_: Any, name: str, depth: int = 0) -> Any:
        """A value that the type takes; null where it may be."""
        if not isinstance(type_, GraphQLNonNull) and self.chance.random() < 0.15:
            return None
        nullable: Any = get_nullable_type(type_)
        match nullable:
            case GraphQLList():
                return [self.value(nullable.of_type, name, depth) for _ in range(self.chance.randrange(4))]
            case GraphQLEnumType():
                return self.chance.choice(list(nullable.values))
            case GraphQLInputObjectType():
                return self._input(nullable, depth)
        if name in ("first", "last"):
            return self.chance.choice((1, 2, 3, 5))
        if nullable.name == "ID":
            tag = name.removesuffix("Ids").removesuffix("Id")
            fitting = [key for key in self.ids if key.startswith(f"{tag}_")] or self.ids
            return self.chance.choice(fitting if self.chance.random() < 0.9 else self.ids)
        return self.chance.choice(SCALARS[nullable.name])

    def _input(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        fields = type_.fields.items()
        if type_.is_one_of:
            return dict([self.chance.choice([(name, self.value(GraphQLNonNull(found.type), name, depth + 1)) for name, found in fields])])
        return {
            name: self.value(found.type, name, depth + 1)
            for name, found in fields
            if isinstance(found.type, GraphQLNonNull) or self.chance.random() < 0.5
        }

    def _selection(self, type_: Any, depth: int) -> str:
        if is_leaf_type(type_):
            return ""
        return f" {{ {' '.join(self._fields(type_, depth)) or '__typename'} }}"

    def _fields(self, type_: Any, depth: int) -> list[str]:
        found = ["__typename"] if self.chance.random() < 0.2 else []
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            possible = list(SCHEMA.get_possible_types(type_))
            some = self.chance.sample(possible, k=min(3, len(possible)))
            return found + [f"... on {one.name} {{ {' '.join(self._fields(one, depth)) or '__typename'} }}" for one in some]
        assert isinstance(type_, GraphQLObjectType)
        names = list(type_.fields)
        for name in self.chance.sample(names, k=min(len(names), 1 + self.chance.randrange(6))):
            leaf = is_leaf_type(get_named_type(type_.fields[name].type))
            if self.left > 0 and (leaf or depth < LEVELS):
                found.append(self._field(name, type_.fields[name], depth))
        if found and self.chance.random() < 0.15:
            self.fragments.append(f"fragment f{len(self.fragments)} on {type_.name} {{ {' '.join(found)} }}")
            return [f"...f{len(self.fragments) - 1}"]
        return found
