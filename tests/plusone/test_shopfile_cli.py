"""`plusone shop` as people run it, what it prints, and every command of docs/connect.md."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import string
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import httpx
from rich.console import Console

from domain import db as database
from plusone.shopfile import read
from plusone.shopfile_tell import consoles
from tests.plusone.shopfile_help import (
    EXAMPLE,
    SECRETS,
    example,
)
from tests.serving import ROOT, SECRET_KEY, environment, free_port, plusone, process, until_up

CONNECT = ROOT / "docs" / "connect.md"

# --- the command line and the page ------------------------------------------------------------------------------------------------


def printed_consoles(url: str) -> str:
    out = Console(file=StringIO(), width=80)
    consoles(read(example()), url, out)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_what_to_enter_at_the_platforms_is_printed_and_no_secret() -> None:
    printed = printed_consoles("https://plusone.example.com/")
    for told in (
        "Callback URL  https://plusone.example.com/webhooks/facebook/amei-app\n",
        "the value of FB_VERIFY_TOKEN",
        "POST /104561234567890/subscribed_apps?subscribed_fields=feed",
        "https://plusone.example.com/webhooks/line/amei-bot ",
        "Webhook redelivery  on",
        'https://api.telegram.org/bot$BOT_TOKEN/setWebhook" \\\n',
        '-d url=https://plusone.example.com/webhooks/telegram/amei-bot -d secret_token="$TG_SECRET_TOKEN" \\\n',
        """-d allowed_updates='["message","edited_message","channel_post","edited_channel_post"]'\n""",
        "X-PlusOne-Signature: sha256=hex(HMAC-SHA256(COLLECTOR_SECRET, timestamp",
    ):
        assert told in printed
    assert "https address" not in printed
    assert "only deliver to an https address" in " ".join(printed_consoles("http://127.0.0.1:8000").split())


def shell_env(db: str, **more: str) -> dict[str, str]:
    return environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1", **more)


def test_the_commands_end_with_the_codes_that_they_promise(db: str, tmp_path: Path) -> None:
    env = shell_env(db, **SECRETS)
    shutil.copy(EXAMPLE, tmp_path / "shop.toml")
    unset = plusone("shop", "apply", "shop.toml", cwd=tmp_path, env=env | {"FB_APP_SECRET": ""})
    assert (unset.returncode, unset.stdout) == (2, "")
    assert "endpoints[1].secret_env: FB_APP_SECRET is not set" in unset.stderr
    missing = plusone("shop", "show", "amei", cwd=tmp_path, env=env, fresh=True)
    assert (missing.returncode, "there is none yet" in missing.stdout) == (1, True)
    first, second = (plusone("shop", "apply", "shop.toml", cwd=tmp_path, env=env, fresh=fresh) for fresh in (True, False))
    assert (first.returncode, "Done: 22 created, 0 changed, 0 same, 0 left." in first.stdout) == (0, True)
    assert (second.returncode, "Done: 0 created, 0 changed, 30 same, 0 left." in second.stdout) == (0, True)
    (tmp_path / ".env").write_text("FB_APP_SECRET=from-the-file\n")
    from_file = {name: value for name, value in env.items() if name != "FB_APP_SECRET"}
    changed = plusone("shop", "apply", "shop.toml", "--dry-run", cwd=tmp_path, env=from_file)
    assert (changed.returncode, "Dry run, nothing was changed: 0 created, 1 changed, 29 same" in changed.stdout) == (0, True)
    assert plusone("shop", "show", "amei", cwd=tmp_path, env=env).returncode == 0
    everything = "".join(done.stdout + done.stderr for done in (unset, missing, first, second, changed))
    assert [secret for secret in [*SECRETS.values(), "from-the-file", "Traceback"] if secret in everything] == []


def test_an_unknown_key_ends_with_its_path_and_no_traceback(db: str, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(EXAMPLE.read_text().replace("pickup_place", "pickup_spot"))
    done = plusone("shop", "apply", "shop.toml", cwd=tmp_path, env=shell_env(db, **SECRETS))
    assert (done.returncode, done.stdout) == (2, "")
    assert "shop.pickup_spot: no such key; did you mean pickup_place?" in done.stderr
    assert "Traceback" not in done.stderr


BLOCK = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?(?P<indent> *)```sh\n(?P<text>.*?)```", re.DOTALL)


def commands_of_the_page() -> list[str]:
    """The page's shell commands in order, but those for the platforms' own servers."""
    page = re.sub(r"^ +(?=<!-- elsewhere)", "", CONNECT.read_text(), flags=re.MULTILINE)
    blocks = [found["text"] for found in BLOCK.finditer(page) if found["note"] != "elsewhere"]
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


async def test_every_command_of_the_page_works_as_it_stands(db: str, tmp_path: Path) -> None:
    commands = commands_of_the_page()
    words = [command.split()[0] for command in commands]
    assert Counter(words) == {"export": 7, "python": 8, "cp": 1, "curl": 1}
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    port, worker = free_port(), free_port()
    env = shell_env(db, PLUSONE_PORT=str(port), PLUSONE_WORKER_PORT=str(worker), PYTHONPATH=str(ROOT))
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    ports = {"serve": port, "work": worker}
    with ExitStack() as running:
        for command in commands:
            if command.startswith("export "):
                name = command.removeprefix("export ").partition("=")[0]
                env[name] = (await shell(f'{command}\nprintf %s "${name}"', tmp_path, env)).stdout
            elif command.startswith("curl "):
                url = string.Template(command.split('"')[1]).substitute(env).replace(env["PLUSONE_PUBLIC_URL"], f"http://127.0.0.1:{port}")
                async with httpx.AsyncClient(trust_env=False) as client:
                    answer = await client.get(url)
                assert (answer.status_code, answer.text) == (200, "1158201444")
            elif (kind := command.split()[-1]) in ports:
                child = running.enter_context(process(kind, cwd=tmp_path, env=env))
                await until_up(f"http://127.0.0.1:{ports[kind]}", child)
            else:
                done = await shell(command, tmp_path, env)
                assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert await database.fetchval("select count(*) from sales_post") == 2
    assert env["PLUSONE_SECRET_KEY"] != SECRET_KEY


async def shell(command: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(subprocess.run, ["sh", "-c", command], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_page_names_what_the_code_knows() -> None:
    page = CONNECT.read_text()
    assert "`no reply sender`" in page
    for name in ("FACEBOOK_PAGE", "LINE_GROUP", "TELEGRAM", "FACEBOOK_GROUP", "LINE_OPENCHAT", "IMPORT"):
        assert f"`{name}`" in page or f'"{name}"' in page
    assert """allowed_updates='["message","edited_message","channel_post","edited_channel_post"]'""" in page
