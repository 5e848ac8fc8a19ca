"""The embedded PostgreSQL: start, adopt, stop, roles, settings, clones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from worklist.db import embedded as embedded_package
from worklist.db.embedded import Cluster, EmbeddedPostgresError, running, start, stop
from worklist.db.embedded import process as embedded_process
from worklist.db.embedded import server as embedded

REPOSITORY = Path(__file__).parents[3]
NHS_NUMBER = "9990000018"

STARTER = """
import sys
from pathlib import Path
from worklist.db.embedded import start
print(start(Path(sys.argv[1]), durable=False).port, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = start(tmp_path_factory.mktemp("cluster"), durable=False)
    yield cluster
    stop(cluster)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "network"
    stop(tmp_path / "network", immediate=True)


def shown(cluster: Cluster, setting: str) -> str:
    return str(asked(cluster, f"SHOW {setting}"))


def asked(cluster: Cluster, statement: str) -> object:
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def ordered(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def postmaster_pid(cluster: Cluster) -> int:
    master = embedded_process.postmaster(cluster.data_dir)
    assert master is not None
    return master.pid


def starter(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_cluster_speaks_utf8_in_utc_with_checksums_and_scram_passwords(cluster: Cluster) -> None:
    assert shown(cluster, "server_encoding") == "UTF8"
    assert shown(cluster, "timezone") == "UTC"
    assert shown(cluster, "data_checksums") == "on"
    assert shown(cluster, "password_encryption") == "scram-sha-256"
    locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'radpool'"
    assert asked(cluster, locale) == "bC.UTF-8"


def test_the_server_listens_on_the_loopback_address_alone(cluster: Cluster) -> None:
    assert shown(cluster, "listen_addresses") == "127.0.0.1"
    assert shown(cluster, "unix_socket_directories") == ""


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://radpool_app:wrong@127.0.0.1:{cluster.port}/radpool")


def test_each_role_has_a_password_file_that_nobody_else_can_read(cluster: Cluster) -> None:
    folder = cluster.data_dir.parent / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "radpool_superuser.password": 0o600,
        "radpool_owner.password": 0o600,
        "radpool_app.password": 0o600,
    }


def test_a_cluster_shown_in_a_message_keeps_its_passwords(cluster: Cluster) -> None:
    secret = (cluster.data_dir.parent / "secrets" / "radpool_app.password").read_text().strip()
    assert secret in cluster.url("app")
    assert secret not in repr(cluster)


def test_the_application_role_is_bound_by_row_level_security(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("app")) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles "
            "WHERE rolname = current_user"
        ).fetchone()
    assert row == (False,) * 5


def test_the_owner_may_make_tables_in_radpool_and_the_application_may_not(cluster: Cluster) -> None:
    ordered(cluster.url("owner"), "CREATE TABLE made_by_owner (id int)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ordered(cluster.url("app"), "CREATE TABLE made_by_app (id int)")


def test_a_second_start_adopts_the_running_server(cluster: Cluster) -> None:
    before = postmaster_pid(cluster)
    assert start(cluster.data_dir.parent, durable=False) == cluster
    assert postmaster_pid(cluster) == before


def test_running_tells_of_a_server_only_while_it_runs(directory: Path) -> None:
    assert running(directory) is None
    cluster = start(directory, durable=False)
    assert running(directory) == cluster
    stop(cluster)
    assert running(directory) is None


def test_stopping_what_does_not_run_does_nothing(tmp_path: Path) -> None:
    stop(tmp_path / "never started")
    assert not (tmp_path / "never started").exists()


def test_stopping_ends_open_connections_and_keeps_what_was_committed(directory: Path) -> None:
    cluster = start(directory, durable=False)
    ordered(cluster.url("owner"), "CREATE TABLE kept (id int)")
    with psycopg.connect(cluster.url("owner")) as idle:
        idle.execute("INSERT INTO kept VALUES (1)")
        stop(cluster)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    again = start(directory, durable=False)
    with psycopg.connect(again.url("owner")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_an_immediate_stop_loses_no_commit(directory: Path) -> None:
    cluster = start(directory)
    ordered(cluster.url("owner"), "CREATE TABLE kept AS SELECT 1 AS id")
    stop(directory, immediate=True)
    assert "immediate shutdown" in (directory / "postgres.log").read_text()
    with psycopg.connect(start(directory).url("owner")) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (1,)


def test_a_server_with_other_settings_is_restarted_with_ours(directory: Path) -> None:
    cluster = start(directory, durable=False)
    assert [shown(cluster, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["off"] * 3
    cluster = start(directory, durable=True)
    assert [shown(cluster, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_several_processes_that_start_at_once_share_one_server(directory: Path) -> None:
    processes = [starter(directory) for _ in range(4)]
    ports = set()
    for process in processes:
        assert process.stdout is not None
        ports.add(process.stdout.readline())
    for process in processes:
        process.communicate("")
        assert process.returncode == 0
    assert len(ports) == 1
    assert (directory / "postgres.log").read_text().count("starting PostgreSQL") == 1


def test_a_port_that_somebody_takes_first_is_replaced(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free_port = embedded._free_port
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(embedded, "_free_port", lambda: next(ports, None) or free_port())
        cluster = start(directory, durable=False)
        assert cluster.port != taken.getsockname()[1]
    assert shown(cluster, "port") == str(cluster.port)


def test_ctrl_c_in_the_terminal_leaves_the_server_alone(directory: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
    cluster = running(directory)
    assert cluster is not None
    assert os.getsid(postmaster_pid(cluster)) == postmaster_pid(cluster)
    assert shown(cluster, "fsync") == "off"


def test_identifiers_never_reach_the_server_log(directory: Path) -> None:
    cluster = start(directory, durable=False)
    with psycopg.connect(cluster.url("owner"), autocommit=True) as connection:
        connection.execute("CREATE TABLE patient (nhs_number text PRIMARY KEY)")
        connection.execute("INSERT INTO patient VALUES (%s)", (NHS_NUMBER,))
        with pytest.raises(psycopg.errors.UniqueViolation, match=NHS_NUMBER):
            connection.execute("INSERT INTO patient VALUES (%s)", (NHS_NUMBER,))
        with pytest.raises(psycopg.errors.InvalidTextRepresentation, match=NHS_NUMBER):
            connection.execute("SELECT %s::uuid", (NHS_NUMBER,))
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute(f"DO $$ BEGIN RAISE WARNING '{NHS_NUMBER}'; RAISE '{NHS_NUMBER}'; END $$".encode())
    crashing = f"SELECT '{NHS_NUMBER}', pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(psycopg.OperationalError):
        ordered(cluster.url("owner"), crashing)
    with psycopg.connect(cluster.url("owner"), autocommit=True) as connection:
        connection.execute(f"SELECT '{NHS_NUMBER}'".encode())
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute(f"SELECT '{NHS_NUMBER}'".encode())
    stop(cluster)
    log = (directory / "postgres.log").read_text()
    assert "was terminated by signal 9" in log
    assert NHS_NUMBER not in log


def test_a_log_above_its_bound_is_put_aside_at_the_next_start(directory: Path) -> None:
    stop(start(directory, durable=False))
    log = directory / "postgres.log"
    os.truncate(log, embedded.LOG_BYTES + 1)
    start(directory, durable=False)
    assert log.stat().st_size < 10_000
    assert (directory / "postgres.log.1").stat().st_size == embedded.LOG_BYTES + 1
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_clone_holds_what_its_template_holds_and_belongs_to_the_same_owner(cluster: Cluster) -> None:
    embedded_package.clone_database(cluster, "radpool", "template_one")
    ordered(cluster.url("owner", "template_one"), "CREATE TABLE study AS SELECT 7 AS id")
    embedded_package.clone_database(cluster, "template_one", "case one")
    with psycopg.connect(cluster.url("owner", "case one")) as connection:
        assert connection.execute("SELECT id FROM study").fetchone() == (7,)
        connection.execute("DROP TABLE study")


def test_cloning_an_unknown_template_names_it(cluster: Cluster) -> None:
    with pytest.raises(psycopg.errors.InvalidCatalogName, match="'missing'"):
        embedded_package.clone_database(cluster, "missing", "copy_of_missing")


def test_a_database_in_use_can_be_dropped(cluster: Cluster) -> None:
    embedded_package.clone_database(cluster, "template1", "short_lived")
    with psycopg.connect(cluster.url("superuser", "short_lived")):
        embedded_package.drop_database(cluster, "short_lived")
    assert asked(cluster, "SELECT count(*) FROM pg_database WHERE datname = 'short_lived'") == 0


def test_the_programs_of_the_wheel_work_on_the_cluster(cluster: Cluster) -> None:
    outcome = subprocess.run(
        [embedded_package.binary("pg_dump"), "--schema-only", cluster.url("owner")],
        env=embedded_package.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PostgreSQL database dump complete" in outcome.stdout


@pytest.mark.parametrize("name", ["pg_missing", "../bin/pg_dump"])
def test_a_program_that_the_wheel_lacks_is_named(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        embedded_package.binary(name)


def test_a_folder_of_another_major_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 16 and this is 18\. .*pg_dumpall"):
        start(tmp_path)


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL cluster"):
        start(tmp_path)
    assert (tmp_path / "postgres" / "letter.txt").read_text() == "mine"
