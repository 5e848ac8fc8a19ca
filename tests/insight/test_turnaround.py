"""Turnaround against a plain measure of the same rows, and what stops its clock."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Row, insert

from insight.backlog import backlog
from insight.filters import Dimension, Filters
from insight.turnaround import SUPPORTED, TurnaroundReport, TurnaroundRow, turnaround
from tests.conftest import NOW, Database
from tests.insight.history import REPORTED_STATES, make_history, random_filters
from tests.insight.plain_rows import (
    Rows,
    chosen,
    final_of,
    group_of_item,
    group_of_profession,
    in_period,
    london_day,
    order,
    over_28_days,
    read_rows,
)
from tests.insight.worked_study import Worked
from worklist.db.tables.work import item, patient
from worklist.reading import ReportStatus


@pytest.mark.parametrize(
    ("seed", "now"),
    [(11, NOW), (12, datetime(2026, 4, 3, 0, 59, tzinfo=UTC)), (13, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))],
)
def test_every_figure_is_measured_on_the_plain_rows(network: Database, seed: int, now: datetime) -> None:
    make_history(network, seed, now)
    random = Random(seed)
    with network.app.begin() as connection:
        rows = read_rows(connection)
        for _ in range(15):
            filters = random_filters(random, now, SUPPORTED)
            answer = turnaround(connection, filters)
            expected = plain_turnaround(rows, filters)
            assert len(answer.rows) == len(expected)
            assert all(alike(row, expected[row.group]) for row in answer.rows)
            assert order([row.group for row in answer.rows])


def test_what_is_unreported_stands_beside_it_and_is_the_backlog(network: Database) -> None:
    make_history(network, 14, NOW)
    random = Random(14)
    with network.app.begin() as connection:
        for _ in range(10):
            filters = random_filters(random, NOW, SUPPORTED)
            answer = turnaround(connection, filters)
            waiting = backlog(
                connection, Filters(filters.trust, filters.modality, filters.setting, by=answer.unreported_by)
            )
            assert set(answer.unreported_by) == set(filters.by) - {
                Dimension.DAY,
                Dimension.ROUTE,
                Dimension.REPORTER_GROUP,
            }
            assert [(row.group, row.items, row.overdue, row.by_age) for row in answer.unreported] == [
                (row.group, row.items, row.overdue, row.by_age) for row in waiting.rows
            ]


def test_a_perfect_record_of_closed_work_does_not_hide_an_old_backlog(network: Database) -> None:
    old, fresh = NOW - timedelta(days=60), NOW - timedelta(hours=2)
    add_item(network, "verified", fresh, reported_at=fresh + timedelta(minutes=30))
    add_item(network, "ready", old)
    answer = ask(network, Filters(from_at=NOW - timedelta(days=1)))
    (closed,), (waiting,) = answer.rows, answer.unreported
    assert (closed.reported, closed.percent_within_target) == (1, 100)
    assert (waiting.items, waiting.overdue, waiting.by_age.over_28_days) == (1, 1, 1)


def test_the_due_instant_itself_is_within_target(network: Database) -> None:
    start = NOW - timedelta(days=2)
    due = start + timedelta(hours=4)
    add_item(network, "verified", start, reported_at=due)
    add_item(network, "verified", start, reported_at=due + timedelta(microseconds=1))
    (row,) = ask(network).rows
    assert (row.reported, row.within_target, row.percent_within_target) == (2, 1, 50)


def test_28_days_are_calendar_days_across_a_clock_change(network: Database) -> None:
    periods = (
        ("2026-03-20T12:00:00+00:00", "2026-04-17T11:00:00+00:00"),  # an hour less than 28 times 24
        ("2026-10-09T11:00:00+00:00", "2026-11-06T12:00:00+00:00"),  # an hour more
        ("2026-09-27T00:30:00+00:00", "2026-10-25T00:30:00+00:00"),  # 01:30 the first time
        ("2026-03-01T01:30:00+00:00", "2026-03-29T01:00:00+00:00"),  # 01:30 never was
    )
    for start, end in periods:
        began, over = datetime.fromisoformat(start), datetime.fromisoformat(end)
        add_item(network, "verified", began, reported_at=over)
        add_item(network, "verified", began, reported_at=over + timedelta(seconds=1))
    rows = ask(network, Filters(by=(Dimension.DAY,))).rows
    assert [(row.reported, row.within_28_days) for row in rows] == [(2, 1)] * 4


def test_a_report_in_the_hour_that_autumn_repeats_took_the_elapsed_time(network: Database) -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    add_item(network, "verified", start, reported_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    (row,) = ask(network).rows
    assert row.longest_minutes == 120


def test_a_report_shortly_before_midnight_utc_counts_for_the_next_day_in_summer(network: Database) -> None:
    for at in (datetime(2026, 5, 1, 23, 30, tzinfo=UTC), datetime(2026, 1, 31, 23, 30, tzinfo=UTC)):
        add_item(network, "verified", at - timedelta(hours=1), reported_at=at)
    assert [row.group for row in ask(network, Filters(by=(Dimension.DAY,))).rows] == [("2026-01-31",), ("2026-05-02",)]


def test_a_period_takes_its_begin_and_leaves_its_end(network: Database) -> None:
    start = NOW - timedelta(days=3)
    for hours in (1, 2, 3):
        add_item(network, "verified", start, reported_at=start + timedelta(hours=hours))
    (row,) = ask(network, Filters(from_at=start + timedelta(hours=1), to_at=start + timedelta(hours=3))).rows
    assert (row.reported, row.longest_minutes) == (2, 120)


def test_an_item_reported_at_home_before_any_image_is_told_apart_and_measured_nowhere(network: Database) -> None:
    add_item(network, "reported_elsewhere", None, reported_at=NOW - timedelta(hours=1))
    (row,) = ask(network, Filters(by=(Dimension.ROUTE,))).rows
    assert (row.group, row.reported, row.without_clock_start) == (("home",), 1, 1)
    assert (row.percent_within_target, row.percent_within_28_days, row.median_minutes) == (None, None, None)


def test_a_preliminary_report_leaves_the_study_unreported_and_its_check_stops_the_clock(network: Database) -> None:
    worked = Worked(network)
    worked.study("CHEAD", "CT", ended_at=NOW - timedelta(minutes=50))
    worked.report("tran", ReportStatus.PRELIMINARY)
    answer = ask(network)
    assert (answer.rows[0].reported, answer.unreported[0].items) == (0, 1)
    worked.clock(NOW + timedelta(minutes=30))
    worked.report("reed", ReportStatus.VERIFIED)
    answer = ask(network, Filters(by=(Dimension.REPORTER_GROUP, Dimension.ROUTE)))
    assert answer.rows[0].group == ("radiologist", "none")
    assert answer.rows[0].longest_minutes == pytest.approx(80, abs=1)
    assert answer.unreported[0].items == 0


def test_an_addendum_does_not_restart_the_clock(network: Database) -> None:
    worked = Worked(network)
    worked.study("XHANL", "DX", ended_at=NOW - timedelta(minutes=20))
    claimed = worked.report("hart", ReportStatus.VERIFIED)
    before = ask(network).rows
    worked.clock(NOW + timedelta(days=3))
    worked.add_to(claimed)
    assert ask(network).rows == before


def test_a_report_under_a_superseded_token_stops_nothing(network: Database) -> None:
    worked = Worked(network)
    worked.study("XHANL", "DX", ended_at=NOW - timedelta(minutes=20))
    stale = worked.claim("hart", lease_seconds=1)
    worked.clock(NOW + timedelta(minutes=5))
    worked.claim("reed")
    worked.file(stale, ReportStatus.VERIFIED)
    answer = ask(network)
    assert (answer.rows[0].reported, answer.unreported[0].items) == (0, 1)


def ask(database: Database, filters: Filters | None = None) -> TurnaroundReport:
    with database.app.begin() as connection:
        return turnaround(connection, filters or Filters())


def add_item(
    database: Database, state: str, clock_start_at: datetime | None, *, reported_at: datetime | None = None
) -> None:
    """Add an item that is due four hours after its clock start."""
    with database.owner.begin() as connection:
        patient_id = connection.execute(insert(patient).values(trust_ods="RXA").returning(patient.c.id)).scalar_one()
        connection.execute(
            insert(item).values(
                trust_ods="RXA",
                patient_id=patient_id,
                state=state,
                clock_start_at=clock_start_at,
                due_at=None if clock_start_at is None else clock_start_at + timedelta(hours=4),
                reported_at=reported_at,
                modality="XR",
            )
        )


def plain_turnaround(rows: Rows, filters: Filters) -> dict[tuple[str | None, ...], TurnaroundRow]:
    finals = final_of(rows)

    def group_value(one: Row[Any], dimension: Dimension) -> str | None:
        if dimension is Dimension.DAY:
            return london_day(one.reported_at)
        if dimension is Dimension.ROUTE:
            return finals[one.id][1] if one.id in finals else "home"
        if dimension is Dimension.REPORTER_GROUP:
            found = finals.get(one.id)
            return None if found is None else group_of_profession(rows.reporters[found[0].reporter_id].profession)
        return group_of_item(one, dimension)

    groups: dict[tuple[str | None, ...], list[Row[Any]]] = defaultdict(list)
    if not filters.by:
        groups[()] = []
    for one in rows.items:
        if one.state in REPORTED_STATES and chosen(one, filters) and in_period(one.reported_at, filters):
            groups[tuple(group_value(one, dimension) for dimension in filters.by)].append(one)
    return {group: plain_row(group, items) for group, items in groups.items()}


def plain_row(group: tuple[str | None, ...], items: list[Row[Any]]) -> TurnaroundRow:
    timed = [one for one in items if one.clock_start_at is not None]
    minutes = sorted((one.reported_at - one.clock_start_at).total_seconds() / 60 for one in timed)
    on_time = sum(one.reported_at <= one.due_at for one in timed)
    within = sum(not over_28_days(one.clock_start_at, one.reported_at) for one in timed)
    return TurnaroundRow(
        group,
        len(items),
        len(items) - len(timed),
        on_time,
        100 * on_time / len(timed) if timed else None,
        within,
        100 * within / len(timed) if timed else None,
        percentile(minutes, 0.5),
        percentile(minutes, 0.9),
        percentile(minutes, 0.95),
        max(minutes, default=None),
    )


def percentile(ordered: Sequence[float], fraction: float) -> float | None:
    if not ordered:
        return None
    place = fraction * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def alike(found: TurnaroundRow, expected: TurnaroundRow) -> bool:
    pairs = zip(astuple(found), astuple(expected), strict=True)
    return all(
        math.isclose(one, other, rel_tol=1e-9) if isinstance(one, float) and isinstance(other, float) else one == other
        for one, other in pairs
    )
