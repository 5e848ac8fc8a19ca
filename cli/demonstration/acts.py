"""Chooses the day and hours that the demonstration plays on: sessions of every kind must be running.

Pure: no I/O, no clock, no settings. It must not move any clock, nor know how the day is worked.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from allocation.configuration.document import Session
from allocation.configuration.rota import Shift, week_of_sessions
from cli.demonstration.faults import DemonstrationFailed
from worklist.local_time import LONDON, earliest_instant

#: When the two acts begin, by the Europe/London wall clock: in working hours, and in the paid evening.
MORNING, EVENING = time(10, 30), time(19, 15)
_DAYS_AHEAD = 21


@dataclass(frozen=True, slots=True)
class DemonstrationDay:
    """The aware instants at which the two acts begin, with London's offset."""

    morning_at: datetime
    evening_at: datetime

    @property
    def mondays(self) -> tuple[date, ...]:
        """The Mondays of the week of the day and of its neighbours."""
        monday = _monday_of(self.morning_at.date())
        return tuple(monday + timedelta(weeks=weeks) for weeks in (-1, 0, 1))


class NoSuitableDay(DemonstrationFailed):
    """No day of the coming weeks has every kind of session that the demonstration shows."""


def demonstration_day(shifts: Sequence[Shift], after: datetime, bank_holidays: Container[date]) -> DemonstrationDay:
    """Give the day of the next seven suitable calendar days on which most insourced sessions run.

    A day suits when it begins after `after` (aware), is no bank holiday, has a duty radiologist,
    job-planned and insourced sessions in the morning act, and a duty radiologist and insourced
    sessions in the evening act. Of equal days the first is taken.

    Raises
    ------
    NoSuitableDay
        If none of the next three weeks suits; the rota lacks a kind of session then.
    """
    today = after.astimezone(LONDON).date()
    for first in range(0, _DAYS_AHEAD, 7):
        days = [_day(today + timedelta(days=first + number)) for number in range(7)]
        suitable = []
        for day in days:
            morning, evening = (_kinds_at(shifts, at) for at in (day.morning_at, day.evening_at))
            wanted = {"duty", "job_planned", "insourced"} <= set(morning) and {"duty", "insourced"} <= set(evening)
            if wanted and day.morning_at > after and day.morning_at.date() not in bank_holidays:
                suitable.append((-(morning + evening).count("insourced"), day.morning_at, day))
        if suitable:
            return min(suitable, key=lambda each: each[:2])[2]
    raise NoSuitableDay("the rota has no day with duty, job-planned and insourced sessions in the morning and evening")


def _day(day: date) -> DemonstrationDay:
    begins = [earliest_instant(datetime.combine(day, at)).astimezone(LONDON) for at in (MORNING, EVENING)]
    return DemonstrationDay(*begins)


def _kinds_at(shifts: Sequence[Shift], at: datetime) -> list[str]:
    """Give the kind of each session that runs at an instant; one of the night may have begun a week ago."""
    monday = _monday_of(at.astimezone(LONDON).date())
    return [one.kind for one in _sessions(shifts, (monday - timedelta(weeks=1), monday)) if one.starts <= at < one.ends]


def _sessions(shifts: Sequence[Shift], mondays: Iterable[date]) -> Iterable[Session]:
    return (session for monday in mondays for session in week_of_sessions(shifts, monday))


def _monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())
