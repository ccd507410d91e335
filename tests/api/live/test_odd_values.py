"""Every argument of every stream, found in the schema, with every odd value: a typed error that ends the operation and not the connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import GraphQLNonNull

from api.graphql_app import schema
from tests.api.graphql.odd import ODD, SQL
from tests.api.live.acts import NOTICES, ORDERS, PASS, POST
from tests.api.live.conftest import House, Place
from tests.api.live.wire import wired

DOCUMENTS = {"myOrders": ORDERS, "myNotifications": NOTICES, "salesPostUpdated": POST, "pickupPassUsed": PASS}
STREAMS: Any = schema._schema.subscription_type
ARGUMENTS = {f"{name}.{argument}": definition for name, field in STREAMS.fields.items() for argument, definition in field.args.items()}


def test_every_argument_of_a_stream_is_tried() -> None:
    assert {place.partition(".")[0] for place in ARGUMENTS} == DOCUMENTS.keys() == STREAMS.fields.keys()
    assert all(f"${place.partition('.')[2]}" in DOCUMENTS[place.partition(".")[0]] for place in ARGUMENTS)


@pytest.mark.parametrize("place_of", ARGUMENTS)
async def test_an_odd_value_is_a_typed_error_and_the_connection_goes_on(house: House, place: Place, place_of: str) -> None:
    name, _, argument = place_of.partition(".")
    may_be_null = not isinstance(ARGUMENTS[place_of].type, GraphQLNonNull)
    async with house(messages=10_000) as base, wired(base, place.token) as wire:
        for number, value in enumerate(ODD):
            if value is None and may_be_null:
                continue
            await wire.subscribe(DOCUMENTS[name], {argument: value}, name=str(number))
            answer = await wire.hear()
            where = (place_of, str(value)[:40], json.dumps(answer)[:300])
            assert (answer["type"], answer["id"]) == ("error", str(number)), where
            assert {error["extensions"]["code"] for error in answer["payload"]} <= {"BAD_REQUEST", "RESYNC"}, where
            assert not [word for word in SQL if word.lower() in json.dumps(answer).lower()], where
        await wire.nothing_more()
