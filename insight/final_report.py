"""Who gave an item its final report, and in whose time, as SQL; must not count anything.

The final report is the first verified one, of a first reading, of its check or of an amendment, that was not
recalled: the one that stopped the turnaround clock. A trainee's report that a colleague checked is the colleague's.
Preliminary reports, addenda, second opinions, samples and reports under a superseded token are none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.sql.selectable import LateralFromClause

from allocation.reporter import REGISTER, Reporter
from worklist.db.tables.claims import claim, report
from worklist.db.tables.people import reporter, reporting_session
from worklist.db.tables.work import item, reading
from worklist.reading import Purpose, ReportStatus


class Route(StrEnum):
    """In whose time a final report was made; the first four are kinds of sessions."""

    JOB_PLANNED = "job_planned"
    INSOURCED = "insourced"
    ON_CALL = "on_call"
    DUTY = "duty"
    NONE = "none"  # here, outside any session: never paid
    HOME = "home"  # in the home RIS, by whom is not known here


def final_report() -> LateralFromClause:
    """Give, to be joined to `item` on true, its final report made here: no row where there is none.

    Columns: `report_id`, `profession`, `session_kind` (null outside any session).
    """
    return (
        select(
            report.c.id.label("report_id"),
            reporter.c.profession.label("profession"),
            reporting_session.c.kind.label("session_kind"),
        )
        .join(reading, reading.c.id == report.c.reading_id)
        .join(reporter, reporter.c.id == report.c.reporter_id)
        .join(claim, claim.c.id == report.c.claim_id)
        .outerjoin(reporting_session, reporting_session.c.id == claim.c.session_id)
        .where(
            report.c.item_id == item.c.id,
            report.c.status == ReportStatus.VERIFIED.value,
            ~report.c.superseded,
            report.c.recalled_at.is_(None),
            reading.c.purpose.in_((Purpose.FIRST.value, Purpose.CHECK.value, Purpose.AMENDMENT.value)),
        )
        .order_by(report.c.id)
        .limit(1)
        .lateral("final")
    )


def route_of(final: LateralFromClause) -> ColumnElement[Any]:
    """Give the `Route` of a reported item."""
    return case(
        (final.c.report_id.is_(None), Route.HOME.value), else_=func.coalesce(final.c.session_kind, Route.NONE.value)
    )


def reporter_group(profession: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the reporter group of a profession as `allocation.reporter` forms it; null stays null."""
    groups = {known: Reporter(0, "", "", known, "").group for known in REGISTER}
    named = [(profession == known, group) for known, group in groups.items()]
    other = Reporter(0, "", "", "", "").group
    return case(*named, (profession.is_not(None), other), else_=None)
