"""Runs the real server of a demonstration as a process of its own, and ends it with the demonstration.

It must not reach into the server: everything else goes over its ports and its database.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.addresses import Addresses

_READY_SECONDS = 90.0
_STOP_SECONDS = 30.0
_LOG_LINES = 30


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A server that is ready; `http` and `dicom` are HOST:PORT."""

    data: Path
    http: str
    dicom: str
    hl7: str
    process: subprocess.Popen[bytes]

    @property
    def is_up(self) -> bool:
        """Whether the server's process still runs."""
        return self.process.poll() is None

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Start a `radpool` command on the server's data folder; its words come on standard output."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words, "--data", str(self.data)],
            env=server_environment({"COLUMNS": "100"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class ServerNotReady(RuntimeError):
    """The server did not start; carries the end of its log."""


@contextmanager
def starting_server(data: Path, addresses: Addresses) -> Iterator[PendingServer]:
    """Start a server with a test clock over a folder; it is stopped on leaving, however one leaves."""
    # The server ends when nobody holds the other end of the lifeline any more: also when this process is killed.
    lifeline, held = os.pipe()
    try:
        with (data / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cli.main", "serve", "--test-clock", "--data", str(data)),
                    *("--http", addresses.http, "--dicom", addresses.dicom, "--hl7", addresses.hl7),
                ],
                env=server_environment({**_SETTINGS, "RADPOOL_LIFELINE": str(lifeline)}),
                pass_fds=[lifeline],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demonstration, which ends the server in order
            )
        try:
            yield PendingServer(data, process)
        finally:
            _stop(process)
    finally:
        os.close(held)
        os.close(lifeline)


@dataclass(frozen=True, slots=True)
class PendingServer:
    """A server that was started and may not be ready yet."""

    data: Path
    process: subprocess.Popen[bytes]

    def ready(self) -> DemoServer:
        """Wait until the server is ready.

        Raises
        ------
        ServerNotReady
            If it ended, or took too long.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                run = json.loads((self.data / "run.json").read_text())
                return DemoServer(self.data, run["http"], run["dicom"], run["hl7"], self.process)
            time.sleep(0.02)
        raise ServerNotReady(f"the server did not become ready; the end of its log:\n{tail(self.data)}")


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


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
