"""Single values in a writer: expressions that write them from the pieces of their row, and what these call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLString,
    get_nullable_type,
)

from api.execution.leaves import enum_names
from api.execution.placing import ENVIRONMENT, Level, Lists
from api.execution.plans import Unplannable
from domain.paging.written import NULL, Amount, Kind, Leaf, Part

DATED: Final[Mapping[Kind, str]] = {Kind.INSTANT: "DateTime", Kind.DAY: "Date"}
SCALARS: Final[Mapping[Kind, Any]] = {Kind.ID: GraphQLID, Kind.TEXT: GraphQLString, Kind.WHOLE: GraphQLInt, Kind.FLAG: GraphQLBoolean}


class Values:
    """What the compiled functions of one operation know by names of ours."""

    def __init__(self, environment: Mapping[str, Any]) -> None:
        self.environment: dict[str, Any] = {**ENVIRONMENT, **environment}
        self._known: dict[Any, str] = {}
        self._names = 0

    def name(self, prefix: str) -> str:
        """One that nothing else has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def bound(self, value: Any, key: Any = None) -> str:
        """The name of a value; `key` is looked up instead of one that has no hash."""
        wanted = value if key is None else key
        if wanted not in self._known:
            self._known[wanted] = self.name("k")
            self.environment[self._known[wanted]] = value
        return self._known[wanted]

    def leaf(self, leaf: Leaf, type_: GraphQLOutputType, level: Level) -> str:
        """Raises Unplannable when values of the type are not written so."""
        if leaf.nullable and isinstance(type_, GraphQLNonNull):
            raise Unplannable
        named, x = get_nullable_type(type_), level.piece(leaf.piece)
        if (scalar := SCALARS.get(leaf.kind)) is not None and named is not scalar:
            raise Unplannable
        match leaf.kind:
            case Kind.ID:
                return f'"{leaf.tag}_{{{x}[:22].replace(PLUS, DASH).replace(SLASH, LINE)}}"'
            case Kind.TEXT | Kind.WHOLE:
                return f"{{{x}}}"
            case Kind.FLAG if not leaf.nullable:
                return f"{{FLAGS[{x}]}}"
            case Kind.INSTANT | Kind.DAY if getattr(named, "name", "") == DATED[leaf.kind]:
                made = f"{leaf.kind.name.lower()}({x})"
                return f"{{NULL if {x} == NULL else {made}}}" if leaf.nullable else f"{{{made}}}"
            case Kind.WORD if isinstance(named, GraphQLEnumType):
                return f"{{{self.words(named, nullable=leaf.nullable)}[{x}]}}"
        raise Unplannable

    def currency(self, amount: Amount, level: Level) -> str:
        """The piece of an amount's currency."""
        if not amount.of_outer:
            return level.piece(amount.currency)
        if level.outer is None:
            raise Unplannable
        piece = level.outer.piece(amount.currency)
        if piece not in level.borrowed:
            level.borrowed.append(piece)
        return piece

    def part(self, part: Part, type_: GraphQLOutputType, level: Level) -> str:
        """What was made in Python: a text of it, or a list of words."""
        if part.name is None and isinstance(listed := get_nullable_type(type_), GraphQLList):
            words = get_nullable_type(listed.of_type)
            if not isinstance(words, GraphQLEnumType):
                raise Unplannable
            lists = self.bound(Lists(part.of.make, names_of(words)), (type_, part))
            return f"{{{lists}[{', '.join(map(level.piece, part.of.pieces))},]}}"
        if part.of not in level.made:
            level.made[part.of] = self.name("m")
            pieces = ", ".join(f"real({level.piece(sql)})" for sql in part.of.pieces)
            level.before.append(f"{level.made[part.of]} = {self.bound(part.of.make)}({pieces})")
        value = level.made[part.of] + (f".{part.name}" if part.name else "")
        if get_nullable_type(type_) is not GraphQLString:
            raise Unplannable
        return f"{{quoted({value})}}"

    def words(self, type_: GraphQLEnumType, *, nullable: bool = False) -> str:
        """The name of an enum's words as JSON, by what rows hold."""
        names = names_of(type_)
        return self.bound(names | {NULL: NULL} if nullable else names, (type_, nullable))


def names_of(type_: GraphQLEnumType) -> dict[Any, str]:
    """An enum's words as JSON, by what rows hold; Unplannable when that is not text."""
    names = {value: f'"{name}"' for value, name in enum_names(type_).items() if isinstance(value, str)}
    if not names:
        raise Unplannable
    return names
