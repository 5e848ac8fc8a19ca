"""The demonstration's day has every kind of session running, in its morning and in its evening."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from allocation.configuration.rota import Shift, week_of_sessions
from cli.demonstration.acts import DemonstrationDay, NoSuitableDay, demonstration_day
from cli.demonstration.network import demonstration_rota
from worklist.local_time import LONDON

#: A Sunday; the clocks go back on 25 October 2026.
SUNDAY = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)


def _shift(reporter: str, kind: str, days: tuple[str, ...], starts: time, ends: time) -> Shift:
    return Shift.model_validate(
        {
            "reporter": reporter,
            "engagement": f"{reporter}-rz1",
            "kind": kind,
            "days": days,
            "starts": starts,
            "ends": ends,
        }
    )


def _rota(*insourced: tuple[str, ...]) -> tuple[Shift, ...]:
    """Give a rota with duty and job-planned work daily, and one insourced reporter per tuple of days."""
    every_day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return (
        _shift("duty", "duty", every_day, time(8), time(23)),
        _shift("planned", "job_planned", every_day, time(9), time(13)),
        *(
            _shift(f"paid{number}", "insourced", days, time(9), time(22))
            for number, days in enumerate(insourced, start=1)
        ),
    )


def _kinds(day: DemonstrationDay, at: datetime) -> set[str]:
    sessions = [one for monday in day.mondays for one in week_of_sessions(demonstration_rota(), monday)]
    return {one.kind for one in sessions if one.starts <= at < one.ends}


@pytest.mark.parametrize("days_later", range(7))
def test_on_whatever_day_one_asks_the_demonstration_networks_sessions_run_in_both_acts(days_later: int) -> None:
    after = SUNDAY + timedelta(days=days_later)
    day = demonstration_day(demonstration_rota(), after, frozenset())
    assert day.morning_at > after
    assert {"duty", "job_planned", "insourced"} <= _kinds(day, day.morning_at)
    assert {"duty", "insourced"} <= _kinds(day, day.evening_at)


def test_the_day_with_most_insourced_sessions_is_taken() -> None:
    day = demonstration_day(_rota(("mon", "thu"), ("thu",)), SUNDAY, frozenset())
    assert day.morning_at.date() == date(2026, 11, 26)


def test_of_equal_days_the_first_is_taken() -> None:
    day = demonstration_day(_rota(("tue", "thu")), SUNDAY, frozenset())
    assert day.morning_at.date() == date(2026, 11, 24)


def test_a_day_whose_morning_has_begun_is_not_taken() -> None:
    begun = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    day = demonstration_day(_rota(("tue", "thu")), begun, frozenset())
    assert day.morning_at.date() == date(2026, 11, 26)


def test_a_bank_holiday_is_not_taken() -> None:
    day = demonstration_day(_rota(("tue",)), SUNDAY, frozenset({date(2026, 11, 24)}))
    assert day.morning_at.date() == date(2026, 12, 1)


def test_the_acts_begin_by_the_london_wall_clock_in_summer_and_in_winter() -> None:
    winter = demonstration_day(demonstration_rota(), SUNDAY, frozenset())
    summer = demonstration_day(demonstration_rota(), datetime(2026, 7, 5, tzinfo=UTC), frozenset())
    for day in (winter, summer):
        assert (day.morning_at.astimezone(LONDON).time(), day.evening_at.astimezone(LONDON).time()) == (
            time(10, 30),
            time(19, 15),
        )
    assert winter.morning_at.astimezone(UTC).time() == time(10, 30)
    assert summer.morning_at.astimezone(UTC).time() == time(9, 30)


def test_sessions_of_the_weeks_before_and_after_are_named() -> None:
    day = demonstration_day(demonstration_rota(), SUNDAY, frozenset())
    assert day.mondays == (date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 30))


def test_a_night_session_of_sunday_still_runs_on_monday() -> None:
    nights = (
        _shift("night", "duty", ("sun",), time(20), time(12)),
        _shift("evening", "duty", ("mon",), time(18), time(23)),
        *_rota(("mon",))[1:],
    )
    day = demonstration_day(nights, SUNDAY, frozenset())
    assert day.morning_at.date() == date(2026, 11, 23)


def test_a_rota_without_insourced_sessions_is_refused_by_name() -> None:
    with pytest.raises(NoSuitableDay, match="insourced"):
        demonstration_day(_rota(), SUNDAY, frozenset())
