"""Local times: exact where an offset was sent, strict where London's clock leaves a doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.local_time import LONDON, LocalTime, earliest_instant, resolve

AUTUMN = date(2026, 10, 25)  # 02:00 BST becomes 01:00 GMT at 01:00 UTC
SPRING = date(2026, 3, 29)  # 01:00 GMT becomes 02:00 BST at 01:00 UTC


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def read(
    day: date,
    clock: time,
    utc_offset: timedelta | None = None,
    received_at: datetime | None = None,
    not_before: datetime | None = None,
) -> LocalTime:
    return resolve(
        day,
        clock,
        as_sent="as sent",
        source="AcquisitionDateTime",
        utc_offset=utc_offset,
        received_at=received_at,
        not_before=not_before,
    )


def test_a_time_keeps_what_was_sent_and_where_from() -> None:
    found = read(date(2026, 7, 1), time(12))
    assert (found.as_sent, found.source, found.zone) == ("as sent", "AcquisitionDateTime", "Europe/London")


@pytest.mark.parametrize(
    ("day", "at"),
    [(date(2026, 7, 1), utc(date(2026, 7, 1), 11)), (date(2026, 1, 7), utc(date(2026, 1, 7), 12))],
)
def test_a_time_without_offset_is_london_s_in_summer_and_in_winter(day: date, at: datetime) -> None:
    assert read(day, time(12)).at == at


def test_an_offset_that_was_sent_is_exact() -> None:
    found = read(date(2026, 7, 1), time(12), timedelta(hours=-5, minutes=-30))
    assert (found.at, found.zone) == (utc(date(2026, 7, 1), 17, 30), "-0530")


def test_a_repeated_hour_is_the_first_pass_when_nothing_else_is_known() -> None:
    found = read(AUTUMN, time(1, 30))
    assert (found.at, found.fold) == (utc(AUTUMN, 0, 30), 0)


def test_receipt_between_the_passes_proves_the_first_whatever_else_is_claimed() -> None:
    found = read(AUTUMN, time(1, 30), received_at=utc(AUTUMN, 0, 45), not_before=utc(AUTUMN, 0, 59))
    assert (found.at, found.fold) == (utc(AUTUMN, 0, 30), 0)


def test_receipt_long_after_both_passes_proves_nothing_so_the_stricter_first_is_taken() -> None:
    found = read(AUTUMN, time(1, 30), received_at=utc(AUTUMN, 18))
    assert (found.at, found.fold) == (utc(AUTUMN, 0, 30), 0)


def test_an_examination_that_began_after_the_first_pass_ended_in_the_second() -> None:
    found = read(AUTUMN, time(1, 10), received_at=utc(AUTUMN, 1, 20), not_before=utc(AUTUMN, 0, 50))
    assert (found.at, found.fold) == (utc(AUTUMN, 1, 10), 1)


def test_a_source_a_minute_ahead_of_receipt_can_still_be_in_the_second_pass() -> None:
    found = read(AUTUMN, time(1, 20), received_at=utc(AUTUMN, 1, 19), not_before=utc(AUTUMN, 0, 50))
    assert (found.at, found.fold) == (utc(AUTUMN, 1, 20), 1)


def test_a_start_a_few_seconds_after_a_rounded_end_does_not_prove_the_second_pass() -> None:
    found = read(AUTUMN, time(1, 50), not_before=utc(AUTUMN, 0, 50) + timedelta(seconds=40))
    assert found.at == utc(AUTUMN, 0, 50)


@pytest.mark.parametrize(("offset_hours", "hour", "fold"), [(1, 0, 0), (0, 1, 1)])
def test_the_offset_says_which_pass_of_the_repeated_hour_it_is(offset_hours: int, hour: int, fold: int) -> None:
    found = read(AUTUMN, time(1, 30), timedelta(hours=offset_hours))
    assert (found.at, found.fold) == (utc(AUTUMN, hour, 30), fold)


def test_a_time_of_another_zone_has_no_fold_though_london_repeats_the_hour_then() -> None:
    assert read(AUTUMN, time(3, 30), timedelta(hours=2)).fold == 0


def test_a_skipped_time_is_read_with_the_offset_before_the_change() -> None:
    found = read(SPRING, time(1, 30))
    assert (found.at, found.fold) == (utc(SPRING, 1, 30), 0)


def test_a_skipped_time_received_before_that_is_read_with_the_offset_after_the_change() -> None:
    assert read(SPRING, time(1, 30), received_at=utc(SPRING, 0, 40)).at == utc(SPRING, 0, 30)


def test_the_fold_of_the_time_given_is_not_believed() -> None:
    assert read(AUTUMN, time(1, 30, fold=1)).at == utc(AUTUMN, 0, 30)


@pytest.mark.parametrize(
    ("day", "clock", "offset"),
    [
        (date(1, 1, 1), time(0, 30), timedelta(hours=14)),
        (date(9999, 12, 31), time(23), timedelta(hours=-2)),
        (date(1, 1, 1), time(0, 0, 30), timedelta(0)),
        (date(2026, 1, 1), time(12), timedelta(hours=25)),
    ],
)
def test_an_impossible_instant_is_a_value_error(day: date, clock: time, offset: timedelta) -> None:
    with pytest.raises(ValueError, match=r"calendar|offset"):
        read(day, clock, offset)


@given(
    st.datetimes(datetime.fromisoformat("1996-01-01"), datetime.fromisoformat("2036-01-01")),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_offset_gives_the_instant_that_arithmetic_gives(wall: datetime, minutes: int) -> None:
    found = read(wall.date(), wall.time(), timedelta(minutes=minutes))
    assert found.at == wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert found.at.tzinfo is UTC


@given(st.datetimes(datetime.fromisoformat("1996-01-01"), datetime.fromisoformat("2036-01-01"), timezones=st.just(UTC)))
def test_london_s_own_reading_comes_back_as_the_same_instant_or_the_first_pass(at: datetime) -> None:
    local = at.astimezone(LONDON)
    found = read(local.date(), local.time().replace(fold=0))
    assert found.at == (at - timedelta(hours=1) if local.fold else at)


@given(st.datetimes(datetime.fromisoformat("1996-01-01"), datetime.fromisoformat("2036-01-01")))
def test_the_earliest_instant_is_the_first_at_which_the_clocks_have_reached_the_time(wall: datetime) -> None:
    at = earliest_instant(wall)
    assert at.astimezone(LONDON).replace(tzinfo=None) >= wall
    just_before = (at - timedelta(microseconds=1)).astimezone(LONDON).replace(tzinfo=None)
    assert just_before < wall


@pytest.mark.parametrize(
    ("wall", "at"),
    [
        (datetime.combine(AUTUMN, time(1, 30)), utc(AUTUMN, 0, 30)),
        (datetime.combine(AUTUMN, time(1, 30, fold=1)), utc(AUTUMN, 0, 30)),
        (datetime.combine(SPRING, time(1, 30)), utc(SPRING, 1)),
        (datetime.combine(SPRING, time(1)), utc(SPRING, 1)),
        (datetime.combine(SPRING, time(2)), utc(SPRING, 1)),
    ],
)
def test_a_deadline_at_a_clock_change_falls_on_the_first_pass_or_on_the_change(wall: datetime, at: datetime) -> None:
    assert earliest_instant(wall) == at
