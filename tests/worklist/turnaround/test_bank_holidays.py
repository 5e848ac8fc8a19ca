"""England's bank holidays: those in law, substitutes and proclamations included."""

from __future__ import annotations

from datetime import date

from worklist.turnaround.bank_holidays import england_bank_holidays


def test_the_days_of_2026_are_those_the_government_lists() -> None:
    assert england_bank_holidays([2026]) == {
        date(2026, 1, 1),
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 5, 4),
        date(2026, 5, 25),
        date(2026, 8, 31),
        date(2026, 12, 25),
        date(2026, 12, 28),
    }


def test_a_christmas_at_the_weekend_gives_its_substitutes_and_not_itself() -> None:
    december = {day for day in england_bank_holidays([2021]) if day.month == 12}
    assert december == {date(2021, 12, 27), date(2021, 12, 28)}


def test_proclaimed_days_count() -> None:
    assert {date(2022, 6, 3), date(2022, 9, 19), date(2023, 5, 8)} <= england_bank_holidays([2022, 2023])


def test_scotland_s_second_of_january_does_not_count() -> None:
    assert date(2026, 1, 2) not in england_bank_holidays([2026])


def test_no_years_have_no_bank_holidays() -> None:
    assert england_bank_holidays([]) == frozenset()
