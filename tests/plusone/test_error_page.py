"""docs/api/errors.md is what the schema says, and knows every code."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.execution.errors import Code
from api.graphql_app import schema
from api.schema.errors import FAMILIES, KEYS, MESSAGES
from plusone.error_page import ADVICE, TOP_LEVEL, codes_of, page, takes_key

PAGE = Path(__file__).parents[2] / "docs" / "api" / "errors.md"


def test_the_committed_page_is_the_page() -> None:
    assert PAGE.read_text() == page()


def test_every_code_is_there_with_what_to_do() -> None:
    assert set(TOP_LEVEL) == set(Code)
    assert ADVICE.keys() <= MESSAGES.keys()
    assert [code for code in MESSAGES if f"| `{code}` | " not in page()] == []


def test_every_mutation_is_there_with_codes_of_its_family() -> None:
    assert schema._schema.mutation_type is not None
    for name in schema._schema.mutation_type.fields:
        codes = codes_of(name)
        assert codes, name
        assert any(set(codes) <= set(family) for family in FAMILIES.values()), name
        assert set(KEYS).isdisjoint(codes) or takes_key(name)
        assert f"\n| `{name}` | " in page()


@pytest.mark.parametrize(
    ("name", "key"), [("orderMarkPaid", True), ("stockSet", True), ("suggestionAccept", True), ("commentResolve", False)]
)
def test_keys_are_told_of_those_that_take_one(name: str, key: bool) -> None:
    assert takes_key(name) is key
