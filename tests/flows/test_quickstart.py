"""`docs/api/quickstart.md`, followed to the letter: the demo is started as the page does, its commands run in one shell, its answers are compared."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from plusone.demo.run import PORT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api" / "quickstart.md"
BLOCK = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
DONE = "Ctrl-C ends it."
MARK = "----8<----"
NEW = {
    "order number": re.compile(r"\d{4}-[0-9A-HJ-NP-Z]{6}\b"),
    "id": re.compile(r"\b(order|shop|pickup)_[\w-]{22}"),
    "instant": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"),
    "short code": re.compile(r"^[0-9A-Z]{8}$", re.MULTILINE),
    "cursor": re.compile(r"\b[\w-]{40,}"),
}
"""What is new each time: the page shows examples."""


class Block(NamedTuple):
    """A command of the page, and what it says that comes of it."""

    command: str
    kind: str = ""
    answer: str = ""


def blocks() -> Iterator[Block]:
    """The page's commands for the second terminal, in order."""
    waiting: Block | None = None
    for found in BLOCK.finditer(PAGE.read_text()):
        if found["kind"] != "sh":
            assert waiting is not None
            waiting = waiting._replace(kind=found["kind"], answer=found["text"])
            continue
        if waiting is not None:
            yield waiting
        waiting = None if found["note"] else Block(found["text"])
    assert waiting is not None
    yield waiting


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """`make demo` without the setting up of its environment, on a free port; answers its address."""
    env = {**os.environ, "PLUSONE_PORT": "0", "NO_COLOR": "1"}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plusone", "demo", cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert running.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(600):
            while DONE not in said:
                line = (await running.stdout.readline()).decode()
                assert line, said[-4000:]
                said += line
        address = re.search(r"^  (http://\S+)/graphql ", said, re.MULTILINE)
        assert address is not None
        yield address[1]
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGINT)
        await running.communicate()
    assert running.returncode == 0


def masked(text: str) -> str:
    """The text with what is new each time taken out."""
    for name, pattern in NEW.items():
        text = pattern.sub(f"<{name}>", text)
    return text


def compared(shown: str, answer: str) -> tuple[Any, Any]:
    """What the page shows and what was answered, as they are compared. There may be more `actions` than the page shows."""
    left, right = (json.loads(masked(text)) for text in (shown, answer))
    if isinstance(left, dict) and isinstance(right, dict):
        for ours, theirs in zip(_orders(left), _orders(right), strict=True):
            theirs["actions"] = [action for action in theirs["actions"] if action in ours["actions"]]
    return left, right


def _orders(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The orders of a home screen."""
    return [order for order in data.get("me", {}).get("orders", {}).get("nodes", ()) if "actions" in order]


@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl") and shutil.which("python3")), reason="the page asks for a shell, curl and Python"
)
async def test_who_follows_the_page_sees_what_it_shows(tmp_path: Path) -> None:
    page = list(blocks())
    async with demo() as address:
        script = "".join(f"{block.command}\nprintf '%s\\n' '{MARK}'\n" for block in page)
        assert script.count(f"API=http://127.0.0.1:{PORT}\n") == 1
        shell = await asyncio.create_subprocess_exec(
            "bash", "-uo", "pipefail", "-c", script.replace(f"http://127.0.0.1:{PORT}", address), cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await asyncio.wait_for(shell.communicate(), 300))[0].decode()
    answers = said.split(f"{MARK}\n")
    assert answers.pop() == ""
    assert len(answers) == len(page)
    for block, answer in zip(page, answers, strict=True):
        if block.kind == "json":
            shown, answered = compared(block.answer, answer)
            assert answered == shown, block.command
        else:
            assert masked(answer) == masked(block.answer), block.command
    picture = ElementTree.fromstring((tmp_path / "code.svg").read_text())
    assert picture.tag.endswith("svg")


def test_the_commands_can_be_pasted_into_any_shell() -> None:
    """zsh, at the prompt, takes a comment for a command."""
    assert [block.command for block in blocks() if re.search(r"(^|\s)#", block.command)] == []


def test_the_page_is_started_as_make_does() -> None:
    assert "```sh\nmake demo\n```" in PAGE.read_text()
    assert "\ndemo: $(STAMP)\n\t@$(PY) -m plusone demo $(if" in (ROOT / "Makefile").read_text()
    assert [kind for kind in ("query Home", "query Unpaid", "pickupPassIssue") if kind not in PAGE.read_text()] == []
    assert "docs/api/quickstart.md" in (ROOT / "README.md").read_text()
