"""What waits for a final report now: how many, how much work, how long, and what stands in its way.

Reads only, straight from the items. It must not judge eligibility: it asks the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from insight.elapsed import WaitingByAge, age_counts, ages_of, backstop_at
from insight.filters import Dimension, Filters, Group
from insight.grouping import ITEM_DIMENSIONS, AnyRow, group_columns, group_of, in_order, which_items, which_of_all
from worklist.clock import now
from worklist.db.tables.claims import item_exclusion
from worklist.db.tables.network import profile, profile_indexed
from worklist.db.tables.people import reporter, reporter_profile, reporter_trust
from worklist.db.tables.work import item, item_exam, reading
from worklist.item import UNREPORTED, ItemState
from worklist.reading import Purpose, ReadingState

#: Waiting: images have come and no final report stands. What is only ordered has nothing to report yet.
WAITING = tuple(state for state in ItemState if state in UNREPORTED and state is not ItemState.ORDERED)

#: By which dimensions waiting work can be counted: nobody has reported it yet.
SUPPORTED = tuple(ITEM_DIMENSIONS)


@dataclass(frozen=True, slots=True)
class BacklogRow:
    """What waits of one group.

    Attributes
    ----------
    minutes
        Reporting minutes of the items, each counted whole, also where only a check is left.
    not_valued
        Items whose minutes are not worked out yet (images still arrive); not in `minutes`.
    oldest_clock_start_at
        Aware UTC; None where nothing waits. Until the clock start of an arriving item is worked
        out its first receipt stands for it, here and in `by_age`.
    overdue, past_hard_limit
        Items whose due time, or hard limit, lies before the instant of the answer.
    arriving, ready, on_hold, in_progress, preliminary, recalled, outsourced, returned
        The items by state; they sum to `items`.
    unmapped
        Items with an exam that the catalogue does not know.
    without_eligible_reporter
        Items that nobody could be given: the index holds no reporter, now, for any reading that is
        left to make. Only items whose eligibility is worked out.
    eligibility_unknown
        Items whose eligibility is not worked out yet.
    """

    group: Group
    items: int
    minutes: Decimal
    not_valued: int
    oldest_clock_start_at: datetime | None
    overdue: int
    past_hard_limit: int
    by_age: WaitingByAge
    arriving: int
    ready: int
    on_hold: int
    in_progress: int
    preliminary: int
    recalled: int
    outsourced: int
    returned: int
    unmapped: int
    without_eligible_reporter: int
    eligibility_unknown: int


@dataclass(frozen=True, slots=True)
class BacklogReport:
    """The backlog at an instant (aware UTC), by groups of `by`; `states` are those that were counted.

    Without dimensions there is exactly one row, also where nothing waits. `not_offered` counts, within the filters,
    the items that rules keep from network reporting: they are in no row.
    """

    at: datetime
    by: tuple[Dimension, ...]
    states: tuple[ItemState, ...]
    rows: tuple[BacklogRow, ...]
    not_offered: int


def backlog(connection: Connection, filters: Filters) -> BacklogReport:
    """Count what waits now. The filters' period is not applied: no period may hide old work.

    Raises
    ------
    UnsupportedDimension
        If it is to be counted by what only reported work has.
    """
    filters.require("backlog", SUPPORTED)
    at = now(connection).astimezone(UTC)
    each = (
        select(
            *group_columns(filters.by, ITEM_DIMENSIONS),
            item.c.state,
            item.c.reporting_minutes,
            item.c.due_at,
            item.c.hard_limit_at,
            waiting_since().label("since_at"),
            backstop_at(waiting_since()).label("backstop_at"),
            _is_unmapped().label("unmapped"),
            _is_indexed().label("indexed"),
            _has_reporter(at).label("has_reporter"),
        )
        .where(*which_wait(filters))
        .subquery("waiting")
    )
    groups = [each.c[dimension.value] for dimension in filters.by]
    rows = connection.execute(select(*groups, *_counts(each.c, at)).group_by(*groups))
    apart = select(func.count()).where(item.c.state == ItemState.NOT_OFFERED.value, *which_of_all(filters))
    return BacklogReport(
        at,
        filters.by,
        WAITING,
        in_order((_row(row, filters.by) for row in rows), lambda row: row.group),
        connection.execute(apart).scalar_one(),
    )


def which_wait(filters: Filters) -> list[ColumnElement[bool]]:
    """Give the conditions of items that wait, as filtered."""
    return [item.c.state.in_([state.value for state in WAITING]), *which_items(filters)]


def waiting_since() -> ColumnElement[Any]:
    """Give the clock start of an item, or its first receipt until the start is worked out."""
    return func.coalesce(item.c.clock_start_at, item.c.created_at)


def _counts(waiting: Any, at: datetime) -> list[ColumnElement[Any]]:
    def items(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.count().filter(*conditions)

    return [
        func.count().label("items"),
        func.coalesce(func.sum(waiting.reporting_minutes), 0).label("minutes"),
        items(waiting.reporting_minutes.is_(None)).label("not_valued"),
        func.min(waiting.since_at).label("oldest_at"),
        items(waiting.due_at < at).label("overdue"),
        items(waiting.hard_limit_at < at).label("past_hard_limit"),
        *age_counts(waiting.since_at, waiting.backstop_at, at),
        *(items(waiting.state == state.value).label(state.value) for state in WAITING),
        items(waiting.unmapped).label("unmapped"),
        items(waiting.indexed, ~waiting.has_reporter).label("without_eligible_reporter"),
        items(~waiting.indexed).label("eligibility_unknown"),
    ]


def _row(row: AnyRow, by: tuple[Dimension, ...]) -> BacklogRow:
    return BacklogRow(
        group=group_of(row, by),
        items=row.items,
        minutes=Decimal(row.minutes),
        not_valued=row.not_valued,
        oldest_clock_start_at=None if row.oldest_at is None else row.oldest_at.astimezone(UTC),
        overdue=row.overdue,
        past_hard_limit=row.past_hard_limit,
        by_age=ages_of(row),
        arriving=row.arriving,
        ready=row.ready,
        on_hold=row.on_hold,
        in_progress=row.in_progress,
        preliminary=row.preliminary,
        recalled=row.recalled,
        outsourced=row.outsourced,
        returned=row.returned,
        unmapped=row.unmapped,
        without_eligible_reporter=row.without_eligible_reporter,
        eligibility_unknown=row.eligibility_unknown,
    )


def _is_unmapped() -> ColumnElement[bool]:
    return exists().where(item_exam.c.item_id == item.c.id, item_exam.c.exam_code.is_(None))


def _is_indexed() -> ColumnElement[bool]:
    return exists().where(profile_indexed.c.profile_id == item.c.profile_id)


def _has_reporter(at: datetime) -> ColumnElement[bool]:
    """Whether the index holds, now, someone for a reading that a final report still needs.

    The same conditions by which claims find work, and those that bar a person from an item.
    """
    barred = exists().where(
        item_exclusion.c.item_id == reading.c.item_id,
        item_exclusion.c.reporter_id == reporter.c.id,
        item_exclusion.c.kind.in_(("has-read", "conflict-of-interest")),
    )
    return (
        select(reading.c.id)
        .join(profile, profile.c.id == reading.c.profile_id)
        .join(reporter_profile, reporter_profile.c.profile_id == profile.c.id)
        .join(reporter, reporter.c.id == reporter_profile.c.reporter_id)
        .join(
            reporter_trust,
            and_(
                reporter_trust.c.reporter_id == reporter.c.id,
                reporter_trust.c.trust_ods == reading.c.trust_ods,
                reporter_trust.c.ionising == profile.c.ionising,
            ),
        )
        .where(
            reading.c.item_id == item.c.id,
            reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value)),
            reading.c.purpose.in_((Purpose.FIRST.value, Purpose.CHECK.value, Purpose.AMENDMENT.value)),
            reporter_profile.c.valid_until > at,
            reporter_trust.c.valid_until > at,
            reporter.c.suspended_at.is_(None),
            or_(reading.c.purpose != Purpose.CHECK.value, reporter_profile.c.level == "autonomous"),
            or_(~reading.c.for_radiologist, reporter.c.profession == "radiologist"),
            ~barred,
        )
        .exists()
    )
