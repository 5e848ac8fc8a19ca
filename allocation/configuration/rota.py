"""Lays a weekly pattern of shifts on one calendar week of reporting sessions.

Pure: no I/O, no clock, no settings. It must not know bank holidays, leave or what anybody may report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from allocation.configuration.document import Session
from allocation.configuration.row import Code, Modality, OdsCode, Row
from worklist.local_time import LONDON, earliest_instant

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def week_of_sessions(shifts: Sequence[Shift], monday: date) -> tuple[Session, ...]:
    """Give the sessions of the week that begins on `monday`, in order of start and reporter.

    Shifts begin and end by the Europe/London wall clock, so one across a clock change is an hour
    longer or shorter. A wall-clock time that the change repeats or skips is taken at the first
    instant at which the clocks have reached it; a shift that thereby has no length is left out.
    Bank holidays are days like others. Starts and ends are aware, with London's offset.

    A session's id is ISO week, reporter, day and the number of the reporter's shift on that day, in
    order of start: `2026-W48-okafor-wed-1`.

    Raises
    ------
    ValueError
        `monday` is another day of the week, or two sessions of one reporter overlap.
    """
    if monday.weekday() != 0:
        raise ValueError(f"{monday.isoformat()} is not a Monday")
    iso = monday.isocalendar()
    sessions = []
    for (reporter, day), of_the_day in _by_reporter_and_day(shifts).items():
        for number, shift in enumerate(of_the_day, start=1):
            starts, ends = _hours(shift, monday + timedelta(days=DAYS.index(day)))
            if starts < ends:
                identifier = f"{iso.year}-W{iso.week:02d}-{reporter}-{day}-{number}"
                sessions.append(_session(identifier, shift, starts, ends))
    sessions.sort(key=lambda session: (session.starts, session.reporter))
    _refuse_overlaps(sessions)
    return tuple(sessions)


#: Days of the week as documents name them, Monday first.
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Shift(Row):
    """A session that recurs on some days of every week.

    `starts` and `ends` are Europe/London wall-clock times; the shift ends on the next day where
    `ends` is not later than `starts`. An insourced shift becomes sessions outside the job plan:
    whoever enters one attests that for each of its days.
    """

    reporter: Code
    engagement: Code
    kind: Literal["job_planned", "insourced", "on_call", "duty"]
    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    starts: time
    ends: time
    location: Literal["site", "home"] = "site"
    trusts: tuple[OdsCode, ...] | None = None
    modalities: tuple[Modality, ...] | None = None


class Rota(Row):
    """A document of shifts."""

    shift: tuple[Shift, ...] = ()


def _by_reporter_and_day(shifts: Iterable[Shift]) -> dict[tuple[str, Day], list[Shift]]:
    grouped: dict[tuple[str, Day], list[Shift]] = defaultdict(list)
    for shift in sorted(shifts, key=lambda shift: (shift.reporter, shift.starts)):
        for day in dict.fromkeys(shift.days):
            grouped[(shift.reporter, day)].append(shift)
    return grouped


def _hours(shift: Shift, day: date) -> tuple[datetime, datetime]:
    last_day = day + timedelta(days=shift.ends <= shift.starts)
    starts, ends = datetime.combine(day, shift.starts), datetime.combine(last_day, shift.ends)
    return earliest_instant(starts), earliest_instant(ends)


def _session(identifier: str, shift: Shift, starts: datetime, ends: datetime) -> Session:
    return Session(
        id=identifier,
        reporter=shift.reporter,
        engagement=shift.engagement,
        kind=shift.kind,
        starts=starts.astimezone(LONDON),
        ends=ends.astimezone(LONDON),
        location=shift.location,
        trusts=shift.trusts,
        modalities=shift.modalities,
        outside_job_plan=shift.kind == "insourced",
    )


def _refuse_overlaps(in_order: Iterable[Session]) -> None:
    of_reporter: dict[str, list[Session]] = defaultdict(list)
    for session in in_order:
        of_reporter[session.reporter].append(session)
    for sessions in of_reporter.values():
        for one, following in pairwise(sessions):
            if following.starts < one.ends:
                raise ValueError(f"sessions {one.id} and {following.id} overlap")
