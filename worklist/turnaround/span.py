"""Lengths of time as targets state them, and when they end; right across both clock changes.

Pure: no I/O, no clock, no settings. It must not know what the time is allowed for.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast

from worklist.local_time import LONDON, earliest_instant

SpanClock = Literal["minutes", "hours", "calendar_days", "working_days"]


def ends_at(span: Span, start_at: datetime, bank_holidays: Container[date]) -> datetime:
    """Give the instant (UTC) at which a span that began at an aware instant is over.

    Minutes and hours are elapsed time. Calendar days end at the same Europe/London wall-clock
    time that many days later. Working days are Monday to Friday without `bank_holidays` (local
    dates) and end at the same wall-clock time that many working days later; a start on any other
    day counts as 00:00 of the next working day, so that one working day from a Saturday is over
    when Monday is. Where the clock change repeats or skips that wall-clock time the span ends at
    the first instant at which the clocks have reached it.
    """
    if span.clock == "minutes":
        return start_at.astimezone(UTC) + timedelta(minutes=span.amount)
    if span.clock == "hours":
        return start_at.astimezone(UTC) + timedelta(hours=span.amount)
    wall = start_at.astimezone(LONDON).replace(tzinfo=None)
    if span.clock == "calendar_days":
        return earliest_instant(wall + timedelta(days=span.amount))
    day, clock = wall.date(), wall.time()
    if not _is_working_day(day, bank_holidays):
        day, clock = _next_working_day(day, bank_holidays), time(0)
    for _ in range(span.amount):
        day = _next_working_day(day, bank_holidays)
    return earliest_instant(datetime.combine(day, clock))


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time and the clock that measures it; at least one unit, at most a year.

    `str(span)` is `30 minutes` or `1 working day`; `Span.parse` is its inverse.
    """

    amount: int
    clock: SpanClock

    def __post_init__(self) -> None:
        longest = _LONGEST.get(self.clock)
        if longest is None:
            raise ValueError(f"{self.clock!r} is not a clock; use one of {', '.join(_LONGEST)}")
        if not 1 <= self.amount <= longest:
            raise ValueError(f"a span has 1 to {longest} {self.clock}, not {self.amount}")

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read `30 minutes`, `4 hours`, `14 calendar days` or `1 working day`.

        Raises
        ------
        ValueError
            The text has another form, or the amount is nothing or more than a year.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is not a span; write it like '4 hours' or '1 working day'")
        return cls(int(found["amount"]), cast("SpanClock", f"{found['unit'].replace(' ', '_')}s"))

    def __str__(self) -> str:
        unit = self.clock.replace("_", " ")
        return f"{self.amount} {unit.removesuffix('s') if self.amount == 1 else unit}"


_LONGEST: dict[str, int] = {
    "minutes": 366 * 24 * 60,
    "hours": 366 * 24,
    "calendar_days": 366,
    "working_days": 366,
}
_WRITTEN = re.compile(r"(?P<amount>[0-9]{1,6}) (?P<unit>minute|hour|calendar day|working day)s?")
_SATURDAY = 5


def _is_working_day(day: date, bank_holidays: Container[date]) -> bool:
    return day.weekday() < _SATURDAY and day not in bank_holidays


def _next_working_day(day: date, bank_holidays: Container[date]) -> date:
    day += timedelta(days=1)
    while not _is_working_day(day, bank_holidays):
        day += timedelta(days=1)
    return day
