"""Runs the real server of a demonstration as a process of its own, and ends it with the demonstration.

It must not reach into the server: everything else goes over its ports and its database.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.addresses import Addresses
from cli.demonstration.faults import DemonstrationFailed
from cli.forks import Forked, ForkServer, exit_status, fork
from cli.options import read_settings
from cli.process import Lifeline, configure_logs, stop_event
from cli.refusals import told_in_a_line
from cli.supervisor import Supervisor

_READY_SECONDS = 90.0
_STOP_SECONDS = 30.0
_LOG_LINES = 30
#: Width of what commands print.
_COLUMNS = "100"


@dataclass(frozen=True, slots=True)
class Command:
    """A `radpool` command at work in a process of its own."""

    _answers: socket.socket

    def ended(self) -> tuple[int, str]:
        """Wait for its end; gives its exit status and what it said."""
        with self._answers, self._answers.makefile("rb") as lines:
            answer = lines.read()
        status, told = json.loads(answer) if answer else (1, "it died; its last words may stand above")
        return status, told


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A server that is ready; `http`, `dicom` and `hl7` are HOST:PORT."""

    data: Path
    http: str
    dicom: str
    hl7: str
    _process: Forked
    _commands: ForkServer

    @property
    def is_up(self) -> bool:
        """Whether the server's process still runs."""
        return self._process.poll() is None

    def command(self, *words: str) -> Command:
        """Start a `radpool` command on the server's data folder."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._commands.start(theirs)
        ours.sendall(json.dumps([*words, "--data", str(self.data)]).encode() + b"\n")
        return Command(ours)


class ServerNotReady(DemonstrationFailed):
    """The server did not start; carries the end of its log."""


@contextmanager
def starting_server(data: Path, addresses: Addresses) -> Iterator[PendingServer]:
    """Start a server with a test clock over a folder; it is stopped on leaving, however one leaves.

    The process must not have threads yet.
    """
    # The server ends when nobody holds the other end of the lifeline any more: also when this process is killed.
    lifeline, held = os.pipe()
    try:
        process = fork(
            partial(told_in_a_line, partial(_serve, data, addresses, Lifeline(lifeline))),
            f"radpool serve --test-clock --data {data}",
            keep={lifeline},
        )
        commands = ForkServer(_type, "radpool")
        try:
            yield PendingServer(data, process, commands)
        finally:
            commands.close()
            _stop(process)
    finally:
        os.close(held)
        os.close(lifeline)


@dataclass(frozen=True, slots=True)
class PendingServer:
    """A server that was started and may not be ready yet."""

    _data: Path
    _process: Forked
    _commands: ForkServer

    def ready(self) -> DemoServer:
        """Wait until the server is ready.

        Raises
        ------
        ServerNotReady
            If it ended, or took too long.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                run = json.loads((self._data / "run.json").read_text())
                return DemoServer(self._data, run["http"], run["dicom"], run["hl7"], self._process, self._commands)
            time.sleep(0.02)
        raise ServerNotReady(f"the server did not become ready; the end of its log:\n{tail(self._data)}")


def tail(data: Path) -> str:
    """Give the end of the server's log."""
    with contextlib.suppress(OSError):
        words = (data / "server.log").read_text(errors="replace")
        return "\n".join(words.splitlines()[-_LOG_LINES:])
    return ""


def server_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Give the environment without settings of any other radpool: a demonstration must reach no real database."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("RADPOOL_")}, **more}


#: Everything quicker than a network would have it, so that a run is short.
_SETTINGS = {
    "RADPOOL_QUIET_SECONDS": "0.5",
    "RADPOOL_PLAN_SECONDS": "1",
    "RADPOOL_CHECKPOINT_SECONDS": "5",
    "RADPOOL_LOG_LEVEL": "WARNING",
}


def _serve(data: Path, addresses: Addresses, lifeline: Lifeline) -> None:
    with (data / "server.log").open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    _take_environment(_SETTINGS)
    settings = read_settings(None)
    configure_logs(settings.log_level, "serve")
    raise SystemExit(Supervisor(data, addresses, settings, test_clock=True, stop=stop_event(), lifeline=lifeline).run())


def _type(answers: socket.socket) -> None:
    """Run the command whose words come over a socket, and answer with its exit status and what it said."""
    from cli.main import app

    _take_environment({"COLUMNS": _COLUMNS})
    with answers.makefile("rb") as lines:
        sys.argv = ["radpool", *json.loads(lines.readline())]
    status, told = 0, io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            told_in_a_line(app)
        except SystemExit as ended:
            status = exit_status(ended)
    answers.sendall(json.dumps([status, told.getvalue()]).encode())


def _take_environment(more: Mapping[str, str]) -> None:
    taken = server_environment(more)
    os.environ.clear()
    os.environ.update(taken)


def _stop(process: Forked) -> None:
    process.send_signal(signal.SIGTERM)
    if not process.ends_within(_STOP_SECONDS):
        process.send_signal(signal.SIGKILL)
        process.ends_within(_STOP_SECONDS)
