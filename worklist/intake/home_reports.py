"""Takes note that the home RIS has a report of its own; one transaction each, which the caller commits.

The same message twice changes nothing, nor does the order of messages. It must not keep report texts:
those belong to the home RIS.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, text, update

from worklist.clock import now
from worklist.db.tables.claims import report as report_table
from worklist.db.tables.log import event
from worklist.db.tables.work import item
from worklist.doubts import open_doubt
from worklist.home.clock import ReportedSource, page_no_longer, stop_clock
from worklist.home.kept import OF_ANOTHER_PATIENT, keep
from worklist.home.spoken_of import find_or_open
from worklist.intake.exam_ends import note_exam_end, work_out_after_pause, worked_out_from_images
from worklist.intake.orders import Message, Outcome, made_at_of
from worklist.intake.patients import can_be_patient_of
from worklist.intake.study import PatientAsSent
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import ItemState, Move
from worklist.life.moves import append_item_event, lock_item, make_move
from worklist.life.withdrawal import withdraw_readings
from worklist.local_time import CLOCK_SKEW, LocalTime
from worklist.log import audit
from worklist.patients.items import name_nameless, note_update

_MESSAGE_TIME = "MSH-7"
_RECEIPT = "receipt"


class HomeReportStatus(StrEnum):
    """Standing of a report of the home RIS."""

    PRELIMINARY = "preliminary"
    FINAL = "final"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class HomeReport:
    """That the home RIS has a report of an accession.

    `reported_at` is when it says that it stood, `reporter` who reported it: a professional registration or a
    reporter's code. `exam_end_cleared` says that no end of the examination is known any more.
    """

    message: Message
    accession_number: str
    patient: PatientAsSent
    status: HomeReportStatus
    reported_at: LocalTime | None = None
    reporter: str | None = None
    exam_ended: LocalTime | None = None
    exam_end_cleared: bool = False


def receive_home_report(connection: Connection, report: HomeReport) -> Outcome:
    """Take note of a report of the home RIS: a final one ends the work here, unless our own stands.

    It may come before order and images; it outranks a cancel. A report of a patient who cannot be the
    item's is put before a person and ends nothing.
    """
    made_at = made_at_of(report.message, now(connection))
    found = find_or_open(connection, report.message, made_at, report.accession_number, report.patient)
    item_id, recorded, others = found.item_id, found.recorded, found.others
    actor = f"ris:{report.message.facility}"
    hold_cut(connection)
    row = lock_item(connection, item_id)
    if not can_be_patient_of(connection, item_id, report.patient):
        _doubt(connection, row, OF_ANOTHER_PATIENT, "PID-3: is not the patient of this accession")
        keep(connection, row, "report", report)
        note_update(connection, actor, recorded, others)
        return Outcome.KEPT_OUT
    if recorded is not None:
        row = name_nameless(connection, row, recorded.id)
    exam_end_noted = note_exam_end(connection, row, made_at, report.exam_ended, cleared=report.exam_end_cleared)
    if exam_end_noted and worked_out_from_images(connection, row):
        work_out(connection, item_id)
    if report.status is HomeReportStatus.FINAL:
        outcome = _end_work_here(connection, row, report)
    else:
        outcome = _note(connection, row, report)
    if outcome is Outcome.APPLIED:
        work_out_after_pause(connection, item_id)
    if exam_end_noted:
        audit.append(connection, actor, "exam end stated", items=[item_id, *others])
    if outcome is Outcome.APPLIED:
        audit.append(connection, actor, f"home report {report.status.value}", items=[item_id, *others])
    elif not exam_end_noted:
        note_update(connection, actor, recorded, others)
    return outcome


def _end_work_here(connection: Connection, row: Row[Any], report: HomeReport) -> Outcome:
    stood = stood_at(report, now(connection))
    if was_recalled_since(connection, row.id, stood):
        if not _says_when(stood) and row.reported_at is None:
            detail = "OBR-22: missing: it may be the report that was recalled"
            _doubt(connection, row, "home-report-after-recall", detail)
        return Outcome.KEPT_OUT
    if row.state in (ItemState.VERIFIED, ItemState.ADDENDUM):
        return _confirm(connection, row, report, stood)
    when = {
        "reported_at_as_sent": stood.as_sent,
        "zone": stood.zone,
        "fold": stood.fold,
        "reported_at_source": stood.source,
    }
    if row.state == ItemState.REPORTED_ELSEWHERE:
        if row.reported_at is not None and row.reported_at <= stood.at:
            return Outcome.REPEATED
        # The first final report stops the clock, whichever of several is heard of first.
        values = {"reported_at": stood.at, "reported_source": ReportedSource.HOME_REPORT.value}
        connection.execute(update(item).where(item.c.id == row.id).values(**values))
        append_item_event(connection, row, "item.reported-at-home-earlier", dimensions=when)
        return Outcome.APPLIED
    ended = withdraw_readings(connection, row.id)
    make_move(
        connection,
        row,
        Move.REPORTED_AT_HOME,
        dimensions={**when, "claims_ended": list(ended)},
        reported_at=stood.at,
        reported_source=ReportedSource.HOME_REPORT.value,
    )
    if ended:
        _doubt(
            connection, row, "reported-at-home-while-claimed", "the home RIS reported it while a reporter had it here"
        )
    return Outcome.APPLIED


def was_recalled_since(connection: Connection, item_id: int, stood: LocalTime) -> bool:
    """Whether what the home RIS reports is what was recalled here: it stood before the recall, so it says no more.

    A report that does not say when it stood may be the recalled one sent again.
    """
    recalled = select(report_table.c.recalled_at).where(report_table.c.item_id == item_id)
    latest = connection.scalar(recalled.order_by(report_table.c.recalled_at.desc().nulls_last()).limit(1))
    return latest is not None and (stood.at <= latest or not _says_when(stood))


def _says_when(stood: LocalTime) -> bool:
    """Whether it is the report that says when it stood, and not its message."""
    return stood.source not in (_MESSAGE_TIME, _RECEIPT)


def _confirm(connection: Connection, row: Row[Any], report: HomeReport, stood: LocalTime) -> Outcome:
    """Take a final report of the home RIS for what it has of ours: then it is available there.

    What it says of words that came from us is when we wrote them: its message tells when it had them.
    """
    verified = connection.execute(_VERIFIED, {"item": row.id}).one_or_none()
    ours = verified is not None and verified.has_words
    moment = now(connection)
    at = max(stood.at, min(made_at_of(report.message, moment), moment)) if ours else stood.at
    of_another = verified is not None and report.reporter is not None and report.reporter.upper() not in verified.names
    if ours and row.verified_at - CLOCK_SKEW <= at < row.verified_at:
        at = row.verified_at  # its clock is a little slow
    if of_another or (ours and at < row.verified_at):
        _doubt(connection, row, "reported-twice", "the home RIS has a final report of its own beside ours")
    actor = f"ris:{report.message.facility}"
    if not stop_clock(connection, row, at, ReportedSource.HOME_REPORT, by=actor):
        return Outcome.KEPT_OUT
    page_no_longer(connection, row.id, by=actor, outcome="reported at home")
    return Outcome.APPLIED


def stood_at(report: HomeReport, moment: datetime) -> LocalTime:
    """Give when the report stood: as it says, else when the message was made; never a time in the future."""
    made_at = report.message.made_at
    candidates = (report.reported_at, LocalTime(made_at.isoformat(), "UTC", 0, _MESSAGE_TIME, made_at))
    for candidate in candidates:
        if candidate is not None and candidate.at <= moment + CLOCK_SKEW:
            return candidate
    return LocalTime(moment.isoformat(), "UTC", 0, _RECEIPT, moment)


def _note(connection: Connection, row: Row[Any], report: HomeReport) -> Outcome:
    """Write down a report that is not final; a message taken before is not written twice."""
    kind = f"item.{report.status.value}-at-home"
    digest = hashlib.sha256(f"{report.message.facility}\x1f{report.message.control_id}".encode()).hexdigest()[:32]
    known = select(event.c.id).where(
        event.c.item_id == row.id, event.c.kind == kind, event.c.dimensions["message"].astext == digest
    )
    if connection.scalar(known.limit(1)) is not None:
        return Outcome.REPEATED
    append_item_event(connection, row, kind, dimensions={"message": digest})
    if report.status is HomeReportStatus.WITHDRAWN:
        _doubt(
            connection,
            row,
            "home-report-withdrawn",
            "the home RIS withdrew a report; a person decides what is to be read",
        )
    return Outcome.APPLIED


def _doubt(connection: Connection, row: Row[Any], kind: str, detail: str) -> None:
    open_doubt(connection, kind, trust=row.trust_ods, item_id=row.id, detail=detail)


#: Who verified an item here, by every name that a RIS may know them by, and whether the words are from here.
_VERIFIED = text("""
SELECT ARRAY(SELECT upper(r.code) UNION SELECT upper(g.number) FROM registration g WHERE g.reporter_id = r.id) AS names,
       EXISTS (SELECT FROM report_text t WHERE t.report_id = p.id)
       OR EXISTS (SELECT FROM delivery d WHERE d.report_id = p.id AND d.notice = 'report') AS has_words
FROM report p JOIN reporter r ON r.id = p.reporter_id
WHERE p.item_id = :item AND p.status = 'verified' AND NOT p.superseded AND p.recalled_at IS NULL
ORDER BY p.id DESC LIMIT 1
""")
