"""Finds and ends the server processes of one data folder; starts none and reads no table.

A process is recognised by its command line: the postmaster carries `cluster_name=NAME` and each of its
children shows `postgres: NAME: ...` as its title. Command lines can be read without the right to trace
the process, which root lacks in an ordinary container, and they stay true when the number in
`postmaster.pid` has been given to some other process. Linux only (`/proc`).
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FAST_STOP_SECONDS = 60.0
IMMEDIATE_STOP_SECONDS = 10.0
STILL_SECONDS = 3.0
KILL_SECONDS = 10.0
POLL_SECONDS = 0.02

_PORT_LINE = 3
_STATUS_LINE = 7

# A postmaster started by this process is its child: unless it is waited for it stays a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The living postmaster of a data folder; `port` is 0 and `status` empty until it has written them.

    `status` is PostgreSQL's own word: `starting`, `ready`, `stopping` or `standby`.
    """

    pid: int
    port: int
    status: str
    command: tuple[str, ...]


def postmaster(data_dir: Path) -> Postmaster | None:
    """Return the postmaster of `data_dir` if it lives; a stale or recycled process number is nobody's.

    Raises
    ------
    PermissionError
        The data folder belongs to another account.
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    command = _command(pid)
    if not _is_server_of(data_dir, pid, command):
        return None
    port = lines[_PORT_LINE].strip() if len(lines) > _PORT_LINE else ""
    status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    arguments = tuple(part.decode(errors="replace") for part in command.rstrip(b"\0").split(b"\0"))
    return Postmaster(pid, int(port) if port.isdigit() else 0, status, arguments)


def server_processes(data_dir: Path) -> list[int]:
    """Return the process numbers of every living server process of `data_dir`, orphans included."""
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in numbers if _is_server_of(data_dir, pid, _command(pid))]


def end_server(data_dir: Path, *, immediate: bool = False) -> None:
    """End every server process of `data_dir` and return when the last one is gone.

    A postmaster gets a fast shutdown unless `immediate`, then an immediate one, then SIGKILL. Orphans of a
    dead postmaster get SIGQUIT and then SIGKILL: nobody waits for their work, crash recovery
    follows.

    Raises
    ------
    TimeoutError
        Processes are left that even SIGKILL does not end (they hang in the kernel).
    """
    steps = [(signal.SIGQUIT, IMMEDIATE_STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)]
    if not immediate and postmaster(data_dir) is not None:
        steps.insert(0, (signal.SIGINT, FAST_STOP_SECONDS))
    for step, patience in steps:
        master = postmaster(data_dir)
        only_master = master is not None and step is not signal.SIGKILL
        for pid in [master.pid] if master is not None and only_master else server_processes(data_dir):
            with suppress(ProcessLookupError):
                os.kill(pid, step)
        if _gone_within(data_dir, patience):
            return
    left = ", ".join(map(str, server_processes(data_dir)))
    raise TimeoutError(f"processes {left} of the server in {data_dir} do not end, even by SIGKILL")


def keep_child(child: subprocess.Popen[bytes]) -> None:
    """Remember a postmaster started here, so that it is waited for when it ends."""
    _children[child.pid] = child


def cluster_name(data_dir: Path) -> str:
    """Return the name that marks the processes of `data_dir` (an absolute path) on this machine."""
    return "radpool-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]


def _gone_within(data_dir: Path, seconds: float) -> bool:
    began = busy_at = time.monotonic()
    while processes := server_processes(data_dir):
        now = time.monotonic()
        busy_at = busy_at if _is_still(processes) else now
        if now - began > seconds or now - busy_at > STILL_SECONDS:
            return False
        time.sleep(POLL_SECONDS)
    _reap()
    return True


def _is_still(processes: list[int]) -> bool:
    """Tell whether a shutdown has stopped half-way: only a checkpointer is left and writes nothing.

    PostgreSQL 18 stays like this for ever when a fast shutdown arrives as it begins anew after the
    crash of a backend.
    """
    titles = [_command(pid).strip(b"\0 ") for pid in processes]
    children = [title for title in titles if title.startswith(b"postgres:")]
    return any(title.endswith(b": checkpointer") for title in children) and all(
        title.endswith(b": checkpointer") or b": io worker" in title for title in children
    )


def _reap() -> None:
    for pid in list(_children):
        child = _children.get(pid)
        if child is not None and child.poll() is not None:
            _children.pop(pid, None)


def _is_server_of(data_dir: Path, pid: int, command: bytes) -> bool:
    program = command.split(b"\0", 1)[0]
    if not program.startswith(b"postgres:") and program.rpartition(b"/")[2] != b"postgres":
        return False
    started_by_hand = os.fsencode(data_dir) in command.split(b"\0")
    if cluster_name(data_dir).encode() not in command and not started_by_hand:
        return False
    # The owner is compared because anybody may start a process with any command line.
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        owner = data_dir.stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return fields["State"].split()[0] not in "ZX" and int(fields["Uid"].split()[1]) == owner


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
