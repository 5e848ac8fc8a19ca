"""Who reports what: the share of X-rays that radiographers report, and reports by group and route.

Reads only, straight from the items. It counts groups and professions, never a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true

from insight.elapsed import london_date
from insight.filters import Dimension, Filters, Group
from insight.final_report import Route, final_report, reporter_group, route_of
from insight.grouping import (
    ITEM_DIMENSIONS,
    group_columns,
    group_of,
    in_order,
    percent,
    which_items,
    within_period,
)
from worklist.db.tables.work import item
from worklist.item import REPORTED

#: By which dimensions the mix can be counted; group, profession, modality and route stand in each answer.
SUPPORTED = (Dimension.TRUST, Dimension.SETTING, Dimension.URGENCY, Dimension.DAY)

SCOPE = (
    "Accessions whose final report falls in the period. A report counts for whoever verified it."
    " The share is of X-rays (modality XR) reported here, by a known reporter;"
    " those reported in a home RIS are counted apart, because who reported them is not known."
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A share of X-rays reported by radiographers to compare with, in percent, and who names it."""

    percent: int
    source: str


#: What networks are asked to work to.
REFERENCES = (
    Reference(40, "NHS England, Diagnostic imaging network workforce guidance (PAR418), 2022"),
    Reference(50, "Richards, Diagnostics: recovery and renewal, 2020"),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a share stands to a reference.

    `met` is None where there is no X-ray to count; `reports_short` is how many more of the same
    X-rays radiographers would have had to report.
    """

    reference: Reference
    met: bool | None
    reports_short: int


@dataclass(frozen=True, slots=True)
class ReportCount:
    """Final reports of one kind; group and profession are None at home, modality where not known."""

    reporter_group: str | None
    profession: str | None
    modality: str | None
    route: Route
    reports: int


@dataclass(frozen=True, slots=True)
class SkillMixRow:
    """The mix of one group; `percent_xrays_by_radiographers` is None where no X-ray was reported here."""

    group: Group
    reported_here: int
    reported_at_home: int
    xrays_reported_here: int
    xrays_reported_at_home: int
    xrays_by_radiographers: int
    percent_xrays_by_radiographers: float | None
    comparisons: tuple[Comparison, ...]
    counts: tuple[ReportCount, ...]


@dataclass(frozen=True, slots=True)
class SkillMixReport:
    """The skill mix by groups of `by`; `scope` says what was counted and of what the share is one.

    Without dimensions there is exactly one row, also where nothing was reported.
    """

    by: tuple[Dimension, ...]
    scope: str
    rows: tuple[SkillMixRow, ...]


def skill_mix(connection: Connection, filters: Filters, references: Sequence[Reference] = REFERENCES) -> SkillMixReport:
    """Count final reports of the period by who made them.

    Raises
    ------
    UnsupportedDimension
        If it cannot be counted by a dimension.
    """
    filters.require("skill mix", SUPPORTED)
    final = final_report()
    dimensions = {**ITEM_DIMENSIONS, Dimension.DAY: london_date(item.c.reported_at)}
    each = (
        select(
            *group_columns(filters.by, dimensions),
            reporter_group(final.c.profession).label("of_group"),
            final.c.profession.label("of_profession"),
            item.c.modality.label("of_modality"),
            route_of(final).label("of_route"),
        )
        .select_from(item.outerjoin(final, true()))
        .where(
            item.c.state.in_([state.value for state in REPORTED]),
            item.c.reported_at.is_not(None),
            *which_items(filters),
            *within_period(filters, item.c.reported_at),
        )
        .subquery("reported")
    )
    rows = connection.execute(select(*each.c, func.count().label("reports")).group_by(*each.c))
    counts: dict[Group, list[ReportCount]] = defaultdict(list)
    if not filters.by:
        counts[()] = []
    for row in rows:
        counts[group_of(row, filters.by)].append(
            ReportCount(row.of_group, row.of_profession, row.of_modality, Route(row.of_route), row.reports)
        )
    answers = (_row(group, found, references) for group, found in counts.items())
    return SkillMixReport(filters.by, SCOPE, in_order(answers, lambda row: row.group))


def _row(group: Group, counts: Iterable[ReportCount], references: Sequence[Reference]) -> SkillMixRow:
    found = in_order(counts, lambda one: (one.reporter_group, one.profession, one.modality, one.route))
    here = [one for one in found if one.route is not Route.HOME]
    xrays = [one for one in here if one.modality == "XR"]
    total = sum(one.reports for one in xrays)
    by_radiographers = sum(one.reports for one in xrays if one.reporter_group == "radiographer")
    return SkillMixRow(
        group=group,
        reported_here=sum(one.reports for one in here),
        reported_at_home=sum(one.reports for one in found if one.route is Route.HOME),
        xrays_reported_here=total,
        xrays_reported_at_home=sum(one.reports for one in found if one.route is Route.HOME and one.modality == "XR"),
        xrays_by_radiographers=by_radiographers,
        percent_xrays_by_radiographers=percent(by_radiographers, total),
        comparisons=tuple(_compare(reference, by_radiographers, total) for reference in references),
        counts=found,
    )


def _compare(reference: Reference, part: int, whole: int) -> Comparison:
    needed = -(-reference.percent * whole // 100)  # rounded up: a share is met by whole reports
    return Comparison(reference, None if whole == 0 else part >= needed, max(0, needed - part))
