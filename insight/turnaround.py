"""How long final reports took, beside what is still unreported: the one must not hide the other.

Reads only, straight from the items. A preliminary report never stops the clock and an addendum never
restarts it: `reported_at` is written once, when a final report first stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, true

from insight.backlog import waiting_since, which_wait
from insight.elapsed import WaitingByAge, age_counts, ages_of, backstop_at, london_date, minutes_between
from insight.filters import Dimension, Filters, Group
from insight.final_report import final_report, reporter_group, route_of
from insight.grouping import (
    ITEM_DIMENSIONS,
    AnyRow,
    group_columns,
    group_of,
    in_order,
    percent,
    which_items,
    within_period,
)
from worklist.clock import now
from worklist.db.tables.work import item
from worklist.item import REPORTED

#: By which dimensions turnaround can be counted; `day` is the day of the report.
SUPPORTED = tuple(Dimension)


@dataclass(frozen=True, slots=True)
class TurnaroundRow:
    """How long the reported items of one group took, in minutes from clock start to final report.

    Attributes
    ----------
    reported
        Items whose final report falls in the period, here or at home.
    without_clock_start
        Those of them whose end of acquisition is not known (reported at home before any image
        came). They stand in no other figure.
    within_target, within_28_days
        Items reported not after their due time, or within 28 calendar days.
    percent_within_target, percent_within_28_days
        Of the items with a clock start; None where there are none.
    median_minutes, p90_minutes, p95_minutes
        Percentiles, interpolated between neighbours; None where there are no items.
    """

    group: Group
    reported: int
    without_clock_start: int
    within_target: int
    percent_within_target: float | None
    within_28_days: int
    percent_within_28_days: float | None
    median_minutes: float | None
    p90_minutes: float | None
    p95_minutes: float | None
    longest_minutes: float | None


@dataclass(frozen=True, slots=True)
class UnreportedRow:
    """What is still unreported of one group, by age; `overdue` is past its due time."""

    group: Group
    items: int
    overdue: int
    by_age: WaitingByAge


@dataclass(frozen=True, slots=True)
class TurnaroundReport:
    """Turnaround in a period, and what is unreported at an instant (`at`, aware UTC).

    `rows` are by groups of `by`. `unreported` is by groups of `unreported_by`: the dimensions of
    `by` that work has before it is reported. Without dimensions each has exactly one row.
    """

    at: datetime
    by: tuple[Dimension, ...]
    rows: tuple[TurnaroundRow, ...]
    unreported_by: tuple[Dimension, ...]
    unreported: tuple[UnreportedRow, ...]


def turnaround(connection: Connection, filters: Filters) -> TurnaroundReport:
    """Measure reports that first stood within the period, and count what is unreported now.

    The period is one of final reports; it is not applied to unreported work.

    Raises
    ------
    UnsupportedDimension
        If it cannot be counted by a dimension.
    """
    filters.require("turnaround", SUPPORTED)
    at = now(connection).astimezone(UTC)
    unreported_by = tuple(dimension for dimension in filters.by if dimension in ITEM_DIMENSIONS)
    # What waits is read first: a report that comes between the two readings is then counted in
    # both, where the other order would lose it from both.
    unreported = _unreported(connection, filters, unreported_by, at)
    return TurnaroundReport(at, filters.by, _reported(connection, filters), unreported_by, unreported)


def _reported(connection: Connection, filters: Filters) -> tuple[TurnaroundRow, ...]:
    final = final_report()
    dimensions = {
        **ITEM_DIMENSIONS,
        Dimension.REPORTER_GROUP: reporter_group(final.c.profession),
        Dimension.ROUTE: route_of(final),
        Dimension.DAY: london_date(item.c.reported_at),
    }
    statement = select(
        *group_columns(filters.by, dimensions),
        item.c.clock_start_at,
        item.c.reported_at,
        func.coalesce(item.c.report_due_at, item.c.due_at).label("due_at"),
        minutes_between(item.c.clock_start_at, item.c.reported_at).label("minutes"),
    ).where(
        item.c.state.in_([state.value for state in REPORTED]),
        item.c.reported_at.is_not(None),
        *which_items(filters),
        *within_period(filters, item.c.reported_at),
    )
    if {Dimension.REPORTER_GROUP, Dimension.ROUTE} & set(filters.by):
        statement = statement.outerjoin(final, true())
    each = statement.subquery("reported")
    groups = [each.c[dimension.value] for dimension in filters.by]
    rows = connection.execute(select(*groups, *_measures(each.c)).group_by(*groups))
    return in_order((_row(row, filters.by) for row in rows), lambda row: row.group)


def _measures(reported: Any) -> list[ColumnElement[Any]]:
    def percentile(fraction: float) -> ColumnElement[Any]:
        return func.percentile_cont(fraction).within_group(reported.minutes)

    started = reported.clock_start_at.is_not(None)
    return [
        func.count().label("reported"),
        func.count(reported.clock_start_at).label("timed"),
        func.count().filter(started, reported.reported_at <= reported.due_at).label("within_target"),
        func.count().filter(reported.reported_at <= backstop_at(reported.clock_start_at)).label("within_28_days"),
        percentile(0.5).label("median"),
        percentile(0.9).label("p90"),
        percentile(0.95).label("p95"),
        func.max(reported.minutes).label("longest"),
    ]


def _row(row: AnyRow, by: tuple[Dimension, ...]) -> TurnaroundRow:
    return TurnaroundRow(
        group=group_of(row, by),
        reported=row.reported,
        without_clock_start=row.reported - row.timed,
        within_target=row.within_target,
        percent_within_target=percent(row.within_target, row.timed),
        within_28_days=row.within_28_days,
        percent_within_28_days=percent(row.within_28_days, row.timed),
        median_minutes=row.median,
        p90_minutes=row.p90,
        p95_minutes=row.p95,
        longest_minutes=row.longest,
    )


def _unreported(
    connection: Connection, filters: Filters, by: tuple[Dimension, ...], at: datetime
) -> tuple[UnreportedRow, ...]:
    each = (
        select(
            *group_columns(by, ITEM_DIMENSIONS),
            item.c.due_at,
            waiting_since().label("since_at"),
            backstop_at(waiting_since()).label("backstop_at"),
        )
        .where(*which_wait(filters))
        .subquery("waiting")
    )
    groups = [each.c[dimension.value] for dimension in by]
    rows = connection.execute(
        select(
            *groups,
            func.count().label("items"),
            func.count().filter(each.c.due_at < at).label("overdue"),
            *age_counts(each.c.since_at, each.c.backstop_at, at),
        ).group_by(*groups)
    )
    answers = (UnreportedRow(group_of(row, by), row.items, row.overdue, ages_of(row)) for row in rows)
    return in_order(answers, lambda row: row.group)
