"""Turnaround worked out again, slowly and plainly, to be compared with `worklist.turnaround.targets`.

Nothing of it is shared with the code that it is compared with but the words for settings and urgencies: it has
its own clock changes, its own bank holidays, and goes from day to day and from minute to minute. Rules are
compared by the pieces of work that they are about, each written out, instead of by their conditions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache

from worklist.turnaround.targets import Setting, Urgency

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TRUSTS = ("RXA", "RXB", "RXC")
MODALITIES = ("XR", "CT", "MR", "another")
EXAMS = ("XCHES", "CHEAD", "MHEAD", "XHANL", "another")

#: Bank holidays by proclamation, and those that one moved away.
_PROCLAIMED = {date(2020, 5, 8), date(2022, 6, 2), date(2022, 6, 3), date(2022, 9, 19), date(2023, 5, 8)}
_MOVED_AWAY = {date(2020, 5, 4), date(2022, 5, 30)}


@dataclass(frozen=True)
class SlowRule:
    """A target with its hard limit: amounts and units; None as condition is any."""

    name: str
    target: tuple[int, str]
    hard_limit: tuple[int, str] | None = None
    trust: str | None = None
    setting: str | None = None
    urgency: str | None = None
    modalities: tuple[str, ...] | None = None
    exams: tuple[str, ...] | None = None
    first_day: date = date(2015, 1, 1)
    last_day: date = date(2099, 12, 31)


def slow_due(
    rules: Sequence[SlowRule],
    trust: str,
    setting: str | None,
    urgency: str | None,
    modality: str | None,
    exams: tuple[str | None, ...],
    start: datetime,
) -> tuple[datetime, datetime]:
    """Give the due time and the hard limit (UTC) of work whose clock started at an instant (UTC, whole minutes)."""
    today = london_wall(start).date()
    counting = tuple(rule for rule in rules if rule.first_day <= today <= rule.last_day)
    targets, limits = _binding(counting, trust, setting, urgency, modality, exams)
    hard = min(slow_end(amount, unit, start) for amount, unit in {*limits, (28, "calendar_days")})
    return min([hard, *(slow_end(amount, unit, start) for amount, unit in targets)]), hard


def slow_end(amount: int, unit: str, start: datetime) -> datetime:
    """Give when a length of time is over, by letting it pass."""
    if unit in ("minutes", "hours"):
        return _elapsed(start, amount * (60 if unit == "hours" else 1))
    wall = london_wall(start)
    day, clock = wall.date(), (wall.hour, wall.minute)
    if unit == "calendar_days":
        for _ in range(amount):
            day += DAY
        return _first_showing(day, clock)
    if not is_working_day(day):
        clock = (0, 0)
        while not is_working_day(day):
            day += DAY
    while amount:
        day += DAY
        amount -= is_working_day(day)
    return _first_showing(day, clock)


@lru_cache(maxsize=100_000)
def _elapsed(start: datetime, minutes: int) -> datetime:
    at = start
    for _ in range(minutes):
        at += MINUTE
    return at


@lru_cache(maxsize=100_000)
def _first_showing(day: date, clock: tuple[int, int]) -> datetime:
    """Wait in front of London's clocks, from the day's beginning, until they show a time or one that is later."""
    wanted = datetime.combine(day, time(*clock))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - 2 * HOUR
    while london_wall(at + 2 * HOUR) < wanted:  # nothing is missed: clocks go back by an hour at most
        at += HOUR
    while london_wall(at) < wanted:
        at += MINUTE
    return at


def london_wall(at: datetime) -> datetime:
    """Give what London's clocks show (without a zone) at an instant (UTC)."""
    spring, autumn = clock_changes(at.year)
    return (at + (HOUR if spring <= at < autumn else timedelta(0))).replace(tzinfo=None)


@lru_cache
def clock_changes(year: int) -> tuple[datetime, datetime]:
    """Give when summer time begins and ends: at 01:00 UTC of the last Sundays of March and October."""
    found = []
    for month in (3, 10):
        day = date(year, month, 31)
        while day.isoweekday() != 7:
            day -= DAY
        found.append(datetime(day.year, day.month, day.day, 1, tzinfo=UTC))
    return found[0], found[1]


@cache
def is_working_day(day: date) -> bool:
    return day.isoweekday() <= 5 and day not in bank_holidays(day.year)


@lru_cache
def bank_holidays(year: int) -> frozenset[date]:
    """Give England's bank holidays of a year: the regular ones, their substitutes, and those of proclamations."""
    easter = _easter(year)
    found = {easter - 2 * DAY, easter + DAY}
    found.add(_monday(date(year, 5, 1), +1))
    found.add(_monday(date(year, 5, 31), -1))
    found.add(_monday(date(year, 8, 31), -1))
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        day = fixed
        while day.isoweekday() > 5 or day in found:
            day += DAY
        found.add(day)
    # Boxing Day keeps its own date where Christmas Day is a Sunday: the substitute is that of Christmas Day.
    if date(year, 12, 25).isoweekday() == 7:
        found |= {date(year, 12, 26), date(year, 12, 27)}
    return frozenset((found - _MOVED_AWAY) | {day for day in _PROCLAIMED if day.year == year})


def _monday(day: date, step: int) -> date:
    while day.isoweekday() != 1:
        day += step * DAY
    return day


def _easter(year: int) -> date:
    """Find Easter Sunday: the Sunday after the full moon of the church's calendar (the tables, not a formula)."""
    golden = year % 19 + 1
    full_moons = [
        "4-14",
        "4-3",
        "3-23",
        "4-11",
        "3-31",
        "4-18",
        "4-8",
        "3-28",
        "4-16",
        "4-5",
        "3-25",
        "4-13",
        "4-2",
        "3-22",
        "4-10",
        "3-30",
        "4-17",
        "4-7",
        "3-27",
    ]
    month, of_month = full_moons[golden - 1].split("-")
    day = date(year, int(month), int(of_month)) + DAY
    while day.isoweekday() != 7:
        day += DAY
    return day


_Work = tuple[str, str, str, str, str]
_EVERY_WORK: tuple[_Work, ...] = tuple(
    itertools.product(TRUSTS, [str(one) for one in Setting], [str(one) for one in Urgency], MODALITIES, EXAMS)
)


@cache
def _about(rule: SlowRule) -> frozenset[_Work]:
    """Give every piece of work that a rule is about."""
    return frozenset(
        work
        for work in _EVERY_WORK
        if (rule.trust is None or work[0] == rule.trust)
        and (rule.setting is None or work[1] == rule.setting)
        and (rule.urgency is None or work[2] == rule.urgency)
        and (rule.modalities is None or work[3] in rule.modalities)
        and (rule.exams is None or work[4] in rule.exams)
    )


@cache
def _binding(
    counting: tuple[SlowRule, ...],
    trust: str,
    setting: str | None,
    urgency: str | None,
    modality: str | None,
    exams: tuple[str | None, ...],
) -> tuple[frozenset[tuple[int, str]], frozenset[tuple[int, str]]]:
    """Give the targets and the hard limits that bind in any of the ways that the work could be."""
    targets, limits = set(), set()
    for work in _EVERY_WORK:
        if (
            work[0] == trust
            and setting in (None, work[1])
            and urgency in (None, work[2])
            and modality in (None, work[3])
            and (work[4] in exams or None in exams or not exams)
        ):
            matching = [rule for rule in counting if work in _about(rule)]
            for rule in matching:
                if not any(_about(other) < _about(rule) for other in matching):
                    targets.add(rule.target)
                stating = [other for other in matching if other.hard_limit is not None]
                if rule.hard_limit and not any(_about(other) < _about(rule) for other in stating):
                    limits.add(rule.hard_limit)
    return frozenset(targets), frozenset(limits)
