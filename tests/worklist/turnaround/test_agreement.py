"""Ten thousand rows of study dates, settings and due times agree with a slow and plain way to work them out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

import pytest

from tests.worklist.turnaround.slow_turnaround import (
    EXAMS,
    MODALITIES,
    TRUSTS,
    SlowRule,
    bank_holidays,
    clock_changes,
    is_working_day,
    london_wall,
    slow_due,
)
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.span import Span, SpanClock
from worklist.turnaround.targets import Setting, TargetRule, TurnaroundFacts, Urgency, due

ROWS = 10_000
YEARS = range(2019, 2031)

#: A network's rules: wide ones, refinements of them, a trust's own, dated ones, rules of each clock.
RULES = (
    SlowRule("stroke", (30, "minutes"), (60, "minutes"), urgency="stroke"),
    SlowRule("trauma", (1, "hours"), (2, "hours"), urgency="major_trauma"),
    SlowRule("emergency", (4, "hours"), (12, "hours"), urgency="emergency"),
    SlowRule("ed-plain-film", (12, "hours"), setting="emergency", urgency="emergency", modalities=("XR",)),
    SlowRule("inpatient", (4, "hours"), (1, "working_days"), setting="inpatient"),
    SlowRule("inpatient-routine", (1, "working_days"), (2, "calendar_days"), setting="inpatient", urgency="routine"),
    SlowRule("critical", (1, "hours"), (1, "calendar_days"), setting="critical_care"),
    SlowRule("theatre-ct", (90, "minutes"), None, setting="theatre", modalities=("CT", "MR")),
    SlowRule("urgent", (2, "working_days"), (7, "calendar_days"), urgency="urgent"),
    SlowRule("cancer", (3, "calendar_days"), (5, "working_days"), urgency="suspected_cancer"),
    SlowRule("cancer-ct-b", (2, "working_days"), trust="RXB", urgency="suspected_cancer", modalities=("CT",)),
    SlowRule("routine", (14, "calendar_days"), (21, "calendar_days"), urgency="routine"),
    SlowRule("routine-gp", (10, "working_days"), setting="gp", urgency="routine"),
    SlowRule("routine-mr", (18, "working_days"), (40, "calendar_days"), urgency="routine", modalities=("MR",)),
    SlowRule("chest", (5, "working_days"), (14, "calendar_days"), exams=("XCHES",)),
    SlowRule("chest-and-hand", (6, "calendar_days"), exams=("XCHES", "XHANL"), urgency="routine"),
    SlowRule("head-a", (1, "working_days"), (36, "hours"), trust="RXA", exams=("CHEAD", "MHEAD")),
    SlowRule("all-of-c", (9, "calendar_days"), trust="RXC"),
    SlowRule("before-2022", (20, "working_days"), urgency="routine", setting="outpatient", last_day=date(2021, 12, 31)),
    SlowRule("from-2022", (7, "calendar_days"), urgency="routine", setting="outpatient", first_day=date(2022, 1, 1)),
)


class Row(NamedTuple):
    trust: str
    setting: str | None
    urgency: str | None
    modality: str | None
    exams: tuple[str | None, ...]
    start: datetime
    due_at: datetime
    hard_limit_at: datetime


def table() -> list[Row]:
    """Give the rows: a third of the starts lie anywhere, a third before clock changes, a third before holidays."""
    random = Random(20260610)
    rows = []
    for number in range(ROWS):
        start = (_anywhere, _around_a_clock_change, _around_a_bank_holiday)[number % 3](random)
        known = (
            random.choice(TRUSTS),
            random.choice([str(one) for one in Setting]) if random.random() < 0.85 else None,
            random.choice([str(one) for one in Urgency]) if random.random() < 0.85 else None,
            random.choice(MODALITIES) if random.random() < 0.9 else None,
            tuple(random.choice([*EXAMS, *EXAMS, None]) for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3)))),
        )
        rows.append(Row(*known, start, *slow_due(RULES, *known, start)))
    return rows


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return table()


def test_each_of_ten_thousand_due_times_and_hard_limits_is_that_of_the_slow_way(rows: list[Row]) -> None:
    rules = [_rule(one) for one in RULES]
    differing = []
    for row in rows:
        facts = TurnaroundFacts(
            row.trust,
            Setting(row.setting) if row.setting else None,
            Urgency(row.urgency) if row.urgency else None,
            row.modality,
            row.exams,
            row.start,
        )
        found = due(facts, rules, england_bank_holidays((row.start.year, row.start.year + 1)))
        if (found.due_at, found.hard_limit_at) != (row.due_at, row.hard_limit_at):
            differing.append((row, found))
    assert len(rows) == ROWS
    assert differing == []


def test_the_rows_have_clock_changes_and_bank_holidays_of_every_kind(rows: list[Row]) -> None:
    """What the table is there for is in it, many times."""
    seen = Counter[str]()
    for row in rows:
        spring, autumn = clock_changes(row.start.year)
        hour = timedelta(hours=1)
        seen["runs over the spring change"] += row.start < spring <= row.due_at
        seen["runs over the autumn change"] += row.start < autumn <= row.due_at
        seen["starts in the first pass of the repeated hour"] += autumn - hour <= row.start < autumn
        seen["starts in the second pass of the repeated hour"] += autumn <= row.start < autumn + hour
        seen["ends in the repeated hour"] += autumn - hour <= row.due_at < autumn + hour
        seen["ends when the clocks skip its time"] += spring in (row.due_at, row.hard_limit_at)
        first, last = london_wall(row.start).date(), london_wall(row.due_at).date()
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        seen["starts on a bank holiday"] += first in bank_holidays(first.year)
        seen["runs over a bank holiday"] += any(day in bank_holidays(day.year) for day in days[1:-1])
        seen["runs over Christmas"] += any((day.month, day.day) == (12, 25) for day in days)
        seen["starts at the weekend"] += first.isoweekday() > 5
        seen["ends on no working day"] += not is_working_day(last)
        seen["something is unknown"] += None in (row.setting, row.urgency, row.modality, *row.exams)
    assert min(seen.values()) >= 20, seen
    assert len({row.due_at - row.start for row in rows}) > 200


def test_the_two_ways_to_know_bank_holidays_agree(rows: list[Row]) -> None:
    for year in YEARS:
        assert bank_holidays(year) == england_bank_holidays([year]), year


def _rule(one: SlowRule) -> TargetRule:
    return TargetRule(
        id=one.name,
        trust=one.trust,
        setting=Setting(one.setting) if one.setting else None,
        urgency=Urgency(one.urgency) if one.urgency else None,
        modalities=frozenset(one.modalities) if one.modalities else None,
        exam_codes=frozenset(one.exams) if one.exams else None,
        target=_span(*one.target),
        hard_limit=_span(*one.hard_limit) if one.hard_limit else None,
        valid_from=one.first_day,
        valid_to=one.last_day,
        source="test",
        confirmed_by=None,
    )


def _span(amount: int, unit: str) -> Span:
    clocks: dict[str, SpanClock] = {
        "minutes": "minutes",
        "hours": "hours",
        "calendar_days": "calendar_days",
        "working_days": "working_days",
    }
    return Span(amount, clocks[unit])


def _anywhere(random: Random) -> datetime:
    first = datetime(YEARS[0], 1, 1, tzinfo=UTC)
    return first + timedelta(minutes=random.randrange((YEARS[-1] - YEARS[0]) * 365 * 24 * 60))


def _around_a_clock_change(random: Random) -> datetime:
    """Give a start in the hours around a change, or at that time of day some days before it."""
    spring, autumn = clock_changes(random.choice(YEARS[:-1]))
    change = spring if random.random() < 0.65 else autumn  # a time that is skipped is met less often
    days = random.choice((0, 0, 0, 1, 1, 2, 3, 6, 7, 9, 14, 21, 28))
    return change - timedelta(days=days) + timedelta(minutes=random.randrange(-90, 90))


def _around_a_bank_holiday(random: Random) -> datetime:
    day = random.choice(sorted(bank_holidays(random.choice(YEARS[:-1]))))
    clock = time(random.randrange(24), random.randrange(60))
    return datetime.combine(day - timedelta(days=random.randrange(8)), clock, tzinfo=UTC)
