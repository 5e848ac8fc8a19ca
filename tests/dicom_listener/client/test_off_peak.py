"""A sweep is due once in each window of London time, across midnight and both clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_listener.client.off_peak import MOST_DAYS, days_to_sweep, sweep_is_due, window_began

NIGHT = (time(22), time(5))
SMALL_HOURS = (time(1), time(4))


def utc(day: int, hour: int, minute: int = 0, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "began"),
    [
        (utc(10, 20, 59), None),
        (utc(10, 21), utc(10, 21)),
        (utc(11, 3, 59), utc(10, 21)),
        (utc(11, 4), None),
        (utc(10, 22, month=1), utc(10, 22, month=1)),
    ],
    ids=["before", "as it opens", "after midnight", "as it closes", "in winter"],
)
def test_a_window_over_midnight_is_open_from_one_day_to_the_next(now: datetime, began: datetime | None) -> None:
    assert window_began(now, NIGHT) == began


@pytest.mark.parametrize(
    ("swept_at", "due"), [(None, True), (utc(10, 3), True), (utc(10, 21), False), (utc(10, 23), False)]
)
def test_a_sweep_is_due_once_in_a_window(swept_at: datetime | None, due: bool) -> None:
    assert sweep_is_due(utc(11, 2), NIGHT, swept_at) is due


def test_outside_the_window_none_is_due_however_long_ago_the_last_was() -> None:
    assert not sweep_is_due(utc(10, 12), NIGHT, None)


def test_in_the_hour_that_spring_skips_the_window_opens_with_the_change() -> None:
    assert window_began(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), SMALL_HOURS) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_in_the_hour_that_autumn_repeats_the_window_opens_once() -> None:
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)
    for minutes in (0, 59, 60, 119):
        assert window_began(first + timedelta(minutes=minutes), SMALL_HOURS) == first


@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.times(),
    st.times(),
)
def test_what_was_swept_when_due_is_not_due_again_at_once(now: datetime, start: time, end: time) -> None:
    window = (start, end)
    if sweep_is_due(now, window, None):
        assert not sweep_is_due(now, window, now)
        assert not sweep_is_due(now + timedelta(seconds=1), window, now) or window_began(
            now + timedelta(seconds=1), window
        ) != window_began(now, window)


@pytest.mark.parametrize(
    ("swept_at", "first"),
    [
        (None, date(2026, 6, 9)),
        (utc(10, 1), date(2026, 6, 9)),
        (utc(8, 1), date(2026, 6, 7)),
        (utc(1, 1, month=1), date(2026, 6, 10) - timedelta(days=MOST_DAYS)),
        (utc(20, 1), date(2026, 6, 9)),
    ],
    ids=["never", "today", "two days ago", "long ago", "in the future"],
)
def test_days_from_the_one_before_the_last_sweep_are_asked_about(swept_at: datetime | None, first: date) -> None:
    assert days_to_sweep(utc(10, 2), swept_at) == (first, date(2026, 6, 10))
