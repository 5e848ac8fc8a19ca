"""Reads what CPU time the processes of a running server have used (Linux only); it must not measure by itself."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SERVICE = re.compile(r"radpool serve (\w+)")
_POSTGRES = "PostgreSQL"


def cpu_seconds(pid: int) -> dict[str, float]:
    """Give the CPU seconds that a server and its descendants have used, by what they are: service or PostgreSQL.

    The time of database connections that have ended counts with PostgreSQL.
    """
    used: defaultdict[str, float] = defaultdict(float)
    children = _children()
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            words = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            own, ended = _times(one)
        except (FileNotFoundError, ProcessLookupError):
            continue
        service = _SERVICE.search(words)
        part = _POSTGRES if "postgres" in words.split(" ")[0] else service[1] if service else "main"
        used[part] += own + (ended if part == _POSTGRES else 0)
    return dict(used)


def per_unit(before: Mapping[str, float], after: Mapping[str, float], units: int) -> dict[str, float]:
    """Give the CPU milliseconds that each part used for one unit of work, the dearest first."""
    spent = {part: (seconds - before.get(part, 0.0)) * 1000 / units for part, seconds in after.items()}
    return dict(sorted(spent.items(), key=lambda one: -one[1]))


def _children() -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(_stat(int(folder.name))[1])].append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _times(pid: int) -> tuple[float, float]:
    """Give the CPU seconds of a process, and of its children that have ended."""
    stat = _stat(pid)
    return (int(stat[11]) + int(stat[12])) / _TICKS, (int(stat[13]) + int(stat[14])) / _TICKS


def _stat(pid: int) -> list[str]:
    """Give the fields of `/proc/PID/stat` after the command, which may hold blanks: state, parent, and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
