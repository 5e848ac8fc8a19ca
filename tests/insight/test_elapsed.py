"""The backstop, ages and days as PostgreSQL works them out, held against the rules in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, column, literal, select, values

from insight.elapsed import age_counts, ages_of, backstop_at, london_date, minutes_between
from worklist.db.tables.columns import Instant
from worklist.local_time import LONDON
from worklist.turnaround.span import ends_at
from worklist.turnaround.targets import BACKSTOP

SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)


def around_clock_changes() -> list[datetime]:
    """Every quarter of an hour within four hours of the changes and of 28 days before them, and others."""
    quarters = [timedelta(minutes=15 * number) for number in range(-16, 17)]
    changes = [change - timedelta(days=days) for change in (SPRING, AUTUMN) for days in (0, 28)]
    random = Random(28)
    others = [SPRING + timedelta(seconds=random.randrange(400 * 86400)) for _ in range(200)]
    return [change + quarter for change in changes for quarter in quarters] + others


def in_sql(connection: Connection, instants: list[datetime], what: object) -> list[tuple[datetime, object]]:
    given = values(column("at", Instant), name="given").data([(instant,) for instant in instants])
    rows = connection.execute(select(given.c.at, what(given.c.at)))  # type: ignore[operator]
    return [(row[0], row[1]) for row in rows]


def test_the_backstop_is_the_one_that_due_times_have_also_across_clock_changes(nothing: Connection) -> None:
    found = in_sql(nothing, around_clock_changes(), backstop_at)
    assert [(start, ends_at(BACKSTOP, start, ())) for start, _ in found] == found


def test_a_day_is_london_s_also_in_summer_and_across_clock_changes(nothing: Connection) -> None:
    found = in_sql(nothing, around_clock_changes(), london_date)
    assert [(at, at.astimezone(LONDON).date()) for at, _ in found] == found
    assert any(at.date() != day for at, day in found)


def test_minutes_are_elapsed_time_in_the_hour_that_autumn_repeats(nothing: Connection) -> None:
    first, second = AUTUMN - timedelta(minutes=30), AUTUMN + timedelta(minutes=30, seconds=15)
    minutes = nothing.scalar(select(minutes_between(literal(first, Instant), literal(second, Instant))))
    assert minutes == 60.25


@pytest.mark.parametrize(
    ("waited", "band"),
    [
        (timedelta(minutes=-3), "under_4_hours"),
        (timedelta(hours=4, microseconds=-1), "under_4_hours"),
        (timedelta(hours=4), "from_4_to_24_hours"),
        (timedelta(hours=24, microseconds=-1), "from_4_to_24_hours"),
        (timedelta(hours=24), "from_1_to_7_days"),
        (timedelta(days=7, microseconds=-1), "from_1_to_7_days"),
        (timedelta(days=7), "from_7_to_28_days"),
        (timedelta(days=28), "from_7_to_28_days"),
        (timedelta(days=28, microseconds=1), "over_28_days"),
        (timedelta(days=900), "over_28_days"),
    ],
)
def test_an_age_is_in_one_band_which_begins_with_its_lower_bound(
    nothing: Connection, waited: timedelta, band: str
) -> None:
    at = datetime(2026, 6, 10, 10, tzinfo=UTC)
    given = values(column("start", Instant), name="given").data([(at - waited,)])
    ages = ages_of(nothing.execute(select(*age_counts(given.c.start, backstop_at(given.c.start), at))).one())
    assert getattr(ages, band) == 1
    assert ages.items == 1


@pytest.mark.parametrize(("change", "hours"), [(SPRING, -1), (AUTUMN, 1)])
def test_the_last_band_is_28_calendar_days_across_a_clock_change(
    nothing: Connection, change: datetime, hours: int
) -> None:
    start = change - timedelta(days=3)
    end = start + timedelta(days=28, hours=hours)
    given = values(column("start", Instant), name="given").data([(start,)])
    at_end, after = (
        ages_of(nothing.execute(select(*age_counts(given.c.start, backstop_at(given.c.start), at))).one())
        for at in (end, end + timedelta(seconds=1))
    )
    assert (at_end.over_28_days, after.over_28_days) == (0, 1)
