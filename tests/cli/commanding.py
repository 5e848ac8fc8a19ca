"""The command `radpool` as people type it: each in a process of its own, and servers of it on free ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cli.typed import SHOW_STACKS, Typed

FREE_PORTS = ("--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0", "--hl7", "127.0.0.1:0")
READY_SECONDS = 120
#: Longer than the services and the database have together before they are killed.
END_SECONDS = 120


@dataclass
class Server:
    """A running `radpool serve`; `run` is what it announced."""

    data: Path
    process: Typed
    run: dict[str, Any]
    printed: str

    @property
    def url(self) -> str:
        return f"http://{self.run['http']}"

    def command(self, *words: str, status: int = 0) -> str:
        """Run a command on the server's folder and give what it printed."""
        return radpool(*words, "--data", str(self.data), status=status)

    def client(self, user: str) -> httpx.Client:
        token = self.command("token", "--user", user).strip()
        return httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=False
        )

    def log(self) -> str:
        return (self.data / "server.log").read_text()


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RADPOOL_")}
    return {**kept, "COLUMNS": "200", "USER": "tester", **more}


def radpool(*words: str, status: int = 0, **more: str) -> str:
    """Run a command, hold it to an exit status, and give all that it printed."""
    command = Typed(words, environment(**more))
    with command.stdout:
        printed = command.stdout.read()
    assert command.wait(READY_SECONDS) == status, printed
    return printed


@contextmanager
def serving(data: Path, *words: str, **more: str) -> Iterator[Server]:
    """Run a server until the block ends; it is killed then if it has not ended."""
    server = start(data, *words, **more)
    try:
        yield server
    finally:
        end(server)


def start(data: Path, *words: str, **more: str) -> Server:
    data.mkdir(exist_ok=True)
    with (data / "server.log").open("a") as log:
        process = Typed(["serve", "--data", data, *FREE_PORTS, *words], environment(**more), log)
    printed = process.stdout.readline()
    if not printed:
        process.wait(READY_SECONDS)
        process.stdout.close()
        raise AssertionError((data / "server.log").read_text())
    return Server(data, process, json.loads(printed), printed)


def end(server: Server, how: signal.Signals = signal.SIGTERM) -> int:
    """End a server and give its exit status; one that does not end is killed, and what it was at is told."""
    if server.process.poll() is None:
        server.process.send_signal(how)
    try:
        return server.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired as late:
        left = children_of(server.process.pid)
        server.process.send_signal(SHOW_STACKS)
        time.sleep(1.0)
        server.process.kill()
        raise AssertionError(f"the server does not end; its children: {left}\n{server.log()[-20_000:]}") from late
    finally:
        server.process.stdout.close()


def children_of(pid: int) -> dict[int, list[str]]:
    """Give the living children of a process with their command lines."""
    return _processes(lambda status: f"\nPPid:\t{pid}\n" in status)


def all_processes() -> dict[int, list[str]]:
    """Give every living process with its command line."""
    return _processes(lambda _: True)


def _processes(wanted: Callable[[str], bool]) -> dict[int, list[str]]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "status").read_text()
            words = (entry / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").replace("\0", " ").split()
        except OSError:
            continue
        if wanted(status) and "\nState:\tZ" not in status:
            found[int(entry.name)] = words
    return found


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def until(what: Any, seconds: float = 30.0) -> float:
    """Wait until something is so, and give how long that took."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not so after {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - began


def answers(place: str) -> bool:
    """Whether somebody accepts connections at HOST:PORT."""
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def ready(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
