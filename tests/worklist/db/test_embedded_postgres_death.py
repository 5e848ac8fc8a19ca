"""The embedded PostgreSQL after deaths, half-made starts, full disks and foreign hands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from worklist.db.embedded import Cluster, EmbeddedPostgresError, start, stop
from worklist.db.embedded import process as embedded_process
from worklist.db.embedded import server as embedded

REPOSITORY = Path(__file__).parents[3]

STARTER = """
import sys
from pathlib import Path
from worklist.db.embedded import start
print(start(Path(sys.argv[1])).port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "network"
    stop(tmp_path / "network", immediate=True)


def ordered(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def works(cluster: Cluster) -> bool:
    with psycopg.connect(cluster.url("app")) as app, psycopg.connect(cluster.url("owner")) as owner:
        return app.execute("SELECT 1").fetchone() == owner.execute("SELECT 1").fetchone() == (1,)


def postmaster_pid(directory: Path) -> int:
    master = embedded_process.postmaster(directory / "postgres")
    assert master is not None
    return master.pid


def killed_starter(directory: Path) -> None:
    """Start a server from a process of its own and kill that process."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.kill()


def test_after_the_death_of_every_process_the_next_start_has_every_commit(directory: Path) -> None:
    killed_starter(directory)
    cluster = start(directory)
    ordered(cluster.url("owner"), "CREATE TABLE kept AS SELECT 1 AS id")
    for pid in embedded_process.server_processes(cluster.data_dir):
        os.kill(pid, signal.SIGKILL)
    assert (cluster.data_dir / "postmaster.pid").exists()
    with psycopg.connect(start(directory).url("owner")) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (1,)


def test_a_server_that_outlives_its_starter_is_adopted(directory: Path) -> None:
    killed_starter(directory)
    orphan = postmaster_pid(directory)
    assert works(start(directory))
    assert postmaster_pid(directory) == orphan


def test_orphans_of_a_dead_postmaster_are_ended_before_the_next_start(directory: Path) -> None:
    cluster = start(directory)
    with closing(psycopg.connect(cluster.superuser_url, autocommit=True)) as connection:
        connection.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        os.kill(postmaster_pid(directory), signal.SIGKILL)
        busy = connection.info.backend_pid
        assert busy in embedded_process.server_processes(cluster.data_dir)
        assert works(start(directory))
        assert busy not in embedded_process.server_processes(cluster.data_dir)


def test_a_start_that_meets_the_recovery_from_a_crash_waits_for_it(directory: Path) -> None:
    cluster = start(directory, durable=False)
    with psycopg.connect(cluster.superuser_url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        while "reinitializing" not in (directory / "postgres.log").read_text():
            pass
    assert works(start(directory, durable=False))
    assert (directory / "postgres.log").read_text().count("starting PostgreSQL") == 1


def test_a_stop_that_meets_the_recovery_from_a_crash_does_not_hang(directory: Path) -> None:
    cluster = start(directory, durable=False)
    with psycopg.connect(cluster.superuser_url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        while "reinitializing" not in (directory / "postgres.log").read_text():
            pass
    began = time.monotonic()
    stop(cluster)
    assert time.monotonic() - began < embedded_process.FAST_STOP_SECONDS / 2
    assert embedded_process.server_processes(cluster.data_dir) == []
    assert works(start(directory, durable=False))


def test_a_stale_process_number_that_another_server_has_got_does_not_block(directory: Path, tmp_path: Path) -> None:
    neighbour = start(tmp_path / "neighbour", durable=False)
    try:
        cluster = start(directory)
        file = cluster.data_dir / "postmaster.pid"
        stale = file.read_text().splitlines()
        for pid in embedded_process.server_processes(cluster.data_dir):
            os.kill(pid, signal.SIGKILL)
        recycled = postmaster_pid(tmp_path / "neighbour")
        file.write_text("\n".join([str(recycled), *stale[1:]]) + "\n")
        assert works(start(directory))
        assert works(neighbour)
        assert postmaster_pid(tmp_path / "neighbour") == recycled
    finally:
        stop(neighbour)


def test_a_stopped_server_is_not_stopped_through_a_recycled_number(directory: Path, tmp_path: Path) -> None:
    neighbour = start(tmp_path / "neighbour", durable=False)
    try:
        cluster = start(directory, durable=False)
        stale = (cluster.data_dir / "postmaster.pid").read_text().splitlines()
        stop(cluster)
        recycled = postmaster_pid(tmp_path / "neighbour")
        (cluster.data_dir / "postmaster.pid").write_text("\n".join([str(recycled), *stale[1:]]) + "\n")
        stop(directory)
        assert works(neighbour)
    finally:
        stop(neighbour)


def test_a_death_before_the_roles_were_made_heals_at_the_next_start(directory: Path) -> None:
    cluster = start(directory, durable=False)
    ordered(cluster.superuser_url, "DROP DATABASE radpool")
    ordered(cluster.superuser_url, "DROP ROLE radpool_owner")
    ordered(cluster.superuser_url, "DROP ROLE radpool_app")
    stop(cluster)
    assert works(start(directory, durable=False))


def test_a_death_in_the_middle_of_initdb_heals_at_the_next_start(directory: Path) -> None:
    half_made = directory / "postgres.new-abc" / "base"
    half_made.mkdir(parents=True)
    assert works(start(directory, durable=False))
    assert not half_made.exists()


def test_lost_passwords_are_replaced_at_the_next_start(directory: Path) -> None:
    cluster = start(directory, durable=False)
    before = cluster.superuser_url
    for file in (directory / "secrets").iterdir():
        file.unlink()
    cluster = start(directory, durable=False)
    assert works(cluster)
    assert cluster.superuser_url.split("@")[0] != before.split("@")[0]


def test_a_server_that_does_not_start_shows_the_end_of_its_log(directory: Path) -> None:
    cluster = start(directory, durable=False)
    stop(cluster)
    with (cluster.data_dir / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start(.|\n)*no_such_setting"):
        start(directory, durable=False)


def test_a_server_hidden_from_us_is_never_joined_by_a_second_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ALIVE_SECONDS", 0.1)
    cluster = start(directory, durable=False)
    monkeypatch.setattr(embedded_process, "server_processes", lambda _: [])
    monkeypatch.setattr(embedded_process, "postmaster", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="cannot be seen from here"):
        start(directory, durable=False)
    monkeypatch.undo()
    assert works(cluster)


def test_a_lock_that_is_never_given_back_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    directory.mkdir()
    with (
        embedded._exclusively(directory),
        pytest.raises(EmbeddedPostgresError, match=r"See who holds .*postgres\.lock"),
    ):
        start(directory)


def test_a_full_disk_is_told_with_its_remedy_and_heals(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "radpool-test", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"Free some space(.|\n)*No space left on device"):
            start(tmp_path, durable=False)
        subprocess.run(["mount", "-o", "remount,size=300m", tmp_path], check=True)
        assert works(start(tmp_path, durable=False))
        stop(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
