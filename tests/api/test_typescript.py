"""A TypeScript client generated from the documented operations compiles against the schema, and refuses what the schema does not have."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import node

ROOT = Path(__file__).parents[2]
DOCUMENT = re.compile(r"```graphql\n(.*?)```", re.DOTALL)
NAME = re.compile(r"^\s*(?:query|mutation|subscription)\s+(\w+)")


def documented() -> dict[str, str]:
    """The named operations of docs/api by their names; of those shown twice, the first."""
    found: dict[str, str] = {}
    for page in sorted((ROOT / "docs" / "api").glob("*.md")):
        for text in DOCUMENT.findall(page.read_text()):
            if name := NAME.match(text):
                found.setdefault(name[1], text)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with the schema, the documented operations, and what an app writes around them."""
    (tmp_path / "operations").mkdir()
    for name, text in documented().items():
        (tmp_path / "operations" / f"{name}.graphql").write_text(text)
    for source in (ROOT / "api/schema/schema.graphql", node.FIXTURES / "client.ts", node.FIXTURES / "tsconfig.json"):
        shutil.copy(source, tmp_path)
    done = node.node("codegen.js", workspace=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(documented()) > 15
    return tmp_path


def test_the_generated_client_compiles(workspace: Path) -> None:
    done = node.tsc("-p", "tsconfig.json", workspace=workspace)
    assert (done.returncode, done.stdout) == (0, "")
    generated = (workspace / "generated.ts").read_text()
    assert [name for name in documented() if f"export const {name}Document" not in generated] == []


def test_a_client_that_asks_for_more_does_not_compile(workspace: Path) -> None:
    """The twin: without it the compiler might look at nothing."""
    client = workspace / "client.ts"
    client.write_text(client.read_text().replace("order.number", "order.nickname").replace("total.amount", "total.amount + 1n"))
    done = node.tsc("-p", "tsconfig.json", workspace=workspace)
    assert done.returncode != 0
    assert "'nickname' does not exist" in done.stdout
