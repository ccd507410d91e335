"""Every query, command and program of docs/rules/receipts.md, in its order, against a shop that runs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from api.app import create_app
from api.auth.tokens import issue_access
from api.resolvers.receipt import MOST_AT_ONCE
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.claims.proof import PREFIX, Doubt
from domain.claims.receipts import MOST
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.linking import link_buyers
from domain.members.standing import forget
from domain.settings import load
from domain.shops.rules import Role
from tests import build
from tests.serving import ROOT, SECRET_KEY, environment, running
from tests.wall import a_wall

PAGE = ROOT / "docs" / "rules" / "receipts.md"
BLOCK = re.compile(r"```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture
async def services(db: str, clock: FixedClock) -> AsyncIterator[Services]:
    """Services whose signing keys are in the database."""
    keys.forget()
    forget()
    found = services_for(load(secret_key=SECRET_KEY, environment="development", _env_file=None), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    yield found
    keys.forget()


async def token_of_buyer(services: Services) -> str:
    """A buyer who wrote a comment and signed in."""
    now, member, session = services.clock.now(), await build.a_member(), new_id()
    async with database.transaction() as tx:
        assert await link_buyers(tx, member, "facebook", "小美", now) == 1
    await database.execute(
        """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
           values ($1, $2, 'phone', $3, $3, $4, $4, '')""",
        session, member, now, now + timedelta(days=30),
    )  # fmt: skip
    return (await issue_access(member, session, 1, issuer=services.settings.public_url, now=now)).text


async def test_the_page_works_as_it_stands(services: Services, db: str, tmp_path: Path) -> None:
    wall = await a_wall(variants=("紅", "白"))
    await wall.says("小美", "紅+2 謝謝")
    await wall.drain()
    token = await token_of_buyer(services)
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1", PYTHONPATH=str(ROOT))
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    done: list[str] = []
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        env["API"] = base
        for block in BLOCK.finditer(PAGE.read_text("utf-8")):
            kind, text = block["kind"], block["text"]
            done.append(kind)
            if kind == "graphql":
                await ask(client, token, text, tmp_path)
            elif kind == "python":
                (tmp_path / "keys.json").write_bytes((await client.get("/.well-known/plusone-receipt-keys.json")).content)
                (tmp_path / "check.py").write_text(text)
                assert await shell("python check.py", tmp_path, env) == ["VALID"]
            else:
                for command in text.splitlines():
                    shown = await shell(command, tmp_path, env)
                    assert (shown[-1], "  read         「紅+2 謝謝」" in shown) == ("VALID", True)
    assert done == ["graphql", "sh", "sh", "python"]


async def ask(client: httpx.AsyncClient, token: str, query: str, folder: Path) -> None:
    """Ask the page's question and keep its answer as the page says."""
    order = public_id("order", await database.fetchval('select id from "order"'))
    body = {"query": query, "variables": {"order": order}}
    answer = await client.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})
    assert "errors" not in answer.json(), answer.text
    (folder / "answer.json").write_bytes(answer.content)
    (line,) = answer.json()["data"]["node"]["lines"]["nodes"]
    (folder / "receipt.json").write_bytes(orjson.dumps(line["claim"]["receipt"]))
    document = orjson.loads(line["claim"]["receipt"]["document"])
    page = PAGE.read_text("utf-8")
    assert [name for name in document if f"`{name}`" not in page] == []


async def shell(command: str, folder: Path, env: dict[str, str]) -> list[str]:
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.splitlines()


def test_the_page_names_what_the_code_does() -> None:
    page = PAGE.read_text("utf-8")
    assert [doubt for doubt in Doubt if f"`{doubt.value}`" not in page] == []
    assert [role for role in (*Role, "BUYER", "STAFF", "SYSTEM") if f"`{role}`" not in page] == []
    assert f"At most {MOST_AT_ONCE} receipts" in page
    assert f"more than {MOST} entries" in page
    assert PREFIX == b"plusone receipt v1\n"
