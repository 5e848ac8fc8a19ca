"""What a planner is given and what it gives back, as frozen data; no way of solving it.

Pure: no I/O, no clock, no settings. Minutes are reporting minutes; instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from allocation.session import ReportingSession


@dataclass(frozen=True, slots=True)
class WaitingReading:
    """A free reading; `subspecialty` is that of its longest exam, None where nothing is mapped.

    Readings of one `bundle` are of one patient and day (None: of no known day). `needed_by` says that `due_at` is when
    a clinic or meeting needs the report.
    """

    id: int
    item_id: int
    profile_id: int
    trust: str
    ionising: bool
    modality: str | None
    subspecialty: str | None
    is_check: bool
    for_radiologist: bool
    due_at: datetime
    minutes: float
    excluded_reporters: frozenset[int] = frozenset()
    bundle: tuple[int, date] | None = None
    needed_by: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """A reporter as the planner sees one. `levels` gives the level per profile that they may report.

    `trusts` holds (trust, whether the work is ionising) for which they are entitled.
    """

    reporter_id: int
    is_radiologist: bool
    subspecialties: Mapping[str, int]
    levels: Mapping[int, str]
    trusts: frozenset[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Problem:
    """One moment of the network: what waits, who works when."""

    now: datetime
    readings: tuple[WaitingReading, ...]
    sessions: tuple[ReportingSession, ...]
    workers: Mapping[int, Worker]


@dataclass(frozen=True, slots=True)
class Assigned:
    """One reading given to one session; `rank` orders a reporter's list from 1."""

    reading_id: int
    item_id: int
    reporter_id: int
    session_id: int
    rank: int
    valid_until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Who reads what; and how many readings could not be placed, by reason."""

    assigned: tuple[Assigned, ...]
    unassigned_by_reason: Mapping[str, int] = field(default_factory=dict)


def may_read(worker: Worker, reading: WaitingReading) -> bool:
    """Whether the index of eligibility lets a worker read it; the claim judges again by the rule."""
    level = worker.levels.get(reading.profile_id)
    return (
        level is not None
        and (reading.trust, reading.ionising) in worker.trusts
        and (not reading.is_check or level == "autonomous")
        and (not reading.for_radiologist or worker.is_radiologist)
        and worker.reporter_id not in reading.excluded_reporters
    )
