"""Takes a home RIS's report for what it is to whoever holds the item: the end of their claim, or an interruption.

A final report by the holder completes the claim, is paid as any other, and stops the clock; one by
anybody else, or of before they had it here, stands, and the holder's claim ends at once
(`worklist.intake.home_reports`). It must not decide what a report says; its message does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from allocation.claims import NotEligible
from allocation.reports import ReportGiven, StillArriving, file_report
from allocation.workforce import lock_reporter
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import claim
from worklist.db.tables.people import registration, reporter
from worklist.db.tables.work import reading
from worklist.doubts import open_doubt
from worklist.intake.accessions import item_of_accession, lock_accession
from worklist.intake.home_reports import (
    HomeReport,
    HomeReportStatus,
    receive_home_report,
    stood_at,
    was_recalled_since,
)
from worklist.intake.orders import Outcome
from worklist.intake.patients import can_be_patient_of
from worklist.intake.working_out import hold_cut
from worklist.local_time import CLOCK_SKEW
from worklist.reading import ReadingState, ReportStatus


def take_home_report(connection: Connection, report: HomeReport) -> Outcome:
    """Take a report of the home RIS; the caller commits."""
    if report.status is HomeReportStatus.FINAL and report.reporter is not None:
        hold_cut(connection)  # before the reporter: an import takes both in this order
        reporter_id = _reporter(connection, report.reporter)
        if reporter_id is not None and _complete(connection, report, reporter_id):
            return Outcome.APPLIED
    return receive_home_report(connection, report)


def _complete(connection: Connection, report: HomeReport, reporter_id: int) -> bool:
    """Report what the holder has under their claim, if they may; gives whether that was done. The cut is held."""
    trust = report.message.trust
    lock_reporter(connection, reporter_id)  # before the item, as everyone who reports does
    view_as(connection, Viewer(trust=trust))
    lock_accession(connection, trust, report.accession_number)
    item_id = item_of_accession(connection, trust, report.accession_number)
    made = None if item_id is None else _live_claim(connection, item_id, reporter_id)
    if item_id is None or made is None or not can_be_patient_of(connection, item_id, report.patient):
        return False
    stood = stood_at(report, now(connection))
    if stood.at < made.opened_at - CLOCK_SKEW or was_recalled_since(connection, item_id, stood):
        return False  # it is not what they were given to read here
    given = ReportGiven(ReportStatus.VERIFIED, at_home_since=stood.at)
    actor = f"ris:{report.message.facility}"
    try:
        with connection.begin_nested():
            filed = file_report(connection, actor, reporter_id, made.id, made.token, given)
    except (NotEligible, StillArriving) as error:
        view_as(connection, Viewer(trust=trust))
        why = "may not verify it" if isinstance(error, NotEligible) else "did so while its images were arriving"
        open_doubt(
            connection,
            "home-report-outside-claim",
            trust=trust,
            item_id=item_id,
            detail=f"the home RIS has a final report of the reporter who holds it here, who {why}",
        )
        return False
    view_as(connection, Viewer(trust=trust))
    return filed.superseded is None


def _reporter(connection: Connection, stated: str) -> int | None:
    """Find the one reporter with this code or registration number; two are none."""
    named = (
        select(reporter.c.id)
        .outerjoin(registration, registration.c.reporter_id == reporter.c.id)
        .where(or_(func.upper(reporter.c.code) == stated.upper(), func.upper(registration.c.number) == stated.upper()))
        .distinct()
        .limit(2)
    )
    found = connection.scalars(named).all()
    return found[0] if len(found) == 1 else None


def _live_claim(connection: Connection, item_id: int, reporter_id: int) -> Row[Any, Any, Any] | None:
    """Give the claim that the reporter holds on the item: a lapsed lease holds until somebody else claims.

    `opened_at` (aware UTC) is when they first claimed that reading.
    """
    first = claim.alias("first")
    opened_at = select(func.min(first.c.claimed_at)).where(
        first.c.reading_id == claim.c.reading_id, first.c.reporter_id == reporter_id
    )
    return connection.execute(
        select(claim.c.id, claim.c.token, opened_at.scalar_subquery().label("opened_at"))
        .join(reading, reading.c.id == claim.c.reading_id)
        .where(
            claim.c.item_id == item_id,
            claim.c.reporter_id == reporter_id,
            claim.c.ended_at.is_(None),
            reading.c.state == ReadingState.OPEN.value,
        )
        .order_by(claim.c.id.desc())
        .limit(1)
    ).one_or_none()
