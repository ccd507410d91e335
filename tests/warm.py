"""A process that has loaded the house and forks: `python -m plusone` as it is, without reading two thousand modules again each time.

Each command runs in a process of its own, with its own folder, environment, streams and exit code, and ends as an interpreter ends; only
what `plusone` itself consists of is loaded there. `serving.plusone(..., fresh=True)` starts from nothing, as every command's first test does.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parent.parent
HOUSE = ("api.app", "workers.main", "domain.db.migrating", "typer", "rich.console", "rich.table", "rich.markup", "dotenv", "uvloop")
REQUEST_BYTES = 100_000


def run(arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command of `plusone` to its end."""
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        asked = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(_forker(), [asked], [theirs.fileno(), out.fileno(), err.fileno()])
        theirs.close()
        ours.settimeout(timeout)
        told = ours.makefile("r")
        pid = int(told.readline())
        try:
            code = int(told.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout) from None
        finally:
            told.close()
        return subprocess.CompletedProcess(["plusone", *arguments], code, _text(out), _text(err))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


@functools.cache
def _forker() -> socket.socket:
    """The way to the process, which ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    with theirs:
        child = subprocess.Popen(
            [sys.executable, "-c", "from tests.warm import serve; serve(0)"],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            stdin=theirs,
        )

    def end() -> None:
        ours.close()
        child.wait()

    atexit.register(end)
    return ours


def serve(descriptor: int) -> None:
    """Fork for every request until nobody can ask any more. Its children's ends are of interest to those between alone."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    way = socket.socket(fileno=os.dup(descriptor))
    os.dup2(os.open(os.devnull, os.O_RDONLY), descriptor)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(way, REQUEST_BYTES, 3)
        if not asked:
            return
        if os.fork() == 0:
            way.close()
            _between(json.loads(asked), *descriptors)
        for each in descriptors:
            os.close(each)


def _load() -> None:
    from plusone import quick_dataclasses

    gc.disable()
    quick_dataclasses.install()
    for name in HOUSE:
        __import__(name)
    gc.freeze()
    gc.enable()


def _between(asked: dict[str, Any], told: int, out: int, err: int) -> NoReturn:
    """Start the command, and tell its process id and, when it has ended, its code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(asked, out, err)
    os.write(told, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(asked: dict[str, Any], out: int, err: int) -> NoReturn:
    """`python -m plusone` with these arguments, from here on."""
    import runpy

    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115 - for the process's life
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.path[:] = [asked["cwd"], str(ROOT), *(each for each in sys.path if each not in ("", str(ROOT)))]
    sys.argv = ["plusone", *asked["arguments"]]
    runpy.run_module("plusone", run_name="__main__", alter_sys=True)
    raise SystemExit(0)
