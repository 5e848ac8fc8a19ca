"""Runs the whole of radpool on one machine: database, one process per service, restart of what dies.

Listening sockets are bound here and handed down, so that ports stay while a process is replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from pydantic import SecretStr
from sqlalchemy import text

from cli import data_folder
from cli.addresses import Addresses, listen_for, place_of
from cli.data_folder import DatabaseAddress
from cli.forks import Forked, fork
from cli.process import Lifeline
from cli.refusals import told_in_a_line
from cli.running import SERVICES, Given, service_of
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
#: Sockets that are there only where they were asked for.
_ASKED_FOR = ("dicom_tls", "hl7_tls")
#: Which sockets a service takes connections from.
_SOCKETS = {"listener": ("dicom", "dicom_tls"), "hl7": ("hl7", "hl7_tls"), "api": ("http",)}


@dataclass(slots=True)
class Child:
    """One service's process and how often it has died."""

    service: str
    process: Forked | None = None
    deaths: int = 0
    started_at: float = 0.0
    start_again_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Holds the services of one data folder until told to stop, or until its own lifeline is cut.

    It forks them, so it must have no threads.
    """

    data: Path
    addresses: Addresses
    settings: Settings
    test_clock: bool
    stop: threading.Event
    lifeline: Lifeline | None = None
    _children: list[Child] = field(default_factory=list)
    _sockets: dict[str, socket.socket] = field(default_factory=dict)

    def run(self) -> int:
        """Start everything, say where it is, keep it up until `stop`; gives the exit status."""
        data_folder.prepare(self.data)
        with contextlib.ExitStack() as undo:
            undo.enter_context(data_folder.served_alone(self.data))
            for name in ("http", "dicom", "hl7", *_ASKED_FOR):
                where = getattr(self.addresses, name)
                if where is not None:
                    self._sockets[name] = undo.enter_context(listen_for(name, where))
            address = self._database(undo)
            self._migrate(address)
            lifeline, held = os.pipe()
            undo.callback(os.close, held)
            undo.callback(self._end_children)
            for service in SERVICES:
                child = Child(service)
                self._children.append(child)
                self._start(child, address, lifeline)
            if not self._becomes_ready(address, lifeline):
                log.error("not ready; see the messages above")
                return 1
            self._announce(address)
            self._watch(address, lifeline)
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
        mine = {name: self._sockets[name] for name in _SOCKETS.get(child.service, ()) if name in self._sockets}
        settings = self.settings.model_copy(update={"database_url": SecretStr(address.app_url)})
        given = Given(self.data, settings, mine, address.app_role, Lifeline(lifeline))
        title = f"radpool serve {child.service} --data {self.data}"
        keep = {lifeline, *(one.fileno() for one in mine.values())}
        # What a service needs is imported just before its first start: the others need not hold it.
        run = service_of(child.service)
        child.started_at = time.monotonic()
        child.process = fork(partial(told_in_a_line, partial(run, given)), title, keep=keep)

    def _becomes_ready(self, address: DatabaseAddress, lifeline: int) -> bool:
        """Wait for the API; a service that dies at once again and again makes it hopeless."""
        url = f"http://{place_of(self._sockets['http'])}"
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and not self._is_to_end():
            if _answers(f"{url}/healthz/ready"):
                return True
            self._revive(address, lifeline)
            if any(child.service == "api" and child.deaths >= _HOPELESS_DEATHS for child in self._children):
                return False
            time.sleep(0.05)
        return False

    def _announce(self, address: DatabaseAddress) -> None:
        run = {
            "http": place_of(self._sockets["http"]),
            "dicom": place_of(self._sockets["dicom"]),
            "hl7": place_of(self._sockets["hl7"]),
            "database_url": app_url(address),
            "pid": os.getpid(),
            **{name: place_of(self._sockets[name]) for name in _ASKED_FOR if name in self._sockets},
        }
        data_folder.write_run_file(self.data, run)
        print(json.dumps(run), flush=True)

    def _is_to_end(self) -> bool:
        return self.stop.is_set() or (self.lifeline is not None and self.lifeline.is_cut())

    def _watch(self, address: DatabaseAddress, lifeline: int) -> None:
        """Start again what dies, until told to stop."""
        while not self._is_to_end():
            self.stop.wait(0.1)
            self._revive(address, lifeline)
            try:
                if self.settings.database_url is None and embedded.running(self.data) is None:
                    found = self._restart_database(address)
                    if found != address:
                        address = found
                        self._announce(address)
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
                log.warning("a service died", service=child.service, status=child.process.status, pause=pause)
                child.deaths += 1
                child.process, child.start_again_at = None, time.monotonic() + pause

    def _restart_database(self, address: DatabaseAddress) -> DatabaseAddress:
        """Start our own PostgreSQL again; services that knew it elsewhere are replaced."""
        log.warning("the database died; it is started again")
        found = data_folder.of_cluster(embedded.start(self.data))
        if found != address:
            for child in self._children:
                if child.process is not None:
                    child.process.send_signal(signal.SIGKILL)  # an orderly end could wait for the database that is gone
        return found

    def _end_children(self) -> None:
        """End the services in order: those that take work in first, the sequencer last."""
        for child in reversed(self._children):
            if child.process is not None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            if child.process is not None and not child.process.ends_within(max(0.1, deadline - time.monotonic())):
                child.process.send_signal(signal.SIGKILL)
                child.process.ends_within(_STOP_SECONDS)


def app_url(address: DatabaseAddress) -> str:
    """Give a URL that connects as the application role, for other programs."""
    return data_folder.acting_as(address.app_url, address.app_role)


def owner_url(address: DatabaseAddress) -> str:
    """Give a URL that connects as the owner role, for other programs."""
    return data_folder.acting_as(address.owner_url, address.owner_role)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own URL
            return bool(answer.status == 200)
    except OSError:  # urllib's own errors are among them
        return False
