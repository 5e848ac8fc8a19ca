"""How filters and dimensions become SQL, and rows become groups again; runs nothing, counts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Text, cast

from insight.filters import Dimension, Filters, Group
from worklist.db.tables.work import item

Expressions = Mapping[Dimension, ColumnElement[Any]]

#: What is known of every item, reported or not.
ITEM_DIMENSIONS: Expressions = {
    Dimension.TRUST: item.c.trust_ods,
    Dimension.MODALITY: item.c.modality,
    Dimension.SETTING: item.c.setting,
    Dimension.URGENCY: item.c.urgency,
}

#: A row of any statement.
AnyRow = Row[*tuple[Any, ...]]

_Answer = TypeVar("_Answer")


def which_items(filters: Filters) -> list[ColumnElement[bool]]:
    """Give the conditions on items that the filters state, the period left aside.

    What is not offered for network reporting is no part of any figure; it is counted apart.
    """
    return [item.c.not_offered_rule.is_(None), *which_of_all(filters)]


def which_of_all(filters: Filters) -> list[ColumnElement[bool]]:
    """Give the same conditions, for what is not offered as well."""
    stated = ((item.c.trust_ods, filters.trust), (item.c.modality, filters.modality), (item.c.setting, filters.setting))
    return [column == value for column, value in stated if value is not None]


def within_period(filters: Filters, instant: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Give the conditions that an instant lies in the filters' period; its end does not."""
    conditions: list[ColumnElement[bool]] = []
    if filters.from_at is not None:
        conditions.append(instant >= filters.from_at)
    if filters.to_at is not None:
        conditions.append(instant < filters.to_at)
    return conditions


def group_columns(by: Iterable[Dimension], expressions: Expressions) -> list[ColumnElement[Any]]:
    """Give the columns of a group, each under its dimension's name, as text."""
    return [cast(expressions[dimension], Text).label(dimension.value) for dimension in by]


def group_of(row: AnyRow, by: Iterable[Dimension]) -> Group:
    """Read a row's group."""
    return tuple(getattr(row, dimension.value) for dimension in by)


def in_order(answers: Iterable[_Answer], group: Callable[[_Answer], Group]) -> tuple[_Answer, ...]:
    """Sort answers by their groups; what is not known comes last."""
    return tuple(sorted(answers, key=lambda answer: [(value is None, value or "") for value in group(answer)]))


def percent(part: int, whole: int) -> float | None:
    """Give a part of a whole in percent, not rounded: 99.96 is not 100. None of nothing."""
    return 100 * part / whole if whole else None
