"""Runs the whole of radpool on one machine: database, one process per service, restart of what dies.

Listening sockets are bound here and handed down, so that ports stay while a process is replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy import text

from cli import data_folder
from cli.data_folder import DatabaseAddress
from cli.settings import Settings
from worklist.clock import set_test_clock
from worklist.db import embedded
from worklist.db.migrate import migrate

log = structlog.get_logger(__name__)

#: Pause before a process that died is started again: at once the first time, then longer.
_RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)
_READY_SECONDS = 60.0
#: Who lived this long died of something new.
_HEALTHY_SECONDS = 60.0
#: A service that died this often before anything was ready will not come up.
_HOPELESS_DEATHS = 3
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, each HOST:PORT; port 0 takes a free one."""

    http: str = "127.0.0.1:8080"
    dicom: str = "127.0.0.1:11112"
    hl7: str = "127.0.0.1:2575"
    dicom_tls: str | None = None


@dataclass(slots=True)
class Child:
    """One service's process and how often it has died."""

    service: str
    listening_socket: socket.socket | None = None
    tls_socket: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = 0.0
    start_again_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Holds the services of one data folder until told to stop."""

    data: Path
    addresses: Addresses
    settings: Settings
    test_clock: bool
    stop: threading.Event
    _children: list[Child] = field(default_factory=list)

    def run(self) -> int:
        """Start everything, say where it is, keep it up until `stop`; gives the exit status."""
        data_folder.prepare(self.data)
        with contextlib.ExitStack() as undo:
            undo.enter_context(data_folder.served_alone(self.data))
            sockets = {
                name: undo.enter_context(_listen(name, getattr(self.addresses, name)))
                for name in ("http", "dicom", "hl7", "dicom_tls")
                if getattr(self.addresses, name) is not None
            }
            address = self._database(undo)
            self._migrate(address)
            lifeline, held = os.pipe()
            undo.callback(os.close, held)
            for service, name in (
                ("sequencer", None),
                ("allocator", None),
                ("listener", "dicom"),
                ("hl7", "hl7"),
                ("api", "http"),
            ):
                child = Child(service, sockets[name] if name else None)
                if service == "listener":
                    child.tls_socket = sockets.get("dicom_tls")
                self._children.append(child)
                self._start(child, address, lifeline)
            undo.callback(self._end_children)
            url = f"http://{_place(sockets['http'])}"
            if not self._becomes_ready(url, address, lifeline):
                log.error("not ready; see the messages above")
                return 1
            self._announce(sockets, address)
            self._watch(sockets, address, lifeline)
        (self.data / "run.json").unlink(missing_ok=True)
        return 0

    def _database(self, undo: contextlib.ExitStack) -> DatabaseAddress:
        url = self.settings.database_url
        data_folder.remember_url(self.data, url.get_secret_value() if url else None)
        if url is not None:
            return data_folder.given(url.get_secret_value())
        cluster = embedded.start(self.data)
        undo.callback(embedded.stop, cluster)
        return data_folder.of_cluster(cluster)

    def _migrate(self, address: DatabaseAddress) -> None:
        login = address.migration_engine()
        migrate(login)
        login.dispose()
        owner = address.owner_engine()
        try:
            with owner.begin() as connection:
                set_test_clock(connection, enabled=self.test_clock)
                connection.execute(text("SELECT ensure_month_partitions(2)"))
        finally:
            owner.dispose()

    def _start(self, child: Child, address: DatabaseAddress, lifeline: int) -> None:
        command = [sys.executable, "-m", "cli.main", "serve", child.service, "--data", str(self.data)]
        passed = [lifeline]
        if child.listening_socket is not None:
            command += ["--fd", str(child.listening_socket.fileno())]
            passed.append(child.listening_socket.fileno())
        if child.tls_socket is not None:
            command += ["--tls-fd", str(child.tls_socket.fileno())]
            passed.append(child.tls_socket.fileno())
        environment = {
            **os.environ,
            "RADPOOL_DATABASE_URL": address.app_url,
            "RADPOOL_LIFELINE": str(lifeline),
            "RADPOOL_APP_ROLE": address.app_role or "",
        }
        if self.settings.redis_url is not None:
            environment["RADPOOL_REDIS_URL"] = self.settings.redis_url
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(
            command, env=environment, pass_fds=passed, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def _becomes_ready(self, url: str, address: DatabaseAddress, lifeline: int) -> bool:
        """Wait for the API; a service that dies at once again and again makes it hopeless."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and not self.stop.is_set():
            if _answers(f"{url}/healthz/ready"):
                return True
            self._revive(address, lifeline)
            if any(child.service == "api" and child.deaths >= _HOPELESS_DEATHS for child in self._children):
                return False
            time.sleep(0.05)
        return False

    def _announce(self, sockets: dict[str, socket.socket], address: DatabaseAddress) -> None:
        run = {
            "http": _place(sockets["http"]),
            "dicom": _place(sockets["dicom"]),
            "hl7": _place(sockets["hl7"]),
            "database_url": app_url(address),
            "pid": os.getpid(),
            **({"dicom_tls": _place(sockets["dicom_tls"])} if "dicom_tls" in sockets else {}),
        }
        data_folder.write_run_file(self.data, run)
        print(json.dumps(run), flush=True)

    def _watch(self, sockets: dict[str, socket.socket], address: DatabaseAddress, lifeline: int) -> None:
        """Start again what dies, until told to stop."""
        while not self.stop.wait(0.1):
            self._revive(address, lifeline)
            try:
                if self.settings.database_url is None and embedded.running(self.data) is None:
                    found = self._restart_database(address)
                    if found != address:
                        address = found
                        self._announce(sockets, address)
            except embedded.EmbeddedPostgresError:
                log.exception("the database does not start; will try again")
                self.stop.wait(1.0)

    def _revive(self, address: DatabaseAddress, lifeline: int) -> None:
        """Start services that died again, each after a pause that grows with its deaths."""
        for child in self._children:
            if child.process is None:
                if time.monotonic() >= child.start_again_at:
                    self._start(child, address, lifeline)
            elif child.process.poll() is not None:
                if time.monotonic() - child.started_at > _HEALTHY_SECONDS:
                    child.deaths = 0
                pause = _RESTART_SECONDS[min(child.deaths, len(_RESTART_SECONDS) - 1)]
                log.warning("a service died", service=child.service, status=child.process.returncode, pause=pause)
                child.deaths += 1
                child.process, child.start_again_at = None, time.monotonic() + pause

    def _restart_database(self, address: DatabaseAddress) -> DatabaseAddress:
        """Start our own PostgreSQL again; services that knew it elsewhere are replaced."""
        log.warning("the database died; it is started again")
        found = data_folder.of_cluster(embedded.start(self.data))
        if found != address:
            for child in self._children:
                if child.process is not None:
                    child.process.kill()  # an orderly end could wait for the database that is gone
        return found

    def _end_children(self) -> None:
        """End the services in order: those that take work in first, the sequencer last."""
        for child in reversed(self._children):
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            if child.process is not None:
                try:
                    child.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()


def app_url(address: DatabaseAddress) -> str:
    """Give a URL that connects as the application role, for other programs."""
    return data_folder.acting_as(address.app_url, address.app_role)


def owner_url(address: DatabaseAddress) -> str:
    """Give a URL that connects as the owner role, for other programs."""
    return data_folder.acting_as(address.owner_url, address.owner_role)


def listen(where: str) -> socket.socket:
    """Bind and listen on HOST:PORT; port 0 takes a free one.

    Raises
    ------
    ValueError
        If the words are not HOST:PORT.
    OSError
        If the port is taken or not allowed.
    """
    host, _, port = where.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{where!r} is not HOST:PORT")
    family = socket.AF_INET6 if ":" in host.strip("[]") else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), int(port)))
        bound.listen(1024)
    except OSError:
        bound.close()
        raise
    return bound


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own URL
            return bool(answer.status == 200)
    except OSError:  # urllib's own errors are among them
        return False


def _listen(name: str, where: str) -> socket.socket:
    try:
        return listen(where)
    except OSError as error:
        raise OSError(
            error.errno, f"--{name.replace('_', '-')} {where}: {error.strerror}; take another port, or 0 for a free one"
        ) from None


def _place(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
