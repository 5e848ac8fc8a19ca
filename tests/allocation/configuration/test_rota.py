"""A weekly pattern becomes the sessions of one week, right across both clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from allocation.configuration.rota import DAYS, Shift, week_of_sessions

MONDAY = date(2026, 11, 23)
AUTUMN = date(2026, 10, 19)  # the clocks go back on Sunday 25 October 2026
SPRING = date(2026, 3, 23)  # they go forward on Sunday 29 March 2026


def shift(
    reporter: str = "okafor",
    *,
    days: str = "wed",
    starts: str = "09:00",
    ends: str = "13:00",
    kind: str = "job_planned",
) -> Shift:
    return Shift.model_validate(
        {
            "reporter": reporter,
            "engagement": f"{reporter}-rz1",
            "kind": kind,
            "days": days.split(),
            "starts": starts,
            "ends": ends,
        }
    )


def test_a_session_is_named_by_week_reporter_day_and_number() -> None:
    sessions = week_of_sessions([shift(starts="14:00", ends="18:00"), shift()], MONDAY)
    assert [(one.id, one.starts.hour) for one in sessions] == [
        ("2026-W48-okafor-wed-1", 9),
        ("2026-W48-okafor-wed-2", 14),
    ]


def test_the_week_of_a_name_is_the_iso_week_also_at_the_turn_of_the_year() -> None:
    assert week_of_sessions([shift(days="fri")], date(2026, 12, 28))[0].id == "2026-W53-okafor-fri-1"


def test_a_shift_recurs_on_each_of_its_days_once() -> None:
    sessions = week_of_sessions([shift(days="mon wed wed sun")], MONDAY)
    assert [one.starts.date() for one in sessions] == [date(2026, 11, day) for day in (23, 25, 29)]


def test_what_the_shift_says_the_session_says() -> None:
    given_shift = shift().model_copy(update={"location": "home", "trusts": ("RZ1",), "modalities": ("CT", "MR")})
    session = week_of_sessions([given_shift], MONDAY)[0]
    assert (session.engagement, session.kind, session.location) == ("okafor-rz1", "job_planned", "home")
    assert (session.trusts, session.modalities) == (("RZ1",), ("CT", "MR"))


@pytest.mark.parametrize(("kind", "outside"), [("insourced", True), ("job_planned", False), ("duty", False)])
def test_only_insourced_sessions_are_outside_the_job_plan(kind: str, outside: bool) -> None:
    assert week_of_sessions([shift(kind=kind)], MONDAY)[0].outside_job_plan is outside


def test_a_shift_that_ends_no_later_than_it_starts_ends_the_next_day() -> None:
    session = week_of_sessions([shift(days="sun", starts="20:00", ends="08:00")], MONDAY)[0]
    assert session.ends == datetime(2026, 11, 30, 8, tzinfo=UTC)


def test_summer_sessions_stand_an_hour_earlier_in_utc() -> None:
    session = week_of_sessions([shift(days="mon")], date(2026, 7, 6))[0]
    assert session.starts == datetime(2026, 7, 6, 8, tzinfo=UTC)


def test_the_night_in_which_the_clocks_go_back_is_an_hour_longer() -> None:
    assert _length([shift(days="sat", starts="20:00", ends="08:00")], AUTUMN) == timedelta(hours=13)


def test_the_night_in_which_the_clocks_go_forward_is_an_hour_shorter() -> None:
    assert _length([shift(days="sat", starts="20:00", ends="08:00")], SPRING) == timedelta(hours=11)


def test_shifts_that_meet_in_the_repeated_hour_neither_overlap_nor_leave_a_gap() -> None:
    before = shift(days="sun", starts="00:00", ends="01:30")
    after = shift(days="sun", starts="01:30", ends="04:00")
    one, following = week_of_sessions([before, after], AUTUMN)
    assert one.ends.astimezone(UTC) == following.starts.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_shift_within_the_skipped_hour_is_left_out() -> None:
    assert week_of_sessions([shift(days="sun", starts="01:00", ends="02:00")], SPRING) == ()
    assert len(week_of_sessions([shift(days="sun", starts="01:00", ends="02:00")], MONDAY)) == 1


def test_a_week_begins_on_a_monday() -> None:
    with pytest.raises(ValueError, match="2026-11-24 is not a Monday"):
        week_of_sessions([shift()], date(2026, 11, 24))


def test_sessions_of_one_reporter_that_overlap_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="2026-W48-okafor-tue-1 and 2026-W48-okafor-wed-1 overlap"):
        week_of_sessions([shift(days="tue", starts="20:00", ends="09:30"), shift()], MONDAY)


def test_sessions_of_two_reporters_may_overlap() -> None:
    assert len(week_of_sessions([shift("okafor"), shift("rahman")], MONDAY)) == 2


def test_a_shift_without_a_day_is_refused() -> None:
    with pytest.raises(ValidationError, match="days"):
        shift(days="")


@given(
    monday=st.dates(date(2025, 1, 6), date(2030, 12, 30)).map(lambda day: day - timedelta(days=day.weekday())),
    hours=st.lists(
        st.times().map(lambda at: at.replace(second=0, microsecond=0)), min_size=2, max_size=5, unique=True
    ).map(sorted),
)
def test_shifts_that_follow_each_other_by_the_clock_never_overlap(monday: date, hours: list[time]) -> None:
    shifts = [shift(days=" ".join(DAYS), starts=f"{one:%H:%M}", ends=f"{two:%H:%M}") for one, two in pairwise(hours)]
    sessions = week_of_sessions(shifts, monday)
    assert len(sessions) >= 7 * len(shifts) - len(shifts)
    assert all(one.ends <= following.starts for one, following in pairwise(sessions))


def _length(shifts: list[Shift], monday: date) -> timedelta:
    session = week_of_sessions(shifts, monday)[0]
    return session.ends.astimezone(UTC) - session.starts.astimezone(UTC)
