"""Reads durations as people type them: +3h, -90m, 2d, 10s."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([+-]?)(\d{1,6})([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Give the duration of words such as `+3h`; several may follow each other (`1d12h`).

    Raises
    ------
    ValueError
        Naming what can be written.
    """
    parts = list(_DURATION.finditer(text.strip()))
    if not parts or "".join(part[0] for part in parts) != text.strip():
        raise ValueError(f"{text!r} is no duration; write +3h, -90m, 2d or 10s")
    total, sign = timedelta(0), 1
    for part in parts:
        sign = {"-": -1, "+": 1}.get(part[1], sign)
        total += sign * timedelta(**{_UNITS[part[3]]: int(part[2])})
    return total
