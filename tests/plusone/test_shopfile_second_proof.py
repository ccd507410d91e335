"""`staff_second_proof` of a shop file."""

from __future__ import annotations

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from plusone.shopfile_parts import FileRefused
from plusone.shopfile_work import Mark
from tests.plusone.shopfile_help import an_operator, applied, beyond_same, example


@pytest.fixture
def services(db: str, clock: FixedClock) -> Services:
    return an_operator(clock)


async def test_a_file_that_does_not_speak_of_it_leaves_it(services) -> None:
    given = example()
    assert "staff_second_proof" not in given["shop"]
    for wish, asks, told in (
        (None, False, []), ("OPTIONAL", False, []), ("REQUIRED", True, ["REQUIRED"]), ("REQUIRED", True, []), (None, True, []),
        ("OPTIONAL", False, ["OPTIONAL"]),
    ):  # fmt: skip
        given["shop"].pop("staff_second_proof", None)
        if wish is not None:
            given["shop"]["staff_second_proof"] = wish
        rows = await applied(given, services)
        assert [(row.mark, row.told) for row in rows if row.name == "second proof"] == [(Mark.CHANGED, word) for word in told]
        assert await database.fetchval("select staff_second_proof from shop") is asks
    assert beyond_same(await applied(given, services)) == []


@pytest.mark.parametrize("wish", ["required", True, "ALWAYS"])
async def test_other_words_are_refused(services, wish: object) -> None:
    given = example()
    given["shop"]["staff_second_proof"] = wish
    with pytest.raises(FileRefused, match="staff_second_proof"):
        await applied(given, services)
