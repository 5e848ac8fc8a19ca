"""A whole radpool that is attacked from outside: its port, the processes behind it, and what people see.

This is the one place that knows how the product is started and which of its processes take DICOM.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine, text

from tests.attacks.wire import Peer
from tests.cli.commanding import Server, children_of, serving

TESTS = Path(__file__).parents[1]
#: Bound to 127.0.0.1; bound to every loopback address; no source at all.
PACS, PACS_ANYWHERE, STRANGER = "PACS_A", "PACS_ANY", "STRANGER"
PACS_TRUST = "RXA"


@dataclass(frozen=True)
class Attacked:
    """A running server, a person of the attacked trust, and the database behind it."""

    server: Server
    person: httpx.Client
    owner: Engine

    @property
    def port(self) -> int:
        return int(self.server.run["dicom"].rsplit(":", 1)[1])

    def peer(self, address: str = "127.0.0.1") -> Peer:
        return Peer(self.port, address)

    def listening_processes(self) -> frozenset[int]:
        """Give every process that takes DICOM: the listener's service and all that descend from it."""
        children = children_of(self.server.process.pid)
        found = {pid for pid, words in children.items() if words[1:3] == ["serve", "listener"]}
        assert found, children
        waiting = set(found)
        while waiting:
            below = set(children_of(waiting.pop()))
            found |= below
            waiting |= below
        return frozenset(found)

    def exceptions(self) -> dict[tuple[str, str], int]:
        """Give how often each open exception of the trust occurred, by kind and detail, as people are shown it."""
        shown = self.person.get("/exceptions", params={"limit": 500}).raise_for_status().json()["exceptions"]
        found: dict[tuple[str, str], int] = {}
        for one in shown:
            key = one["kind"], one["detail"]
            found[key] = found.get(key, 0) + one["occurrences"]
        return found

    def items(self, **filters: Any) -> list[dict[str, Any]]:
        """Walk all pages of the worklist, whatever the state of the items."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.person.get("/worklist", params={"limit": 500, **filters, **cursor}).raise_for_status().json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def occurrences(self, trust: str = PACS_TRUST) -> int:
        """Give how often anything of a trust was put before people."""
        with self.owner.connect() as connection:
            return int(connection.execute(_OCCURRENCES, {"trust": trust}).scalar_one())

    def objects(self, trust: str = PACS_TRUST) -> int:
        """Give the number of objects that are known of a trust."""
        with self.owner.connect() as connection:
            return int(connection.execute(_OBJECTS, {"trust": trust}).scalar_one())

    def refused(self, trust: str = PACS_TRUST) -> int:
        """Give how often an object of a trust was refused for good."""
        with self.owner.connect() as connection:
            return int(connection.execute(_REFUSED, {"trust": trust}).scalar_one())


@contextmanager
def attacked(data: Path) -> Iterator[Attacked]:
    """Run a radpool with the small network until the block ends."""
    with serving(data, RADPOOL_QUIET_SECONDS="0") as server:
        server.command("import", str(TESTS / "network.toml"), str(TESTS / "attacks" / "sources.toml"))
        server.command("user", "add", "pacs", "--role", "pacs_manager", "--trust", PACS_TRUST)
        owner = create_engine(server.command("db-url", "--role", "owner").strip())
        try:
            with server.client("pacs") as person:
                yield Attacked(server, person, owner)
        finally:
            owner.dispose()


@dataclass(frozen=True, slots=True)
class Held:
    """What processes hold together: resident bytes, threads, open file handles."""

    resident_bytes: int
    threads: int
    handles: int


def held_by(pids: frozenset[int]) -> Held:
    """Read from the kernel what processes hold now."""
    handles = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    return Held(1024 * _sum(pids, "VmRSS"), _sum(pids, "Threads"), handles)


def forget_peak(pids: frozenset[int]) -> None:
    """Let the highest resident memory begin anew at what is resident now (proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_resident_bytes(pids: frozenset[int]) -> int:
    """Give the sum of the highest resident memory of each process since `forget_peak`."""
    return 1024 * _sum(pids, "VmHWM")


def echo_seconds(port: int, calling_ae_title: str = PACS) -> float:
    """Give how long an allowed peer takes for connection, association, C-ECHO and release; inf when it is refused."""
    began = time.monotonic()
    try:
        with Peer(port, seconds=5) as peer:
            peer.associate(calling_ae_title)
            assert peer.echo() == 0
            peer.release()
    except (AssertionError, OSError):
        return float("inf")
    return time.monotonic() - began


@contextmanager
def echoing(port: int, *, pause_seconds: float = 0.02) -> Iterator[list[float]]:
    """Let a peer in a process of its own send C-ECHO all the time; the list is filled at the end of the block."""
    seconds: list[float] = []
    words = [sys.executable, "-m", "tests.attacks.echo_peer", str(port), str(pause_seconds)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS.parent) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield seconds
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                told, _ = process.communicate("\n", timeout=30)
                seconds += [float(one) for one in told.split()]
            process.kill()


def percentile(values: list[float], percent: int) -> float:
    """Give the value below which `percent` of the values lie, by nearest rank."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _sum(pids: frozenset[int], line: str) -> int:
    found = 0
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        found += next(int(each.split()[1]) for each in status if each.startswith(f"{line}:"))
    return found


_OBJECTS = text(
    "SELECT count(*) FROM instance JOIN series ON series.id = instance.series_id"
    " JOIN study ON study.id = series.study_id WHERE study.trust_ods = :trust"
)
_OCCURRENCES = text("SELECT coalesce(sum(occurrences), 0) FROM worklist_exception WHERE trust_ods = :trust")
_REFUSED = text(f"{_OCCURRENCES.text} AND kind = 'object-refused'")
