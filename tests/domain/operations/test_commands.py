"""A document is registered under the hash of its text, and under no other."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.operations.commands import Draft, add
from domain.operations.queries import document_of
from tests.build import NOW

SHOWN = Draft("query Now { serverTime }", ("Now",))


@pytest.mark.parametrize(
    "sql",
    ["update trusted_operation set document = document || ' '", "update trusted_operation set hash = repeat('0', 64)"],
)
async def test_neither_the_text_nor_the_hash_can_be_another(db: str, sql: str) -> None:
    assert await add([SHOWN], NOW) == {SHOWN.hash}
    with pytest.raises(asyncpg.CheckViolationError, match="trusted_operation_hash"):
        await database.execute(sql)
    assert await document_of(SHOWN.hash) == SHOWN.document
