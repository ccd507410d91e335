"""What is written into an order's timeline has a name, a description and words in every language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from api.graphql_app import schema
from domain import db as database
from domain.audit.commands import Actor
from domain.orders.commands import add_events, lock_order
from domain.orders.timeline import KINDS, WORDS, OrderEventKind, words_of
from domain.payments.rules import AttemptState
from domain.words import LANGUAGES
from tests import build
from tests.build import NOW

ROOT = Path(__file__).parents[3]
WRITERS = {"domain/orders/commands.py", "domain/claims/writing.py", "domain/members/linking.py", "domain/members/people.py"}
"""Files that write rows of order_event; all others go through `add_events`."""


def domain_files() -> dict[str, str]:
    paths = [path for path in (ROOT / "domain").rglob("*.py") if "migrations" not in path.parts]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def test_every_kind_has_words_in_every_language() -> None:
    assert set(WORDS) == set(OrderEventKind)
    said = {language: [words_of(kind, language) for kind in OrderEventKind] for language in LANGUAGES}
    assert [text for texts in said.values() for text in texts if not text.strip()] == []
    assert {language: len(set(texts)) for language, texts in said.items()} == dict.fromkeys(LANGUAGES, len(OrderEventKind))
    assert set(KINDS) == {kind.value for kind in OrderEventKind} - {"OTHER"}


def test_every_kind_is_described_in_the_schema() -> None:
    shown = schema._schema.type_map["OrderEventKind"].values  # type: ignore[union-attr]
    assert {name: bool(value.description) for name, value in shown.items()} == {kind.value: True for kind in OrderEventKind}


def test_rows_of_the_timeline_are_written_in_four_places_alone() -> None:
    writes = re.compile(r"""insert into order_event|copy\(\s*"order_event\"""")
    assert {path for path, source in domain_files().items() if writes.search(source)} == WRITERS


def test_every_kind_that_the_code_names_is_known() -> None:
    """Literals; what is put together at run time is held by `add_events` and the writer of claims, which know no other kinds."""
    named = set()
    for path, source in domain_files().items():
        if path in ("domain/members/linking.py", "domain/members/people.py"):
            named |= set(re.findall(r"(?<!ORDER_)MEMBER_(?:UN)?LINKED", source))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "add_events":
                named |= {part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    assert named - {"PAYMENT_"} <= set(KINDS)
    assert {"PAID", "MERGED", "DISPUTE_OPENED", "MEMBER_LINKED", "MEMBER_UNLINKED"} <= named
    assert {f"PAYMENT_{state}" for state in (AttemptState.FAILED, AttemptState.EXPIRED)} <= set(KINDS)


async def test_an_unknown_kind_is_not_written(db: str) -> None:
    shop = await build.a_shop()
    order = await build.an_order(shop, {await build.a_variant(shop): 1}, buyer=await build.a_buyer(shop))
    before = await database.fetchval("select count(*) from order_event")
    with pytest.raises(ValueError, match="A_NEW_KIND"):
        async with database.transaction() as tx:
            await add_events(tx, "A_NEW_KIND", [await lock_order(tx, order.id, shop.id)], {}, actor=Actor("worker:x"), now=NOW)
    assert await database.fetchval("select count(*) from order_event") == before
