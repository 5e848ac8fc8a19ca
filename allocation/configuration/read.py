"""Reads network configuration files into one document, or says file, line and key of what is wrong.

It must not touch the database; references that only the database can settle are checked in `apply`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from allocation.configuration.document import Network
from allocation.configuration.source_lines import last_line, line_of


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: in which file, on which line, under which key, and what would mend it."""

    file: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.what}"


class InvalidConfiguration(ValueError):
    """The configuration cannot be taken; `faults` lists everything wrong. Nothing was changed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class SourceText:
    """One file's name and text, and of each of its keys how many rows the files before it had."""

    name: str
    text: str
    offsets: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReadNetwork:
    """A document and the texts it came from, so that later checks can still point at lines."""

    network: Network
    sources: tuple[SourceText, ...]

    def fault(self, location: Sequence[str | int], what: str) -> Fault:
        """Make a fault that points at a location of the whole document."""
        return _fault(self.sources, location, what)


def read_files(paths: Iterable[Path]) -> ReadNetwork:
    """Read one or several TOML files as one document.

    Raises
    ------
    InvalidConfiguration
        With every fault found: not readable, not TOML, not of the schema.
    """
    return read_texts([(str(path), _text_of(path)) for path in paths])


def read_texts(texts: Sequence[tuple[str, str]]) -> ReadNetwork:
    """Read TOML texts, each with the name to report it by, as one document.

    Raises
    ------
    InvalidConfiguration
        With every fault found.
    """
    tables: dict[str, Any] = {}
    sources: list[SourceText] = []
    for name, text in texts:
        document = _parse(name, text)
        offsets = {}
        for key, value in document.items():
            before = tables.get(key, [])
            if isinstance(value, list) and isinstance(before, list):
                offsets[key] = len(before)
                tables[key] = [*before, *value]
            else:
                offsets[key] = 0
                tables[key] = value
        sources.append(SourceText(name, text, offsets))
    try:
        return ReadNetwork(Network.model_validate(tables), tuple(sources))
    except ValidationError as error:
        raise InvalidConfiguration(
            [_fault(sources, one["loc"], _plain(one["msg"])) for one in error.errors(include_url=False)]
        ) from None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfiguration([Fault(str(path), 1, "-", f"cannot be read: {error}")]) from None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = _AT_LINE.search(str(error))
        line = int(told[1]) if told else last_line(text)
        raise InvalidConfiguration([Fault(name, line, "-", f"not TOML: {error}")]) from None


def _fault(sources: Sequence[SourceText], location: Sequence[str | int], what: str) -> Fault:
    local = list(location)
    table, row = str(location[0]), location[1] if len(location) > 1 else None
    having = [one for one in sources if table in one.offsets]
    if isinstance(row, int):
        having = [one for one in having if one.offsets[table] <= row]
        local[1] = row - having[-1].offsets[table]
    source = having[-1]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in local).lstrip(".")
    return Fault(source.name, line_of(source.text, local), key or "-", what)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


_AT_LINE = re.compile(r"\(at line (\d+), ")
