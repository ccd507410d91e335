"""Odd rows and random operations are answered from text as graphql-core answers them from rows, and text that does not fit is not used."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type, get_nullable_type, is_leaf_type

from api import graphql_app
from api.execution import screens
from api.resolvers.notice import _fields
from benchmarks.screens import DOCUMENTS
from domain import db as database
from domain.orders.shipments import SHIPMENT_FIELDS
from domain.orders.written import ORDER_FIELDS, PICKUP_FIELDS
from domain.paging.written import Fields, Paged
from tests.api.execution.odd_rows import furnished, odd
from tests.api.execution.written import by_executor, same
from tests.sql_recorder import recorded


async def test_random_rows_and_selections_answer_the_same(people, signed_in, seen, monkeypatch) -> None:
    """Fourteen worlds of odd rows, twelve documents over each, with fragments, aliases and conditions."""
    await furnished(people)
    client = await signed_in(people.member)
    types = graphql_app.schema._schema.type_map
    seen.written.clear()
    for seed in range(168):
        chance = Random(seed)
        if seed % 12 == 0:
            await odd(chance, fits=seed % 24 == 0)
        fields = [
            f"{name}(first: {chance.randint(1, 7)}) {{ {selection(chance, _type(types, name), 6)} }}"
            for name in chance.sample(["orders", "unpaid", "notifications", "pickups", "shipments"], chance.choice([1, 1, 2, 3]))
        ]
        body = f"{{ me {{ id __typename @include(if: $yes) {' '.join(fields)} }} }}"
        query = f"query ($yes: Boolean = true{', $some: Int = 3' if '$some' in body else ''}) {body}"
        await same(client, query, chance.choice([{}, {"yes": False}, {"some": 1}]), monkeypatch)
    assert len(seen.written) > 35, "the property is about writers; others were refused for their cost, or have fields without one"


def _type(types: Any, name: str) -> GraphQLNamedType:
    return get_named_type(types["Buyer"].fields[name].type)


LEFT_OUT = {"receipt", "rule", "items", "matched", "revisions"}
"""Fields without a writer: with them, few operations had one."""
UNWRITTEN = {"OrderEvent.title", "Claim.order", "SocialComment.claim", "Shop.deliveryOptions"}


def selection(chance: Random, type_: GraphQLNamedType, depth: int) -> str:
    """A random selection of what has a writer."""
    assert isinstance(type_, GraphQLObjectType)
    made = [f"{chance.choice(['', 'kind: '])}__typename"]
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        if name in LEFT_OUT or f"{type_.name}.{name}" in UNWRITTEN or (type_.name == "Shop" and field.args) or chance.random() < 0.4:
            continue
        condition = chance.choice(["", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false)"])
        if is_leaf_type(get_nullable_type(below)):
            made.append(f"{chance.choice(['', '', f'{name}_: '])}{name}{condition}")
        elif isinstance(below, GraphQLObjectType) and depth > 0:
            inner = selection(chance, below, depth - 1)
            arguments = chance.choice(["", "(first: 1)", "(first: $some)", "(last: 2)"]) if "first" in field.args else ""
            around = chance.choice([inner, f"... on {below.name} {{ {inner} }}", f"... {{ {inner} }}"])
            made.append(f"{chance.choice(['', '', f'{name}_: '])}{name}{arguments}{condition} {{ {around} }}")
    return " ".join(made)


# What does not fit


SPOILT = {
    "a word that the schema does not know": lambda text: text.replace(b"UNPAID", b"UNHEARD"),
    "a piece too few": lambda text: text.replace(b"\x1f", b"", 1),
    "a piece too many": lambda text: text.replace(b"\x1f", b"\x1f\x1f", 1),
    "an instant without end": lambda text: text.replace(b"2026-", b"infinity", 1),
    "a currency that nobody knows": lambda text: text.replace(b"TWD", b"XXX"),
    "an instant of another zone": lambda text: text.replace(b"+00\x1f", b"+08\x1f", 1),
}


@pytest.mark.parametrize("how", SPOILT)
async def test_text_that_does_not_fit_is_read_as_rows(people, signed_in, seen, monkeypatch, caplog, how) -> None:
    await furnished(people)
    client, query = await signed_in(people.member), DOCUMENTS["home"]
    usual, fetch = await by_executor(client, query, {}, monkeypatch), screens.fetch_columns

    async def spoilt(columns: Any, args: Any) -> Any:
        found = [SPOILT[how](text) if isinstance(text, bytes) else text for text in await fetch(columns, args)]
        assert found != list(await fetch(columns, args))
        return found

    monkeypatch.setattr(screens, "fetch_columns", spoilt)
    seen.written.clear()
    assert (await client.ask(query)).response.content == usual
    assert not seen.written
    assert "does not fit" in caplog.text


async def test_a_database_that_is_away_is_asked_once(people, signed_in, monkeypatch) -> None:
    client, asked = await signed_in(people.member), []

    async def away(*_: Any) -> Any:
        asked.append(1)
        raise database.DatabaseAway

    monkeypatch.setattr(screens, "fetch_columns", away)
    with recorded() as sql:
        answer = await client.ask("{ me { orders { nodes { id } } pickups { nodes { id } } } }")
    assert (answer.response.status_code, set(answer.codes), sql, len(asked)) == (503, {"UNAVAILABLE"}, [], 1)


async def test_nobody_sees_nothing(people, signed_in, monkeypatch) -> None:
    answer = await same(await signed_in(None), DOCUMENTS["home"], {}, monkeypatch)
    assert answer.codes == ["UNAUTHENTICATED"]


# Every field has one


ROOTS: dict[str, Fields] = {"Order": ORDER_FIELDS, "Shipment": SHIPMENT_FIELDS, "Pickup": PICKUP_FIELDS, "Notification": _fields("en")}
WITHOUT = {
    "Claim": {"rule", "matched", "order", "receipt"}, "SocialComment": {"claim", "revisions"},
    "SalesPost": {"rule", "items"}, "OrderEvent": {"title"},
}  # fmt: skip
"""Fields that are read as rows: sentences in the reader's language, stored trails, signatures, and what leads back to where one came from."""


def _missing(name: str, fields: Fields, known: set[str]) -> Iterator[str]:
    """The fields of this type that have no entry, and those of the objects below it."""
    if name in known or name == "Shop":  # its lists are the staff's
        return
    known.add(name)
    type_ = graphql_app.schema._schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    for field in type_.fields.values():
        python = field.extensions["strawberry-definition"].python_name
        entry = fields.entries.get(python)
        if entry is None and python not in WITHOUT.get(name, ()):
            yield f"{name}.{python}"
        below = entry.rows.fields if isinstance(entry, Paged) else getattr(entry, "fields", None)
        named = get_named_type(field.type)
        if isinstance(below, Fields):
            if isinstance(entry, Paged):
                assert isinstance(named, GraphQLObjectType)
                named = get_named_type(named.fields["nodes"].type)
            yield from _missing(named.name, below, known)


def test_every_field_of_what_screens_show_is_written() -> None:
    known: set[str] = set()
    assert [found for name, fields in ROOTS.items() for found in _missing(name, fields, known)] == []
    assert known >= {"OrderLine", "OrderEvent", "PaymentSurplus", "PickupSlot", "TransferReport", "ShipmentEvent", "PickupLoan"}
    assert set(WITHOUT) <= known
