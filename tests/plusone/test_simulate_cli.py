"""`plusone shop simulate` as people run it, with the commands of docs/rules/simulator.md."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

import pytest

from domain import db as database
from domain.claims.rules import ClaimPolicy, Reading
from domain.ids import public_id
from plusone.simulate_show import Unusable, wanted
from tests.books import everything
from tests.serving import ROOT, SECRET_KEY, environment, plusone
from tests.wall import Wall, a_wall

PAGE = ROOT / "docs" / "rules" / "simulator.md"
COMMANDS = [shlex.split(line) for line in re.findall(r"^plusone (.*)$", PAGE.read_text(), re.MULTILINE)]


@pytest.fixture
async def wall(db: str) -> Wall:
    """A wall at `amei`, with three comments that are decided."""
    wall = await a_wall(variants=("紅", "白"), on_hand=2)
    await database.execute("update shop set handle = 'amei'")
    for text in ("紅+1", "白一件", "白+4"):
        await wall.says("小美", text)
    await wall.drain()
    return wall


async def ran(db: str, folder: Path, *arguments: str, fresh: bool = False) -> tuple[int, str, str]:
    """(exit code, what it printed, what it complained of) of a command; the words on one line each."""
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1", COLUMNS="160")
    done = await asyncio.to_thread(plusone, *arguments, cwd=folder, env=env, fresh=fresh)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def rows(printed: str) -> dict[str, list[str]]:
    """The rows of the first table by their names."""
    cells = ([cell.strip() for cell in line.strip("│┃ ").split("│")] for line in printed.splitlines() if line.startswith("│"))
    return {name: rest for name, *rest in cells if len(rest) == 2}


async def test_the_pages_commands_print_both_rules_side_by_side(db: str, wall: Wall, tmp_path: Path) -> None:
    (tmp_path / "comments.txt").write_text("小美: 紅+1\n阿花: 白+3\n小美: 紅+2\n", "utf-8")
    before = await everything()
    own, pasted = [await ran(db, tmp_path, *command, fresh=True) for command in COMMANDS]
    assert (own[0], pasted[0]) == (0, 0), own[2] + pasted[2]
    assert await everything() == before
    figures = rows(own[1])
    assert (figures["ORDERED"], figures["SUGGESTED"], figures["revenue TWD"]) == (["1", "2"], ["1", "0"], ["1,770", "1,770"])
    assert "3 comments, 2 come out differently; 3 decisions in force are what was decided then." in own[1]
    assert "PARTIAL INSUFFICIENT_STOCK 白 x2, 白 x2 waiting" in own[1]
    assert "PARTIAL INSUFFICIENT_STOCK 白 x1 " in own[1]
    assert "庫存不足時以剩餘數量成立。" in own[1]
    assert rows(pasted[1])["pieces"] == ["6", "1"]
    assert "decided then" not in pasted[1]


async def test_a_post_is_known_by_its_id_too(db: str, wall: Wall, tmp_path: Path) -> None:
    code, printed, _ = await ran(db, tmp_path, "shop", "simulate", "amei", public_id("post", wall.post_id), "--show", "0")
    assert code == 0
    assert "3 comments, 0 come out differently" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nobody", "週五團"], 1, "There is no shop nobody."),
        (["amei", "下週團"], 1, "The shop amei has no such post."),
        (["amei", "post_AAAAAAAAAAAAAAAAAAAAAA"], 1, "The shop amei has no such post."),
        (["amei", "週五團", "--policy", "colour=red"], 2, "'colour=red' is no field of the policy"),
        (["amei", "週五團", "--policy", "reading=LOOSE"], 2, "reading cannot be 'LOOSE' in a claim policy"),
        (["amei", "週五團", "--policy", "max_per_line=0"], 2, "max_per_line cannot be '0' in a claim policy"),
        (["amei", "週五團", "--comments", "none.txt"], 2, "none.txt cannot be read: FileNotFoundError"),
        (["amei", "週五團", "--comments", "empty.txt"], 2, "the comments cannot be used: there is no comment in it"),
    ],
)
async def test_what_cannot_be_is_said(db: str, wall: Wall, tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    (tmp_path / "empty.txt").write_text("\n", "utf-8")
    found = await ran(db, tmp_path, "shop", "simulate", *arguments)
    assert (found[0], found[1]) == (code, "")
    assert told in " ".join(found[2].split())


def test_values_are_words_numbers_lists_and_none() -> None:
    pairs = ("reading=STRICT", "trigger_symbols=+,#", "fillers=", "per_buyer_max=none", "max_per_line=7", "reminders=HALF")
    stored = wanted(pairs, None, unlimited=False).candidate(policy()).stored()
    assert {name: stored[name] for name in ("reading", "trigger_symbols", "fillers", "per_buyer_max", "max_per_line", "reminders")} == {
        "reading": "STRICT", "trigger_symbols": ["+", "#"], "fillers": [], "per_buyer_max": None, "max_per_line": 7, "reminders": ["HALF"],
    }  # fmt: skip
    assert stored["grace_seconds"] == 5
    with pytest.raises(Unusable):
        wanted(["reading"], None, unlimited=False)


def policy() -> ClaimPolicy:

    return ClaimPolicy(reading=Reading.LENIENT, fillers=("喔",), per_buyer_max=3, grace_seconds=5)
