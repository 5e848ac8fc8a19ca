"""Reads network configuration files into one document, or says file, line and key of what is wrong.

It must not touch the database; references that only the database can settle are checked in `apply`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

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
            [_fault(sources, one["loc"], _told(one["type"], one["loc"], one["msg"])) for one in error.errors()]
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


def _told(kind: str, location: Sequence[str | int], message: str) -> str:
    """Say what is wrong, and of a key that is none which of those that are was meant."""
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    keys = _keys_at(location[:-1])
    near = get_close_matches(str(location[-1]), keys, n=1)
    meant = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(f'`{key}`' for key in keys)}"
    return f"there is no such key here; {meant}"


def _keys_at(location: Sequence[str | int]) -> list[str]:
    """Give the keys of the table at a location of the whole document."""
    model: type[BaseModel] = Network
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = next(iter(_models_in(model.model_fields[part].annotation)), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


_AT_LINE = re.compile(r"\(at line (\d+), ")
