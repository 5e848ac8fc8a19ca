"""Finds the line on which a key of a TOML document stands, so that an error can point at it.

tomllib gives values without places. It must not judge the values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-]+|\"[^\"]*\")\s*(?:\.|=)")


def line_of(text: str, location: Sequence[str | int]) -> int:
    """Give the 1-based line of a location such as ("reporter", 3, "grants", 0, "scope").

    The line of the nearest enclosing table is given where the key itself does not stand (a missing
    key, or one inside an inline table).
    """
    best, best_depth = 1, -1
    for number, path in _places(text):
        depth = _agreement(path, location)
        if depth == len(path) and depth > best_depth:
            best, best_depth = number, depth
    return best


def _places(text: str) -> list[tuple[int, tuple[str | int, ...]]]:
    """Give every line that opens a table or sets a key, with the location that it sets."""
    places: list[tuple[int, tuple[str | int, ...]]] = []
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            table = _enter(header[2], repeated=header[1] == "[[", counts=counts)
            places.append((number, table))
            continue
        key = _KEY.match(line)
        if key:
            places.append((number, (*table, key[1].strip('"'))))
    return places


def _enter(dotted: str, *, repeated: bool, counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """Give the location of a table header, counting the elements of arrays of tables."""
    names = [part.strip().strip('"') for part in dotted.split(".")]
    path: tuple[str | int, ...] = ()
    for place, name in enumerate(names):
        path = (*path, name)
        last = place == len(names) - 1
        if last and repeated:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _agreement(path: Sequence[str | int], location: Sequence[str | int]) -> int:
    """Give how many leading steps the two share."""
    shared = 0
    for one, other in zip(path, location, strict=False):
        if one != other:
            break
        shared += 1
    return shared
