"""What insourced reporting paid, and what the same reports would have cost bought outside.

Reads only, from the ledger and the dated reference prices. It must not price work; the ledger has.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, true
from sqlalchemy.sql.selectable import LateralFromClause, Subquery

from insight.elapsed import london_date
from insight.filters import Dimension, Filters, Group
from insight.final_report import reporter_group
from insight.grouping import ITEM_DIMENSIONS, AnyRow, group_columns, group_of, in_order, which_items, within_period
from worklist.db.tables.claims import report
from worklist.db.tables.pay import outsource_price, pay_line
from worklist.db.tables.people import reporter
from worklist.db.tables.work import item, reading
from worklist.reading import Purpose

#: By which dimensions value can be counted; `trust` is where the work was performed, `day` that of the report.
SUPPORTED = (*ITEM_DIMENSIONS, Dimension.REPORTER_GROUP, Dimension.DAY)

SCOPE = (
    "Reports of the period that have a line in the pay ledger, corrections included; a report whose lines"
    " were all reversed counts no more. Pay is gross, before on-costs. Each first reading is compared with"
    " one outside report at the reference price of its modality in force on the Europe/London date of the"
    " report. Reports without such a price, and checks and other further readings, which are not bought"
    " outside, are in the pay but not in the saving."
)


@dataclass(frozen=True, slots=True)
class ValueRow:
    """The value of one group's insourced reports; money in pence.

    Attributes
    ----------
    reports, other_readings
        Paid first readings; and checks, second opinions and the like.
    pay_pence
        Everything paid.
    without_reference_price
        Reports with which no price can be compared.
    compared_pay_pence, outsourced_pence
        What the reports that have a reference price were paid, and would have cost outside.
    saving_pence
        The difference; below zero where insourcing cost more.
    """

    group: Group
    reports: int
    other_readings: int
    pay_pence: int
    without_reference_price: int
    compared_pay_pence: int
    outsourced_pence: int
    saving_pence: int


@dataclass(frozen=True, slots=True)
class ValueReport:
    """The value of insourcing by groups of `by`; `scope` says what was compared with what.

    Without dimensions there is exactly one row, also where nothing was paid.
    """

    by: tuple[Dimension, ...]
    scope: str
    rows: tuple[ValueRow, ...]


def value(connection: Connection, filters: Filters) -> ValueReport:
    """Compare what insourced reports of the period were paid with what they would have cost outside.

    Raises
    ------
    UnsupportedDimension
        If it cannot be counted by a dimension.
    """
    filters.require("value", SUPPORTED)
    paid, price = _paid(), _reference_price()
    dimensions = {
        **ITEM_DIMENSIONS,
        Dimension.REPORTER_GROUP: reporter_group(reporter.c.profession),
        Dimension.DAY: london_date(report.c.received_at),
    }
    stands, is_first = paid.c.standing > 0, reading.c.purpose == Purpose.FIRST.value
    each = (
        select(
            *group_columns(filters.by, dimensions),
            paid.c.pay_pence,
            and_(stands, is_first).label("is_report"),
            and_(stands, ~is_first).label("is_other"),
            price.c.amount_pence.label("price_pence"),
        )
        .select_from(paid)
        .join(report, report.c.id == paid.c.report_id)
        .join(reading, reading.c.id == report.c.reading_id)
        .join(item, item.c.id == report.c.item_id)
        .join(reporter, reporter.c.id == report.c.reporter_id)
        .outerjoin(price, true())
        .where(*which_items(filters), *within_period(filters, report.c.received_at))
        .subquery("paid_report")
    )
    groups = [each.c[dimension.value] for dimension in filters.by]
    compared = and_(each.c.is_report, each.c.price_pence.is_not(None))
    rows = connection.execute(
        select(
            *groups,
            func.count().filter(each.c.is_report).label("reports"),
            func.count().filter(each.c.is_other).label("other_readings"),
            func.coalesce(func.sum(each.c.pay_pence), 0).label("pay"),
            func.count().filter(each.c.is_report, each.c.price_pence.is_(None)).label("without_price"),
            func.coalesce(func.sum(each.c.pay_pence).filter(compared), 0).label("compared_pay"),
            func.coalesce(func.sum(each.c.price_pence).filter(compared), 0).label("outsourced"),
        ).group_by(*groups)
    )
    return ValueReport(filters.by, SCOPE, in_order((_row(row, filters.by) for row in rows), lambda row: row.group))


def _row(row: AnyRow, by: tuple[Dimension, ...]) -> ValueRow:
    return ValueRow(
        group=group_of(row, by),
        reports=row.reports,
        other_readings=row.other_readings,
        pay_pence=int(row.pay),
        without_reference_price=row.without_price,
        compared_pay_pence=int(row.compared_pay),
        outsourced_pence=int(row.outsourced),
        saving_pence=int(row.outsourced) - int(row.compared_pay),
    )


def _paid() -> Subquery:
    """Give what each report in the ledger was paid and how many of its lines still stand."""
    earnings = func.count().filter(pay_line.c.kind == "earning")
    reversals = func.count().filter(pay_line.c.kind == "reversal")
    return (
        select(
            pay_line.c.report_id,
            func.sum(pay_line.c.amount_pence).label("pay_pence"),
            (earnings - reversals).label("standing"),
        )
        .group_by(pay_line.c.report_id)
        .subquery("paid")
    )


def _reference_price() -> LateralFromClause:
    return (
        select(outsource_price.c.amount_pence)
        .where(
            outsource_price.c.modality == item.c.modality,
            outsource_price.c.valid_from <= london_date(report.c.received_at),
        )
        .order_by(outsource_price.c.valid_from.desc())
        .limit(1)
        .lateral("price")
    )
