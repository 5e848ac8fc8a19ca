"""When silence of a feed is unusual: by the same hours of days like these, in London, bank holidays like Sundays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from worklist.feeds.silence import expected, is_unusually_quiet
from worklist.local_time import LONDON

#: Wednesday, eleven in the morning in London.
NOW = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
MAY_DAY = date(2026, 5, 25)
WEEK = timedelta(days=7)


def hours(until: datetime, days: int = 28) -> Iterator[datetime]:
    hour = (until - timedelta(days=days)).replace(minute=0)
    while hour < until:
        yield hour
        hour += timedelta(hours=1)


def office(until: datetime = NOW, a_hour: int = 12, days: int = 28) -> dict[datetime, int]:
    """A feed that sends on working days from eight to six in London, and is silent otherwise."""
    heard = {}
    for hour in hours(until, days):
        local = hour.astimezone(LONDON)
        working = local.weekday() < 5 and local.date() != MAY_DAY and 8 <= local.hour < 18
        heard[hour] = a_hour if working else 0
    return heard


def quiet(heard: dict[datetime, int], since: datetime, now: datetime = NOW) -> bool:
    return is_unusually_quiet(heard, since, now, {MAY_DAY})


@pytest.mark.parametrize(("minutes", "told"), [(10, False), (30, False), (36, True), (120, True)])
def test_a_busy_feed_is_missed_soon_in_the_hours_in_which_it_sends(minutes: int, told: bool) -> None:
    assert quiet(office(), NOW - timedelta(minutes=minutes)) is told


@pytest.mark.parametrize(("a_hour", "told"), [(12, True), (3, False)])
def test_how_soon_depends_on_how_much_it_sends(a_hour: int, told: bool) -> None:
    assert quiet(office(a_hour=a_hour), NOW - timedelta(hours=2)) is told


def test_a_night_or_a_weekend_of_a_feed_that_sends_by_day_is_as_usual() -> None:
    monday = datetime(2026, 6, 8, 7, 10, tzinfo=UTC)  # ten past eight
    assert not quiet(office(monday), datetime(2026, 6, 5, 17, 0, tzinfo=UTC), monday)
    assert quiet(office(monday), datetime(2026, 6, 5, 17, 0, tzinfo=UTC), monday + timedelta(minutes=40))


def test_a_bank_holiday_is_like_a_sunday_and_is_nothing_to_compare_a_monday_with() -> None:
    holiday = datetime(2026, 5, 25, 14, 0, tzinfo=UTC)
    assert not quiet(office(holiday), holiday - timedelta(days=2), holiday)
    monday = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
    assert expected(office(monday), monday - timedelta(hours=1), monday, {MAY_DAY}) == pytest.approx(12)


def test_hours_are_compared_by_the_clock_in_london_across_a_change_of_the_clocks() -> None:
    now = datetime(2026, 3, 30, 7, 30, tzinfo=UTC)  # half past eight, on the Monday after the change
    assert expected(office(now), now - timedelta(minutes=30), now, set()) == pytest.approx(6)


def test_a_feed_that_has_not_been_known_for_a_week_is_not_judged() -> None:
    assert not quiet(office(days=6), NOW - timedelta(hours=9))
    assert not quiet({}, NOW - timedelta(days=30))
    assert quiet(office(days=8), NOW - timedelta(hours=9))


def test_days_before_it_was_known_count_for_nothing() -> None:
    heard = office(days=8)
    assert expected(heard, NOW - timedelta(minutes=30), NOW, set()) == pytest.approx(6)
