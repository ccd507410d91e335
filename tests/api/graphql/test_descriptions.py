"""Every name of the schema has words, in the printed schema too, and no words are left over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, build_schema
from graphql.type import is_introspection_type, is_specified_directive, is_specified_scalar_type

from api.graphql_app import schema
from api.schema.descriptions import TABLE

PRINTED = Path(__file__).parents[3] / "api" / "schema" / "schema.graphql"


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
