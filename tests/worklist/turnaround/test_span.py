"""Spans: their text, and their ends across weekends, bank holidays and clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.local_time import LONDON
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.span import Span, SpanClock, ends_at

BANK_HOLIDAYS = england_bank_holidays(range(2024, 2030))


def london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30 minutes", Span(30, "minutes")),
        ("1 minute", Span(1, "minutes")),
        ("4 hours", Span(4, "hours")),
        ("14 calendar days", Span(14, "calendar_days")),
        ("1 working day", Span(1, "working_days")),
    ],
)
def test_a_span_is_read_from_its_text_and_written_back(text: str, span: Span) -> None:
    assert Span.parse(text) == span
    assert str(span) == text


clocks: st.SearchStrategy[SpanClock] = st.sampled_from(("minutes", "hours", "calendar_days", "working_days"))


@given(st.builds(Span, st.integers(1, 366), clocks))
def test_writing_a_span_and_reading_it_gives_the_same_span(span: Span) -> None:
    assert Span.parse(str(span)) == span


@pytest.mark.parametrize(
    "text",
    ["", "4", "hours", "4 days", "4hours", "-4 hours", "4.5 hours", "0 hours", "400 working days",
     "4 hours ", "999999999999 minutes", "٤ hours", "4 working_days"],
)  # fmt: skip
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="span"):
        Span.parse(text)


def test_an_unknown_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a clock"):
        Span(1, "weeks")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        # Elapsed time takes no notice of the clocks: 4 hours over the autumn change end at 02:30 GMT.
        ("4 hours", "2026-10-24T23:30:00", "2026-10-25T02:30:00"),
        ("4 hours", "2026-03-28T23:30:00", "2026-03-29T04:30:00"),
        ("90 minutes", "2026-07-01T10:00:00", "2026-07-01T11:30:00"),
        # Calendar days keep the wall clock over both changes.
        ("14 calendar days", "2026-10-20T10:00:00", "2026-11-03T10:00:00"),
        ("28 calendar days", "2026-03-10T10:00:00", "2026-04-07T10:00:00"),
        ("1 calendar day", "2026-10-24T01:30:00", "2026-10-25T01:30:00"),
        # Working days: Friday to Monday, over Easter, over Christmas.
        ("1 working day", "2026-07-01T15:00:00", "2026-07-02T15:00:00"),
        ("1 working day", "2026-07-03T15:00:00", "2026-07-06T15:00:00"),
        ("2 working days", "2026-04-02T15:00:00", "2026-04-08T15:00:00"),
        ("3 working days", "2026-12-24T09:00:00", "2026-12-31T09:00:00"),
        # From a day that is none the count starts at 00:00 of the next working day.
        ("1 working day", "2026-07-04T15:00:00", "2026-07-07T00:00:00"),
        ("1 working day", "2026-04-03T08:00:00", "2026-04-08T00:00:00"),
        ("2 working days", "2026-10-23T23:59:00", "2026-10-27T23:59:00"),
    ],
)
def test_a_span_ends_where_the_table_says(span: str, start: str, end: str) -> None:
    # Instants in an hour that repeats compare unequal across zones, so both are given in UTC.
    assert ends_at(Span.parse(span), london(start), BANK_HOLIDAYS) == london(end).astimezone(UTC)


def test_a_day_that_ends_in_the_skipped_hour_ends_at_the_change() -> None:
    end = ends_at(Span(1, "calendar_days"), london("2026-03-28T01:30:00"), BANK_HOLIDAYS)
    assert end == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_span_from_the_second_pass_of_the_repeated_hour_keeps_its_wall_clock() -> None:
    start = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 01:30 GMT, the second 01:30 of that Sunday
    assert ends_at(Span(1, "calendar_days"), start, BANK_HOLIDAYS) == london("2026-10-26T01:30:00")
    assert ends_at(Span(2, "hours"), start, BANK_HOLIDAYS) == start + timedelta(hours=2)


starts = st.datetimes(
    datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2028-01-01"), timezones=st.just(UTC)
)


@given(starts, st.integers(1, 30))
def test_working_days_agree_with_a_plain_list_of_days(start: datetime, amount: int) -> None:
    local = start.astimezone(LONDON)
    days_ahead = [local.date() + timedelta(days=ahead) for ahead in range(120)]
    working = [day for day in days_ahead if day.isoweekday() <= 5 and day not in BANK_HOLIDAYS]
    if working[0] == local.date():
        oracle = datetime.combine(working[amount], local.time().replace(fold=0), LONDON)
    else:
        oracle = datetime.combine(working[amount], time(0), LONDON)
    assert ends_at(Span(amount, "working_days"), start, BANK_HOLIDAYS) == oracle


@given(starts, st.integers(1, 365), clocks)
def test_a_longer_span_of_the_same_clock_ends_later(start: datetime, amount: int, clock: SpanClock) -> None:
    shorter, longer = Span(amount, clock), Span(amount + 1, clock)
    assert start < ends_at(shorter, start, BANK_HOLIDAYS) < ends_at(longer, start, BANK_HOLIDAYS)


@given(starts, st.integers(1, 365))
def test_working_days_never_end_before_as_many_calendar_days(start: datetime, amount: int) -> None:
    working = ends_at(Span(amount, "working_days"), start, BANK_HOLIDAYS)
    assert working >= ends_at(Span(amount, "calendar_days"), start, BANK_HOLIDAYS)


def test_a_bank_holiday_that_is_not_told_is_a_working_day() -> None:
    easter = london("2026-04-02T15:00:00")
    assert ends_at(Span(1, "working_days"), easter, frozenset[date]()) == london("2026-04-03T15:00:00")
