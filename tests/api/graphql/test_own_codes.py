"""Each mutation names its own codes: all that its source can refuse with, and nothing else. Beside this, every test of the suite fails that sees
a mutation answer a code that it does not name (tests/conftest.py)."""

from __future__ import annotations

import logging
from typing import Any, Final

import pytest

from api.auth.permissions import rights_in
from api.graphql_app import schema
from api.resolvers.gift import GiftMutations
from api.resolvers.mutation import Refusals, mutation, text
from api.schema.errors import FALLBACK, FAMILIES, KEYS, DeliveryUserError
from api.schema.gift import GiftLinkRevokePayload
from domain.idempotency.commands import once
from domain.shipping.importing import take_rows
from domain.stock.commands import adjust
from plusone.error_page import codes_of
from tests.reaching import Reach

NEVER: Final = {
    ("giftLinkRevoke", "INVALID_TRANSITION"): "it moves the order along no axis",
    ("pickupConfirm", "INVALID_TRANSITION"): "orders are locked, and those that may not move were refused as PICKUP_REFUSED before",
    ("stockAdjust", "VERSION_CONFLICT"): "nothing is expected of the level",
    ("waitlistLeave", "INVALID_INPUT"): "only of a stored policy, which was checked when it was written",
    ("waitlistOfferAccept", "INVALID_INPUT"): "only of a stored policy, which was checked when it was written",
}
"""What the source seems to allow and the state of things does not. The only part that no machine holds but by seeing no such answer."""

REVOKE = "mutation ($input: GiftLinkRevokeInput!) { giftLinkRevoke(input: $input) { order { number } userErrors { code message } } }"
NOBODYS: Final = {"input": {"orderId": "order_00000000000000000000000000"}}


@pytest.fixture(scope="module")
def reach() -> Reach:
    return Reach()


def mutations() -> dict[str, Any]:
    assert schema._schema.mutation_type is not None
    return schema._schema.mutation_type.fields


def reached(reach: Reach, name: str) -> set[str]:
    """Codes of the refusals that the resolver can end with. What may be tried again is no refusal: it is an error of the request."""
    resolver = mutations()[name].extensions["strawberry-definition"].base_resolver.wrapped_func
    return {error.code for error in reach.errors(resolver) if not error.retryable} - set(KEYS)


def family_of(name: str) -> tuple[str, ...]:
    error = mutations()[name].type.of_type if hasattr(mutations()[name].type, "of_type") else mutations()[name].type
    listed = error.fields["userErrors"].type
    while hasattr(listed, "of_type"):
        listed = listed.of_type
    code = listed.fields["code"].type
    return FAMILIES[(code.of_type if hasattr(code, "of_type") else code).name]


def test_each_mutation_names_what_its_source_can_refuse_with(reach) -> None:
    for name in mutations():
        family = family_of(name)
        causes = {code for code in reached(reach, name) if (name, code) not in NEVER}
        assert set(codes_of(name)) - set(KEYS) == {code if code in family else FALLBACK for code in causes}, name


def test_what_is_never_answered_is_reached_and_not_named(reach) -> None:
    for name, code in NEVER:
        assert code in reached(reach, name)
        assert code not in codes_of(name)


def test_no_mutation_answers_with_a_word_for_anything() -> None:
    """Every cause has a code in its family."""
    assert [name for name in mutations() if FALLBACK in codes_of(name)] == []


def test_most_mutations_name_fewer_codes_than_their_family() -> None:
    assert codes_of("identityLinkStart") == ["NOT_FOUND", "SIGN_IN_REFUSED"]
    assert codes_of("giftLinkCreate") == ["NOT_FOUND", "INVALID_INPUT", "INVALID_TRANSITION"]


@pytest.mark.parametrize(
    ("function", "codes"),
    [
        (rights_in, {"NOT_FOUND"}),
        (text, {"INVALID_INPUT"}),
        (adjust, {"NOT_FOUND", "OVER_LIMIT", "INSUFFICIENT_STOCK", "VERSION_CONFLICT"}),
        (once, {"IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_UNUSABLE"}),
        (take_rows, set()),
    ],
)
def test_what_the_source_tells_of_some_functions(reach, function, codes) -> None:
    assert {error.code for error in reach.errors(function) if not error.retryable} == codes


def test_without_what_is_caught_the_source_tells_too_much() -> None:
    assert "DIFFERENT_BUYERS" in {error.code for error in Reach(catching=False).errors(take_rows)}


def test_a_code_that_the_family_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="PICKUP_REFUSED"):
        mutation(DeliveryUserError, GiftLinkRevokePayload, "NOT_FOUND PICKUP_REFUSED")(GiftMutations.gift_link_revoke)


@pytest.fixture
def unnamed(monkeypatch) -> None:
    """giftLinkRevoke, which forgot a code."""
    definition = mutations()["giftLinkRevoke"].extensions["strawberry-definition"]
    (refusals,) = (each for each in definition.extensions if isinstance(each, Refusals))
    monkeypatch.setattr(refusals, "own", ("INVALID_INPUT",))


async def test_a_code_that_is_not_named_fails_the_test_that_sees_it(people, signed_in, unnamed) -> None:
    client, (handler,) = await signed_in(people.member), logging.getLogger("api.resolvers.mutation").handlers
    answer = await client.ask(REVOKE, NOBODYS)
    assert answer.codes == ["INTERNAL"]
    heard, handler.heard = handler.heard, []
    assert heard == ["giftLinkRevoke answered NOT_FOUND, which it does not name"]


async def test_in_production_it_is_answered_and_logged(people, signed_in, unnamed, caplog, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger("api.resolvers.mutation"), "handlers", [])
    answer = await (await signed_in(people.member)).ask(REVOKE, NOBODYS)
    assert [error["code"] for error in answer.data["giftLinkRevoke"]["userErrors"]] == ["NOT_FOUND"]
    assert "giftLinkRevoke answered NOT_FOUND, which it does not name" in caplog.messages
