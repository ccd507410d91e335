"""Real servers and real processes: programs that share a cluster, and die in the middle."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg
import pytest

from domain.db.embedded import EmbeddedPostgres
from tests.domain.db.programs import AS_ROOT, Program, alive, ask, server_pid, socket_dir, until

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
