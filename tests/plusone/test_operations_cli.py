"""`plusone operations`: documents from files, all or none, and what a process answers then."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from domain import db as database
from plusone.operations_work import FilesRefused, read
from tests.serving import SECRET_KEY, environment, plusone

HOME = "query Home($n: Int = 20) { me { orders(first: $n) { nodes { id } } } }\n"
TIME = "query Time { serverTime }"
UNNAMED = "{ serverTime }"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def run(db: str, folder: Path, *arguments: str, fresh: bool = False) -> Any:
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1")
    return await asyncio.to_thread(plusone, "operations", *arguments, cwd=folder, env=env, fresh=fresh)


async def test_documents_are_added_listed_and_removed(db: str, tmp_path: Path) -> None:
    (tmp_path / "home.graphql").write_text(HOME)
    (tmp_path / "manifest.json").write_text(
        json.dumps({
            "format": "apollo-persisted-query-manifest", "version": 1,
            "operations": [{"id": sha(TIME), "name": "Time", "type": "query", "body": TIME}],
        })
    )  # fmt: skip
    (tmp_path / "map.json").write_text(json.dumps({f"sha256:{sha(UNNAMED)}": UNNAMED, sha(TIME): TIME}))
    added = await run(db, tmp_path, "add", "home.graphql", "manifest.json", fresh=True)
    assert (added.returncode, added.stderr) == (0, "")
    assert added.stdout.splitlines() == [f"added {sha(HOME)} Home", f"added {sha(TIME)} Time"]
    again = await run(db, tmp_path, "add", "map.json")
    assert again.stdout.splitlines() == [f"added {sha(UNNAMED)} (unnamed)", f"known {sha(TIME)} Time"]
    listed = (await run(db, tmp_path, "list", fresh=True)).stdout.splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in listed] == [
        (sha(UNNAMED), "(unnamed)"),
        (sha(HOME), "Home"),
        (sha(TIME), "Time"),
    ]
    assert await database.fetchval("select document from trusted_operation where name = 'Home'") == HOME
    removed = await run(db, tmp_path, "remove", sha(HOME)[:8], sha(TIME), fresh=True)
    assert (removed.returncode, removed.stdout.splitlines()) == (0, [f"removed {sha(HOME)}", f"removed {sha(TIME)}"])
    assert await database.fetchval("select count(*) from trusted_operation") == 1


async def test_one_bad_file_and_nothing_is_registered(db: str, tmp_path: Path) -> None:
    (tmp_path / "good.graphql").write_text(HOME)
    (tmp_path / "bad.graphql").write_text("query Bad {\n  serverTime\n  nothing\n}")
    done = await run(db, tmp_path, "add", "good.graphql", "bad.graphql", "gone.graphql")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Nothing was registered:",
        "  bad.graphql: line 3, column 3: Cannot query field 'nothing' on type 'Query'.",
        "  gone.graphql: No such file or directory",
    ]
    assert await database.fetchval("select count(*) from trusted_operation") == 0


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.graphql", b"query {", "line 1, column 8: Syntax Error: Expected Name, found <EOF>."),
        ("a.graphql", b"fragment F on Query { serverTime }", "line 1, column 1: Fragment 'F' is never used."),
        ("a.graphql", b"\xff", "is not UTF-8"),
        ("a.graphql", b"{ me { orders(first: 100) { nodes { lines { nodes { id } } } } } }", "the operation costs 1101 points, 1000 are allowed; ask for smaller pages"),
        ("a.graphql", b"query Q($n: Int = 100) { me { orders(first: $n) { nodes { lines { nodes { id } } } } } }", "the operation costs 1101 points"),
        ("a.graphql", b"{ __schema { types { name } } }", "line 1, column 3: GraphQL introspection has been disabled"),
        ("a.json", b"[]", "holds neither"),
        ("a.json", b"{}", "holds neither"),
        ("a.json", b"{", "is not JSON"),
        ("a.json", b'{"abc": "{ serverTime }"}', "names a document 'abc', which is not the SHA-256 of its text"),
        ("a.json", b'{"format": "other", "operations": []}', "is a manifest of a form that is not known"),
        ("a.json", b'{"format": "apollo-persisted-query-manifest", "operations": [{"id": 1, "body": 2}]}', "which is not the SHA-256"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(FilesRefused) as refused:
        read([file])
    assert any(problem in line for line in refused.value.problems), refused.value.problems
    assert all(line.startswith(str(file)) for line in refused.value.problems)


async def test_a_hash_that_is_none_or_of_several_removes_nothing(db: str, tmp_path: Path) -> None:
    texts = {"{ serverTime }", "{ a: serverTime }"}
    for text in texts:
        await database.execute(
            "insert into trusted_operation (hash, name, document, added_at) values ($1, 'x', $2, now())", sha(text), text
        )
    for arguments in (["nonsense"], ["abc"], ["0" * 64], [sha("{ serverTime }"), "f" * 8]):
        done = await run(db, tmp_path, "remove", *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert await database.fetchval("select count(*) from trusted_operation") == 2


async def test_an_empty_list_says_what_to_do(db: str, tmp_path: Path) -> None:
    assert "plusone operations add FILE" in (await run(db, tmp_path, "list")).stdout


async def test_a_document_cannot_be_kept_under_anothers_hash(db: str) -> None:
    import asyncpg

    for digest, text in ((sha("{ a }"), "{ b }"), ("x" * 64, "{ b }")):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(
                "insert into trusted_operation (hash, name, document, added_at) values ($1, 'x', $2, now())", digest, text
            )
