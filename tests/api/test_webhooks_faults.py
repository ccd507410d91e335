"""The door while things break: a real `plusone serve` and a PostgreSQL of its own, killed, restarted and frozen."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from domain.db.embedded import EmbeddedPostgres
from domain.ids import new_id
from domain.providers.platforms.wire import facebook_wire, sign_facebook
from domain.vault import Vault
from tests.build import NOW
from tests.serving import SECRET_KEY, environment, family, free_port, frozen, plusone, process, until_up

SECRET = "sesame-opens-the-door"
DOOR = "/webhooks/facebook/app"
PATIENCE_SECONDS = 10.0
"""The door promises an answer within 2; a machine that is busy may need longer, and nothing is judged by it."""


KEYS = """
select distinct coalesce(part ->> 0, external_key) as key from inbox_event left join lateral jsonb_array_elements(parts::jsonb) part on true order by key"""
"""A copy that came in other company than the first time is stored again, and known by its key when it is decided."""

LEAVE = """
select bool_and(pg_terminate_backend(pid, 30000)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"""
"""A backend outlives its killed client: one that was frozen within a statement ends it, and commits, when it thaws."""


@dataclass(frozen=True, slots=True)
class House:
    """A migrated database of its own with one door, and the environment of a process in front of it."""

    folder: Path
    dsn: str
    env: dict[str, str]
    base: str

    @property
    def postmaster(self) -> int:
        return int((self.folder / "cluster" / "postmaster.pid").read_text().split("\n")[0])

    async def empty(self) -> None:
        """No events, one door, and nobody left who could still write."""
        connection = await asyncpg.connect(self.dsn)
        try:
            assert await connection.fetchval(LEAVE) is not False
            await connection.execute("delete from inbox_event; delete from webhook_endpoint")
            await connection.execute(
                """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
                   values ($1, 'facebook', 'app', $2, '', '', $3)""",
                new_id(),
                Vault(SECRET_KEY).seal(SECRET),
                NOW,
            )
        finally:
            await connection.close()

    async def keys(self) -> list[str]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return [row[0] for row in await connection.fetch(KEYS)]
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = Path(tempfile.gettempdir()) / f"plusone-faults-{uuid4().hex[:8]}"
    try:
        with EmbeddedPostgres(folder) as embedded:
            port = str(free_port())
            env = environment(DATABASE_URL=embedded.dsn, PLUSONE_SECRET_KEY=SECRET_KEY, PLUSONE_PORT=port, PLUSONE_LOG_LEVEL="ERROR")
            # in a process of its own: the pool of this one belongs to the session's database
            migrated = plusone("migrate", cwd=tmp_path_factory.mktemp("migrate"), env=env)
            assert migrated.returncode == 0, migrated.stderr
            yield House(folder, embedded.dsn, env, f"http://127.0.0.1:{port}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def serving(house: House, tmp_path: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """One empty inbox with one door, and an API process in front of it."""
    await house.empty()
    with process("serve", cwd=tmp_path, env=house.env) as child:
        await until_up(house.base, child)
        yield child


def delivery(number: int) -> bytes:
    value = {
        "item": "comment", "verb": "add", "comment_id": f"9_{number}", "post_id": f"111_{number % 7}", "from": {"id": "5", "name": "A"},
        "message": "+1", "created_time": int(NOW.timestamp()),
    }  # fmt: skip
    return facebook_wire({"object": "page", "entry": [{"id": "111", "time": 1, "changes": [{"field": "feed", "value": value}]}]})


async def post(client: httpx.AsyncClient, number: int) -> int:
    """The status, or 0 when nobody answered."""
    body = delivery(number)
    try:
        return (await client.post(DOOR, content=body, headers=sign_facebook(body, SECRET))).status_code
    except httpx.HTTPError:
        return 0


def a_client(house: House) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=house.base, timeout=PATIENCE_SECONDS, trust_env=False)


async def test_a_killed_api_has_lost_nothing_that_it_acknowledged(house: House, tmp_path: Path) -> None:
    """Two lives, the first ended by kill -9 in the burst; the platform sends again what nobody acknowledged."""
    await house.empty()
    dice = random.Random(7)
    missing = list(range(800))
    acknowledged: list[int] = []
    attempts = 0

    async def platform(client: httpx.AsyncClient, life: list[int]) -> None:
        nonlocal attempts
        while life:
            number = life.pop()
            attempts += 1
            if await post(client, number) == 200:
                acknowledged.append(number)
            else:
                await asyncio.sleep(0.01)

    for ends_after in (dice.randint(100, 300), None):
        with process("serve", cwd=tmp_path, env=house.env) as child:
            await until_up(house.base, child)
            dice.shuffle(missing)
            life = missing + dice.sample(missing, len(missing) // 4)  # and some copies
            goal = None if ends_after is None else len(acknowledged) + ends_after
            async with a_client(house) as client:
                sending = asyncio.gather(*(platform(client, life) for _ in range(24)))
                while not sending.done() and (goal is None or len(acknowledged) < goal):  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
                if goal is not None:
                    child.kill()
                    life.clear()
                await sending
        before_next = set(acknowledged)
        assert before_next <= {int(key.partition("9_")[2].split(":")[0]) for key in await house.keys()}
        missing = [number for number in missing if number not in before_next]
    assert missing == []
    assert attempts > 800
    assert len(await house.keys()) == 800


async def test_a_frozen_database_gives_503_in_time_and_liveness_stays_green(house: House, serving: subprocess.Popen[bytes]) -> None:
    async with a_client(house) as client:
        assert [await post(client, number) for number in range(3)] == [200] * 3
        with frozen(house.postmaster):
            for first in (10, 20):
                answers = await asyncio.gather(*(post(client, number) for number in range(first, first + 8)))
                assert answers == [503] * 8
            body = delivery(30)
            refused = await client.post(DOOR, content=body, headers=sign_facebook(body, SECRET))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            unknown = await client.post("/webhooks/facebook/never-seen", content=body)
            assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "5")
            forged = await client.post(DOOR, content=body, headers=sign_facebook(body, "other"))
            assert forged.status_code == 401  # the door knows its endpoint and needs no database to say no
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 503
            assert "plusone_database_up 0.0" in (await client.get("/metrics")).text
        await until_it_is_well(client, 40)
        assert (await client.get("/health/ready")).status_code == 200


def gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.01)


async def until_it_is_well(client: httpx.AsyncClient, number: int) -> None:
    async with asyncio.timeout(60):
        while await post(client, number) != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_database_that_crashes_and_comes_back_needs_no_restart_of_ours(house: House, serving: subprocess.Popen[bytes]) -> None:
    async with a_client(house) as client:
        assert await asyncio.gather(*(post(client, number) for number in range(30))) == [200] * 30
        crashed = family(house.postmaster)
        os.kill(crashed[0], signal.SIGQUIT)  # as `pg_ctl stop -m immediate`
        await asyncio.to_thread(gone, crashed[0])
        assert await asyncio.gather(*(post(client, number) for number in range(100, 108))) == [503] * 8
        assert (await client.get("/health/ready")).status_code == 503
        again = EmbeddedPostgres(house.folder)
        again.start()
        try:
            await until_it_is_well(client, 200)
            assert await asyncio.gather(*(post(client, number) for number in range(100, 108))) == [200] * 8
            assert len(await house.keys()) == 39
        finally:
            again.stop()


async def test_sigterm_lets_requests_in_hand_end(house: House, serving: subprocess.Popen[bytes]) -> None:
    host, port = house.base.removeprefix("http://").split(":")
    body = delivery(1)
    head = [f"POST {DOOR} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in sign_facebook(body, SECRET).items()]
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*head, "", ""]).encode() + body[:20])
    await writer.drain()
    async with a_client(house) as client:  # who came later has an answer: the first half above was read
        assert (await client.get("/health/live")).status_code == 200
    serving.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        while True:  # until it takes no new connections
            try:
                _, probe = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                break
            probe.close()
            await asyncio.sleep(0.02)
        writer.write(body[20:])
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert await asyncio.to_thread(serving.wait, 30) == 0
    assert len(await house.keys()) == 1
