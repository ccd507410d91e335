"""docs/api/http.md and operations.md: their numbers are the program's, and their commands do what they say."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shlex
from pathlib import Path

import pytest

from api import graphql_app, limits
from api.execution import budget, http, trusted
from api.execution import limits as documents
from domain import db as database
from domain.operations.rules import Kind, size_of
from domain.paging import DEFAULT_SIZE, MAX_SIZE
from domain.settings import Settings
from tests.serving import SECRET_KEY, environment, plusone

DOCS = Path(__file__).parents[2] / "docs" / "api"
HTTP, OPERATIONS = ((DOCS / name).read_text() for name in ("http.md", "operations.md"))


def cells(first: str) -> list[str]:
    """The cells after the first of the table row that begins so."""
    (row,) = (line for line in HTTP.splitlines() if line.startswith(f"| {first}"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize(
    ("what", "numbers"),
    [
        ("body", [limits.BODY_BYTES]),
        ("document", [documents.MAX_CHARACTERS, documents.MAX_TOKENS, documents.MAX_OPERATIONS]),
        ("depth", [documents.MAX_DEPTH]),
        ("aliases", [documents.MAX_ALIASES, documents.MAX_SPREADS, documents.MAX_DIRECTIVES]),
        ("the same field", [documents.MAX_SAME_NAME]),
        ("variables", [http.DEEPEST_VARIABLES, http.LONGEST_LIST, http.MOST_VALUES]),
        ("page", [1, MAX_SIZE]),
        ("cost", [documents.MAX_COST]),
        ("time", [graphql_app.REQUEST_SECONDS]),
    ],
)
def test_the_limits_are_those_of_the_program(what: str, numbers: list[int]) -> None:
    assert [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", cells(what)[0])] == [int(number) for number in numbers]


@pytest.mark.parametrize(
    ("what", "kind"), [("a member", Kind.MEMBER), ("a shop", Kind.SHOP), ("a scanner", Kind.SCANNER), ("requests without", Kind.ADDRESS)]
)
def test_the_buckets_are_those_of_the_program(what: str, kind: Kind) -> None:
    size = size_of(kind, Settings.model_fields["points_per_second"].default)
    assert cells(what) == [f"{size.maximum:,}", f"{size.rate:,}"]


def test_the_prices_are_those_of_the_program() -> None:
    text = " ".join(HTTP.split())
    for words in (
        f"`last`, {DEFAULT_SIZE} without", f"another list {documents.LIST_SIZE} times", f"a mutation {documents.MUTATION_COST},",
        f"`claimPolicySimulate` {documents.HEAVY['Query.claimPolicySimulate']};", f"refused costs {budget.REFUSED_POINTS}.",
        "(" + ", ".join(f"`{name}`" for name in sorted(documents.FREE)) + ")",
    ):  # fmt: skip
        assert words in text
    assert f"the {trusted.MOST_SENT} used last" in OPERATIONS
    assert trusted.LOOKED_UP.total_seconds() == 60
    assert budget.SETTLE_SECONDS == 1


async def test_the_commands_do_what_they_say(db: str, tmp_path: Path) -> None:
    (name, text) = re.findall(r"<!-- file: (\S+) -->\n```graphql\n(.*?)```", OPERATIONS, re.DOTALL)[0]
    (tmp_path / name).write_text(text)
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1")
    digest, said = hashlib.sha256(text.encode()).hexdigest(), []
    for block in re.findall(r"<!-- run.*? -->\n```sh\n(.*?)```", OPERATIONS, re.DOTALL):
        for line in block.strip().splitlines():
            command = [digest if word == "$HASH" else word for word in shlex.split(line)]
            assert command.pop(0) == "plusone"
            done = await asyncio.to_thread(plusone, *command, cwd=tmp_path, env=env)
            assert (done.returncode, done.stderr) == (0, ""), line
            said.append(done.stdout.split()[:2])
    assert said[0] == ["added", digest]
    assert said[1][0] == digest
    assert said[2] == ["removed", digest]
    assert await database.fetchval("select count(*) from trusted_operation") == 0
