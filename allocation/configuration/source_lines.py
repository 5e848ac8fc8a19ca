"""Finds the line on which a value of a TOML document stands, so that an error can point at it.

tomllib gives values without places. It must not judge the values: the text is known to be TOML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Location = tuple[str | int, ...]


def line_of(text: str, location: Sequence[str | int]) -> int:
    """Give the 1-based line of a location such as ("reporter", 3, "grants", 0, "scope").

    Inside arrays and inline tables too. Of a key that does not stand, the line of the nearest table
    or array around it is given.
    """
    best, best_depth = 1, 0
    for line, path in _places(text):
        depth = min(len(path), len(location))
        if best_depth < depth and path[:depth] == tuple(location[:depth]):
            best, best_depth = line, depth
    return best


def last_line(text: str) -> int:
    """Give the number of the last line that says anything."""
    return text.rstrip().count("\n") + 1


_TOKEN = re.compile(
    r'''(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'''
    r"|(?P<skip>\#[^\n]*|[ \t\r]+)"
    r"|(?P<mark>[\[\]{}=,.\n])"
    r"|(?P<word>[^\s\[\]{}=,.\"'\#]+)",
    re.DOTALL,
)


def _places(text: str) -> Iterator[tuple[int, Location]]:
    """Give every table, key and array element with its line, in the order of the text."""
    tokens = _Tokens(text)
    counts: dict[Location, int] = {}
    table: Location = ()
    while tokens.more():
        line = tokens.line
        if tokens.take("\n"):
            continue
        if tokens.take("["):
            repeated = tokens.take("[")
            table = _enter(tokens.key(), repeated=repeated, counts=counts)
            yield line, table
            while tokens.take("]"):
                pass
        else:
            path = (*table, *tokens.key())
            yield from ((line, path[:depth]) for depth in range(len(table) + 1, len(path) + 1))
            tokens.take("=")
            yield from _inside(tokens, path)


def _inside(tokens: _Tokens, path: Location) -> Iterator[tuple[int, Location]]:
    """Give the places inside the value that comes next, and pass it."""
    if tokens.take("["):
        number = 0
        while tokens.more() and not tokens.take("]"):
            if tokens.take("\n"):
                continue
            yield tokens.line, (*path, number)
            yield from _inside(tokens, (*path, number))
            number += tokens.take(",")
            while tokens.take("\n"):
                number += tokens.take(",")
    elif tokens.take("{"):
        while tokens.more() and not tokens.take("}"):
            line, inner = tokens.line, (*path, *tokens.key())
            yield line, inner
            tokens.take("=")
            yield from _inside(tokens, inner)
            tokens.take(",")
    else:
        tokens.scalar()


def _enter(names: Location, *, repeated: bool, counts: dict[Location, int]) -> Location:
    """Give the location of a table header, counting the elements of arrays of tables."""
    path: Location = ()
    for place, name in enumerate(names):
        path = (*path, name)
        if repeated and place == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


class _Tokens:
    """The tokens of a document, with the line that the next one stands on."""

    def __init__(self, text: str) -> None:
        self._found = [one for one in _TOKEN.finditer(text) if one.lastgroup != "skip"]
        self._next = 0
        self._seen, self.line = 0, 1
        self._text = text
        self._settle()

    def more(self) -> bool:
        return self._next < len(self._found)

    def take(self, mark: str) -> bool:
        """Pass a mark if it comes next, and tell whether it did."""
        if not self.more() or self._found[self._next]["mark"] != mark:
            return False
        self._pass()
        return True

    def key(self) -> Location:
        """Pass a dotted key and give its parts."""
        parts = [self._name()]
        while self.take("."):
            parts.append(self._name())
        return tuple(parts)

    def scalar(self) -> None:
        """Pass a number, date, truth value or text; what a number has around its point comes in several tokens."""
        while self.more() and (self._found[self._next]["mark"] or ".") == ".":
            self._pass()

    def _name(self) -> str:
        name = self._found[self._next][0] if self.more() else ""
        self._pass()
        return name[1:-1] if name[:1] in {'"', "'"} else name

    def _pass(self) -> None:
        self._next += 1
        self._settle()

    def _settle(self) -> None:
        if self.more():
            start = self._found[self._next].start()
            self.line += self._text.count("\n", self._seen, start)
            self._seen = start
