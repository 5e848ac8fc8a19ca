"""The corpus of messages: reads its files, and what the real parser and dialects make of a message, as plain values.

A message is `corpus/NAME.hl7`, a segment a line, in UTF-8; beside it `NAME.toml` says in which encoding it is sent, by
which dialect it is read, and its facts. What a fact does not name is not known of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from hl7_listener.dialect import Dialect, read_dialect
from hl7_listener.fault import MessageFault
from hl7_listener.header import read_header
from hl7_listener.orders import read_orders
from hl7_listener.patients import read_merges, read_unlink, read_update
from hl7_listener.results import read_home_reports
from worklist.home.reading import HomeReading
from worklist.local_time import LocalTime

CORPUS = Path(__file__).parent / "corpus"
TRUST = "RXA"
RECEIVED_AT = datetime(2026, 6, 10, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Filed:
    """A message of the corpus: its octets as they are sent, and its expected facts."""

    name: str
    octets: bytes
    dialect: Dialect
    received_at: datetime
    facts: Mapping[str, Any]


def filed(name: str) -> Filed:
    """Read a message of the corpus with its facts."""
    expected = tomllib.loads((CORPUS / f"{name}.toml").read_text("utf-8"))
    expected.pop("about")
    text = (CORPUS / f"{name}.hl7").read_text("utf-8").replace("\n", "\r")
    octets = text.encode(expected.pop("encoding", "ascii"))
    dialect = read_dialect(expected.pop("dialect", {}))
    return Filed(name, octets, dialect, expected.pop("received_at", RECEIVED_AT), expected)


def names() -> list[str]:
    """Give the names of all messages of the corpus."""
    return sorted(path.stem for path in CORPUS.glob("*.hl7"))


def facts_of(octets: bytes, dialect: Dialect, received_at: datetime = RECEIVED_AT) -> dict[str, Any]:
    """Give what a message says, by the real parser, as plain values; of one that is not taken where and why."""
    try:
        header = read_header(octets)
        if header.message_type == "ADT":
            return _of_patients(octets, dialect, received_at)
        read = read_home_reports if header.message_type == "ORU" else read_orders
        found: dict[str, Any] = {}
        for one in read(octets, header, TRUST, dialect, received_at):
            name = "reading" if isinstance(one, HomeReading) else "report" if read is read_home_reports else "order"
            found.setdefault(name, []).append(plain(one))
    except MessageFault as fault:
        return {"fault": {"place": fault.place, "condition": fault.condition.name, "reason": fault.reason}}
    return found


def _of_patients(octets: bytes, dialect: Dialect, received_at: datetime) -> dict[str, Any]:
    header = read_header(octets)
    asked = (octets, header, TRUST, dialect, received_at)
    if header.event == "A37":
        return {"unlink": plain(read_unlink(*asked))}
    if header.event in ("A08", "A31"):
        return {"update": [plain(read_update(*asked))]}
    merges, updates = read_merges(*asked)
    found = {"merge": [plain(one) for one in merges], "update": [plain(one) for one in updates]}
    return {name: told for name, told in found.items() if told}


def plain(value: Any) -> Any:
    """Give a fact as TOML would hold it: what is not known of it is left out."""
    if isinstance(value, LocalTime):
        return [value.at, value.source, value.zone] + ([f"fold {value.fold}"] if value.fold else [])
    if is_dataclass(value):
        said = {one.name: getattr(value, one.name) for one in fields(value) if getattr(value, one.name) != _unsaid(one)}
        return {name: plain(one) for name, one in said.items() if one is not None}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value.isoformat() if type(value) is date else value


def _unsaid(one: Any) -> Any:
    return None if one.default is MISSING else one.default
