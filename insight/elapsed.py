"""Time that has passed, as SQL: local days, the 28-day backstop, ages of waiting work; runs nothing.

It must not hold a target: the backstop is `worklist.turnaround.targets.BACKSTOP`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Double, Text, and_, bindparam, case, cast, func, literal_column
from sqlalchemy.dialects.postgresql import INTERVAL

from insight.grouping import AnyRow
from worklist.db.tables.columns import Instant
from worklist.turnaround.targets import BACKSTOP

_LONDON = literal_column("'Europe/London'", Text)
_HOUR = literal_column("interval '1 hour'", INTERVAL)
_BACKSTOP = literal_column(f"interval '{BACKSTOP.amount} days'", INTERVAL)


@dataclass(frozen=True, slots=True)
class WaitingByAge:
    """How many items have waited how long; a band begins with its lower bound.

    The first three bounds are elapsed time (4 hours, 24 hours, 7 times 24 hours). The last is the
    backstop: 28 calendar days by the Europe/London clock, as due times count them.
    """

    under_4_hours: int
    from_4_to_24_hours: int
    from_1_to_7_days: int
    from_7_to_28_days: int
    over_28_days: int

    @property
    def items(self) -> int:
        """How many there are of every age."""
        return (
            self.under_4_hours
            + self.from_4_to_24_hours
            + self.from_1_to_7_days
            + self.from_7_to_28_days
            + self.over_28_days
        )


def london_date(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the Europe/London date of an instant."""
    return cast(func.timezone(_LONDON, instant), Date)


def minutes_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the elapsed minutes, with their fraction, from one instant to another."""
    return cast(func.extract("epoch", end - start), Double) / 60


def backstop_at(start: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the instant at which 28 calendar days from `start` are over.

    The same as `worklist.turnaround.span.ends_at`: the first instant at which London's clocks have reached
    that time of day. PostgreSQL alone would take the second pass of the hour that autumn repeats,
    and read a time in the hour that spring skips as an hour later.
    """
    wall = func.timezone(_LONDON, start) + _BACKSTOP
    at = func.timezone(_LONDON, wall)
    return case(
        (func.timezone(_LONDON, at - _HOUR) == wall, at - _HOUR),
        (func.timezone(_LONDON, at) != wall, func.timezone(_LONDON, func.date_trunc("hour", wall))),
        else_=at,
    )


def age_counts(start: ColumnElement[Any], backstop: ColumnElement[Any], at: datetime) -> list[ColumnElement[Any]]:
    """Give the columns that count rows by age at an instant, for `ages_of` to read."""
    now = bindparam("at", at, Instant)
    edges = [now - timedelta(hours=4), now - timedelta(hours=24), now - timedelta(days=7)]
    over = backstop < now
    bands = {
        "under_4_hours": and_(~over, start > edges[0]),
        "from_4_to_24_hours": and_(~over, start <= edges[0], start > edges[1]),
        "from_1_to_7_days": and_(~over, start <= edges[1], start > edges[2]),
        "from_7_to_28_days": and_(~over, start <= edges[2]),
        "over_28_days": over,
    }
    return [func.count().filter(condition).label(band) for band, condition in bands.items()]


def ages_of(row: AnyRow) -> WaitingByAge:
    """Read the columns of `age_counts`."""
    return WaitingByAge(
        row.under_4_hours, row.from_4_to_24_hours, row.from_1_to_7_days, row.from_7_to_28_days, row.over_28_days
    )
