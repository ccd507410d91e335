"""`docs/rules/claims.md` names every field of the policy with every value, and its defaults are the defaults."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import pytest

from domain.posts.policy import NO_SYMBOL, ClaimPolicy, IgnoredAuthor, Reminder

PAGE = Path(__file__).parents[4] / "docs" / "rules" / "claims.md"
CODE = re.compile(r"`([^`]+)`")


def table() -> dict[str, list[str]]:
    """Values by field, as the page's table has them; a default has `*` behind it."""
    text = PAGE.read_text("utf-8").partition("| Field 欄位 |")[2].partition("\n\n")[0]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in text.splitlines()[2:]:
        first, second, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        names = CODE.findall(first) or names
        values = [value + ("*" if f"`{value}` (default)" in second else "") for value in CODE.findall(second)]
        for name in names:
            found.setdefault(name, []).extend(values)
    return found


def test_the_page_has_every_field() -> None:
    assert set(table()) == {field.name for field in fields(ClaimPolicy)}


@pytest.mark.parametrize("name", [f.name for f in fields(ClaimPolicy) if isinstance(f.default, StrEnum)])
def test_the_page_has_every_value_and_marks_the_default(name: str) -> None:
    default = getattr(ClaimPolicy(), name)
    values = table()[name]
    assert sorted(value.rstrip("*") for value in values) == sorted(value.value for value in type(default))
    assert [value for value in values if value.endswith("*")] in ([f"{default.value}*"], [] if name == "reading" else None)


def test_the_page_has_every_member_of_the_sets() -> None:
    assert table()["reminders"] == [kind.value for kind in Reminder]
    assert table()["ignore_authors"] == [who.value for who in IgnoredAuthor]


def test_the_page_names_the_signs_that_bind_nothing() -> None:
    line = next(line for line in PAGE.read_text("utf-8").splitlines() if "are refused" in line)
    listed = set(re.search(r"`(- [^`]+)`", line)[1].split())  # type: ignore[index]
    assert listed == (NO_SYMBOL - {"。"}) | {"-"}
