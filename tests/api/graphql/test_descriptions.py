"""Every name of the schema has words, in the printed schema too, and no words are left over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
)
from graphql.type import is_introspection_type, is_specified_directive, is_specified_scalar_type

from api.graphql_app import schema
from api.schema.descriptions import TABLE

PRINTED = Path(__file__).parents[3] / "api" / "schema" / "schema.graphql"


SOMEBODY = ("phone", "mail", "subject", "externalid", "userid", "membername", "buyername", "displayname")
"""Parts of names by which people could be looked up, as they are called anywhere in this house."""


def test_nobody_is_looked_up_by_phone_mail_or_name() -> None:
    """What a query takes, filters too: ids that an answer gave, states, times, and one's own search text."""
    types: Any = schema._schema.type_map
    queries = [type_ for type_ in types.values() if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")]
    taken: dict[str, Any] = {
        f"{type_.name}.{name}({argument})": definition.type
        for type_ in queries
        if type_.name != "Mutation"
        for name, field in type_.fields.items()
        for argument, definition in field.args.items()
    }
    inputs = {get_named_type(type_) for type_ in taken.values()}
    taken |= {
        f"{each.name}.{name}": field.type
        for each in inputs
        if isinstance(each, GraphQLInputObjectType)
        for name, field in each.fields.items()
    }
    assert len(taken) > 60
    assert [place for place in taken if any(part in place.rpartition("(")[2].rpartition(".")[2].lower() for part in SOMEBODY)] == []


def named(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    """Every type, field, argument, value and directive by its place."""
    for type_ in schema.type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        yield type_.name, type_
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{type_.name}.{name}", value) for name, value in type_.values.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for name, field in type_.fields.items():
                yield f"{type_.name}.{name}", field
                yield from ((f"{type_.name}.{name}({arg})", argument) for arg, argument in getattr(field, "args", {}).items())
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive
            yield from ((f"@{directive.name}({name})", argument) for name, argument in directive.args.items())


def test_every_name_of_the_printed_schema_has_a_description() -> None:
    printed = build_schema(PRINTED.read_text())
    places = dict(named(printed))
    assert places.keys() == dict(named(schema._schema)).keys()
    assert len(places) > 700
    assert [place for place, it in places.items() if not (it.description or "").strip()] == []


def test_a_description_is_not_the_name_again() -> None:
    for place, it in named(schema._schema):
        assert it.description.lower().strip(".") != place.rpartition(".")[2].lower(), place


def test_no_words_are_left_over() -> None:
    known = {f"{name}.{member}" for name, members in TABLE.items() for member in members}
    assert sorted(known - set(schema.described)) == []


def test_what_goes_away_says_what_to_use_and_when_it_went() -> None:
    """The policy of docs/api/http.md: the reason names the successor and the day of the deprecation, a year before it goes."""
    import re

    for place, it in named(schema._schema):
        reason = getattr(it, "deprecation_reason", None)
        assert reason is None or re.search(r"Use `[^`]+`.*Deprecated on \d{4}-\d\d-\d\d\.", reason), place
