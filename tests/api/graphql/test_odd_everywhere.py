"""Every argument of every field, every field of every input, found in the schema: each with every odd value gets a typed answer.

`test_odd_values` does the same by hand where the rest of the variables must be real to get far; here nothing can be forgotten.
"""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

from api.graphql_app import schema
from domain import db as database
from tests import build
from tests.api.graphql.conftest import pid
from tests.api.graphql.odd import filled, odd_values_are_answered
from tests.api.graphql.test_relay import REACHED

TYPES = schema._schema.type_map
MANY = 3
"""Levels of inputs inside inputs that are filled."""
TEXTS = {
    "DateTime": "2026-11-22T08:00:00Z",
    "Date": "2026-11-22",
    "Decimal": "1",
    "ID": "order_AAAAAAAAAAAAAAAAAAAAAA",
    "String": "x",
    "Int": 1,
    "Boolean": True,
    "Float": 1.5,
}
IDS = {
    "shopId": "<shop>", "shopIds": "<shop>", "orderId": "<order>", "orderIds": "<order>", "variantId": "<variant>", "variantIds": "<variant>",
    "handle": "<handle>",
}  # fmt: skip
"""Arguments that name what is there; the others name things of which there are none."""


def fields() -> dict[str, tuple[str, str, Any]]:
    """`Type.field` with arguments: the operation's kind, how it is reached, and its definition."""
    found: dict[str, tuple[str, str, Any]] = {}
    roots = {"query": schema._schema.query_type, "mutation": schema._schema.mutation_type}
    for kind, root in roots.items():
        assert root is not None
        found |= {f"{root.name}.{name}": (kind, "%s", field) for name, field in root.fields.items() if field.args}
    for type_ in TYPES.values():
        if (
            isinstance(type_, GraphQLObjectType)
            and type_ not in roots.values()
            and type_ is not schema._schema.subscription_type
            and not type_.name.startswith("__")
        ):
            found |= {
                f"{type_.name}.{name}": ("query", REACHED[type_.name][1], field) for name, field in type_.fields.items() if field.args
            }
    return found


def sample(type_: Any, name: str, depth: int = 0) -> Any:
    """A value that the type takes, with all fields of its inputs."""
    nullable: Any = get_nullable_type(type_)
    match nullable:
        case GraphQLList():
            return [sample(nullable.of_type, name, depth)]
        case GraphQLEnumType():
            return next(iter(nullable.values))
        case GraphQLInputObjectType():
            return {
                key: sample(field.type, key, depth + 1)
                for key, field in nullable.fields.items()
                if depth < MANY or isinstance(field.type, GraphQLNonNull)
            }
        case GraphQLScalarType():
            return IDS.get(name, TEXTS[nullable.name])
    raise AssertionError(type_)


def document(place: str) -> tuple[str, dict[str, Any]]:
    """An operation that gives the field all its arguments by variables, and these."""
    kind, reached, field = FIELDS[place]
    name = place.partition(".")[2]
    types = {arg: str(argument.type) for arg, argument in field.args.items()}
    variables = {arg: sample(argument.type, arg) for arg, argument in field.args.items()}
    variables |= {arg: None for arg in ("last", "before", "after") if arg in variables}
    directive = ""
    if kind == "mutation":
        types, variables, directive = types | {"key": "String!"}, variables | {"key": "k"}, " @idempotent(key: $key)"
    call = f"{name}({', '.join(f'{arg}: ${arg}' for arg in field.args)}){directive}{_selection(get_named_type(field.type))}"
    body = reached % call
    for key, value in (("shop", "<shop>"), ("order", "<order>")):
        if f"(id: ${key})" in body:
            types, variables = types | {key: "ID!"}, variables | {key: value}
    return f"{kind} ({', '.join(f'${arg}: {given}' for arg, given in types.items())}) {{ {body} }}", variables


def _selection(type_: Any) -> str:
    if is_leaf_type(type_):
        return ""
    return " { userErrors { code field message } }" if "userErrors" in getattr(type_, "fields", {}) else " { __typename }"


FIELDS = fields()


def test_the_schema_gave_every_argument() -> None:
    """As many places as arguments and input fields: none is left out because its sample had no room for it."""
    for place, (_, _, field) in FIELDS.items():
        _, variables = document(place)
        for name, argument in field.args.items():
            assert name in variables, place
            _check(argument.type, variables[name])


def _check(type_: Any, value: Any) -> None:
    nullable: Any = get_nullable_type(type_)
    if isinstance(nullable, GraphQLList) and value is not None:
        _check(nullable.of_type, value[0])
    if isinstance(nullable, GraphQLInputObjectType):
        assert value.keys() == nullable.fields.keys()
        for name, field in nullable.fields.items():
            _check(field.type, value[name])


@pytest.mark.parametrize("place", FIELDS)
async def test_every_odd_value_of_every_argument_gets_a_typed_answer(people, signed_in, place) -> None:
    variant = await build.a_variant(people.other_shop)
    order = await build.an_order(people.other_shop, {variant: 1}, buyer=await build.a_buyer(people.other_shop, member_id=people.member))
    ids = {
        "shop": pid("shop", people.shop.id), "order": pid("order", order.id), "variant": pid("variant", variant.id), "handle": people.shop.handle,
    }  # fmt: skip
    query, template = document(place)
    variables = filled(template, ids)
    client = await signed_in(people.owner)
    first = await client.ask(query, variables)
    assert [error for error in first.body.get("errors", ()) if "path" not in error] == []  # the document and its samples are good
    foreign = await database.fetch('select * from "order"')
    await odd_values_are_answered(client, query, variables)
    assert await database.fetch('select * from "order"') == foreign
