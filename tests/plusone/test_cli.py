"""The command line as people use it: `python -m plusone`, real processes, a PostgreSQL of their own."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from api.health import migrations_on_disk
from tests.serving import SECRET_KEY, environment, free_port, plusone, process, until_up

ENV = environment(PLUSONE_SECRET_KEY=SECRET_KEY)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder below a path short enough for a socket; its server ends with the last process."""
    folder = Path(tempfile.gettempdir()) / f"plusone-cli-{uuid4().hex[:8]}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("command", [["serve"], ["work"], ["migrate"], ["doctor"]])
def test_a_missing_setting_stops_the_start_with_its_name(tmp_path: Path, command: list[str]) -> None:
    done = plusone(*command, cwd=tmp_path, env=environment())
    assert done.returncode == 2
    assert "PLUSONE_SECRET_KEY: Field required" in done.stderr
    assert ".env.example" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    done = plusone("serve", cwd=tmp_path, env=environment(PLUSONE_SECRET_KEY="hunter2", PLUSONE_PORT="eighty"))
    assert done.returncode == 2
    assert "PLUSONE_SECRET_KEY" in done.stderr
    assert "PLUSONE_PORT" in done.stderr
    assert [value for value in ("hunter2", "eighty", "Traceback") if value in done.stderr + done.stdout] == []


@pytest.mark.parametrize(("command", "name"), [("serve", "PLUSONE_TELEGRAM_BOT_TOKEN"), ("work", "PLUSONE_APPLE_TEAM_ID")])
async def test_a_provider_s_wrong_setting_is_named_too(db: str, tmp_path: Path, command: str, name: str) -> None:
    env = ENV | {"DATABASE_URL": db, name: "hunter2", "PLUSONE_PORT": "0", "PLUSONE_WORKER_PORT": "0"}
    done = await asyncio.to_thread(plusone, command, cwd=tmp_path, env=env)
    assert (done.returncode, name in done.stderr) == (2, True), done.stderr
    assert [value for value in ("hunter2", "Traceback") if value in done.stderr + done.stdout] == []


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    done = plusone("serve", cwd=tmp_path, env=ENV | {"DATABASE_URL": "mysql://root:hunter2@db/shop"})
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr
    assert [value for value in ("hunter2", "Traceback") if value in done.stderr + done.stdout] == []


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = plusone("migrate", cwd=tmp_path, env=ENV | {"DATABASE_URL": f"postgresql://u:hunter2@127.0.0.1:{free_port()}/shop"})
    assert done.returncode == 1
    assert "The database does not let us in" in done.stderr
    assert [value for value in ("hunter2", "Traceback") if value in done.stderr + done.stdout] == []


def test_a_data_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "wedding.jpg").write_bytes(b"x")
    done = plusone("migrate", cwd=tmp_path, env=ENV | {"PLUSONE_DATA_DIR": str(folder)})
    assert done.returncode == 1
    assert "wedding.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert [entry.name for entry in (folder / "postgres").iterdir()] == ["wedding.jpg"]


def test_migrations_are_checked_applied_and_applied_only_once(data: Path, tmp_path: Path) -> None:
    env = ENV | {"PLUSONE_DATA_DIR": str(data / "migrate")}
    names = migrations_on_disk()
    before = plusone("migrate", "--check", cwd=tmp_path, env=env, fresh=True)
    assert (before.returncode, before.stdout.split()) == (1, [word for name in names for word in ("pending", name)])
    with ThreadPoolExecutor(2) as pool:  # two containers at once
        both = list(pool.map(lambda _: plusone("migrate", cwd=tmp_path, env=env), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    applied = [line for done in both for line in done.stdout.splitlines() if line.startswith("applied")]
    assert applied == [f"applied {name}" for name in names]
    after = plusone("migrate", "--check", cwd=tmp_path, env=env)
    assert (after.returncode, after.stdout.strip()) == (0, "Nothing is pending.")


async def test_serve_and_work_share_the_embedded_database_and_end_on_sigterm(data: Path, tmp_path: Path) -> None:
    api, worker = free_port(), free_port()
    env = ENV | {"PLUSONE_DATA_DIR": str(data / "both"), "PLUSONE_PORT": str(api)}
    with process("serve", cwd=tmp_path, env=env) as serve, process("work", "--health-port", str(worker), cwd=tmp_path, env=env) as work:
        await until_up(f"http://127.0.0.1:{api}", serve)
        await until_up(f"http://127.0.0.1:{worker}", work)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{worker}/health/live")).status_code == 200
            assert "plusone_inbox_oldest_seconds 0.0" in (await client.get(f"http://127.0.0.1:{worker}/metrics")).text
            assert (await client.get(f"http://127.0.0.1:{worker}/graphql")).status_code == 404
            serve.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(serve.wait, 30) == 0
            # the one that is left keeps the server up
            assert (await client.get(f"http://127.0.0.1:{worker}/health/ready")).status_code == 200
        work.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(work.wait, 30) == 0
    assert not (data / "both" / "postgres" / "cluster" / "postmaster.pid").exists()
    for log in ("serve.log", "work.log"):
        assert "Traceback" not in (tmp_path / log).read_text()


def test_a_port_that_is_taken_is_named(data: Path, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = ENV | {"PLUSONE_DATA_DIR": str(data / "both"), "PLUSONE_PORT": str(taken.getsockname()[1])}
        done = plusone("serve", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "PLUSONE_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_pending_migrations_stop_the_start_on_a_given_database(server_dsn: str, tmp_path: Path, command: str) -> None:
    import asyncpg

    from tests.conftest import with_database

    name = f"plusone_empty_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server_dsn)
    await admin.execute(f'create database "{name}"')
    try:
        done = await asyncio.to_thread(plusone, command, cwd=tmp_path, env=ENV | {"DATABASE_URL": with_database(server_dsn, name)})
    finally:
        await admin.execute(f'drop database "{name}" with (force)')
        await admin.close()
    assert done.returncode == 1
    assert "plusone migrate" in done.stderr
    assert "0001_initial" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command(tmp_path: Path) -> None:
    done = plusone("--help", cwd=tmp_path, env=environment(), fresh=True)
    assert done.returncode == 0
    assert [name for name in ("serve", "work", "demo", "migrate", "doctor") if name not in done.stdout] == []
