"""Where a source answers, and how it wants to be spoken to.

Pure: plain data. It must not read the configuration or open anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any


@dataclass(frozen=True, slots=True)
class QueryAddress:
    """The address at which a source takes our associations.

    `source` is the AE title that it sends under, `ae_title` the one that it is called by. `off_peak` are two London
    times of day between which it may be asked about whole days, the first before or after the second; without it no
    sweep is made. With `tls` the connection is protected.
    """

    source: str
    host: str
    port: int
    ae_title: str
    off_peak: tuple[time, time] | None = None
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Manners:
    """How a PACS is asked; seconds and bytes.

    `answer_seconds` bounds the wait for each answer and for each PDU; `pause_seconds` lie between two questions on one
    association. A query gives up to `max_answers`; an association is cut that brings more than `max_bytes`.
    """

    calling_ae_title: str = "RADPOOL"
    connect_seconds: float = 5.0
    answer_seconds: float = 30.0
    pause_seconds: float = 0.2
    max_answers: int = 1000
    max_bytes: int = 32 * 1024 * 1024


def stated_address(source: str, query: Mapping[str, Any]) -> QueryAddress:
    """Give the address that the configuration states as a source's `query`."""
    begins, ends = query.get("from"), query.get("to")
    window = (time.fromisoformat(begins), time.fromisoformat(ends)) if begins and ends else None
    return QueryAddress(source, query["host"], query["port"], query["ae_title"], window, bool(query.get("tls")))
