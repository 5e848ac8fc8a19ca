"""Reads what a message to a home RIS says, at the moment in which it is sent; the read is audited.

It must not choose what is told, nor word it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from hl7_listener.delivery.line import Taken
from hl7_listener.delivery.writing import Exam, Patient, Person, Telling, Words
from worklist.alerts.rules import AlertKind
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.catalogue import exam_as_sent
from worklist.db.tables.claims import report, report_text
from worklist.db.tables.network import exam
from worklist.db.tables.people import registration, reporter
from worklist.db.tables.work import item, item_exam, item_order, order_identity, patient
from worklist.home.told import Notice
from worklist.log import audit
from worklist.reading import Discrepancy, ReportStatus


class NotToBeSent(Exception):
    """A message that must not leave as it is: it would say something else in the RIS than it says here."""


def read_telling(connection: Connection, taken: Taken) -> Telling:
    """Give what a message says.

    Raises
    ------
    NotToBeSent
        If the item has no accession number, by which the RIS would know it, or if the report that an addendum adds to
        is not kept here: the RIS would put the addendum in its place.
    """
    view_as(connection, Viewer(trust=taken.trust))
    row = connection.execute(
        select(
            item.c.clock_start_at,
            order_identity.c.accession_number,
            order_identity.c.placer_order_number,
            item_order.c.exams.label("ordered"),
            patient,
        )
        .join(patient, patient.c.id == item.c.patient_id)
        .outerjoin(order_identity, order_identity.c.item_id == item.c.id)
        .outerjoin(item_order, item_order.c.item_id == item.c.id)
        .where(item.c.id == taken.item_id)
    ).one()
    if row.accession_number is None:
        raise NotToBeSent("the item has no accession number")
    given = _report(connection, taken)
    telling = Telling(
        notice=taken.notice,
        control_id=taken.control_id,
        made_at=taken.made_at,
        facility=taken.destination,
        accession_number=row.accession_number,
        placer_order_number=row.placer_order_number,
        patient=Patient(
            row.identifier,
            row.issuer or None,
            row.nhs_number if row.nhs_number_status != "invalid" else None,
            row.family_name,
            row.given_name,
            row.birth_date,
            row.sex,
        ),
        exams=_exams(connection, taken.item_id, row.ordered),
        exam_ended_at=row.clock_start_at,
        reporter=_person(connection, taken.reporter_id),
        first_reporter=_first_reporter(connection, taken),
        status=ReportStatus(given.status) if given is not None else None,
        stood_at=given.received_at if given is not None else None,
        report_id=taken.report_id,
        words=_words(connection, taken, given),
        alerts=_alerts(given),
        amends=given is not None and _amends(connection, given),
    )
    audit.append(
        connection,
        f"ris:{taken.destination}",
        f"{taken.notice} read to be sent",
        items=[taken.item_id],
        detail={"delivery": taken.id, "attempt": taken.attempt},
    )
    return telling


def _report(connection: Connection, taken: Taken) -> Row[Any] | None:
    if taken.report_id is None:
        return None
    return connection.execute(select(report).where(report.c.id == taken.report_id)).one()


def _alerts(given: Row[Any] | None) -> tuple[str, ...]:
    """Give what a report alerts to, and that it changed what had gone out, where it did so materially."""
    if given is None:
        return ()
    changed = (AlertKind.MATERIAL_CHANGE.value,) if given.discrepancy == Discrepancy.MATERIAL else ()
    return (*given.alerts, *changed)


def _amends(connection: Connection, given: Row[Any]) -> bool:
    """Whether a report takes the place of one that was recalled."""
    earlier = select(report.c.id).where(
        report.c.item_id == given.item_id, report.c.id < given.id, report.c.recalled_at.is_not(None)
    )
    return bool(connection.scalar(select(earlier.exists())))


def _exams(connection: Connection, item_id: int, ordered: list[list[str]] | None) -> tuple[Exam, ...]:
    """Give the exams as the RIS ordered them, else as the catalogue knows them, else as the images named them."""
    if ordered:
        return tuple(Exam(code, words, scheme) for code, scheme, words in ordered)
    as_sent = (exam_as_sent.c.item_id == item_exam.c.item_id) & (exam_as_sent.c.position == item_exam.c.position)
    rows = connection.execute(
        select(
            item_exam.c.exam_code,
            exam.c.description,
            exam_as_sent.c.code.label("code_as_sent"),
            exam_as_sent.c.scheme.label("scheme_as_sent"),
            exam_as_sent.c.description.label("description_as_sent"),
        )
        .outerjoin(exam, exam.c.code == item_exam.c.exam_code)
        .outerjoin(exam_as_sent, as_sent)
        .where(item_exam.c.item_id == item_id)
        .order_by(item_exam.c.position)
    )
    return tuple(
        Exam(row.exam_code, row.description, "NICIP")
        if row.exam_code is not None
        else Exam(row.code_as_sent or "", row.description_as_sent or "", row.scheme_as_sent or "")
        for row in rows
    )


def _person(connection: Connection, reporter_id: int | None) -> Person | None:
    if reporter_id is None:
        return None
    row = connection.execute(select(reporter).where(reporter.c.id == reporter_id)).one()
    number = connection.scalar(
        select(registration.c.number)
        .where(registration.c.reporter_id == reporter_id)
        .order_by(registration.c.body)
        .limit(1)
    )
    return Person(number or row.code, row.name)


def _first_reporter(connection: Connection, taken: Taken) -> Person | None:
    """Give who wrote the preliminary report that this one checked, if that was somebody else."""
    if taken.report_id is None:
        return None
    first = connection.scalar(
        select(report.c.reporter_id)
        .where(
            report.c.item_id == taken.item_id,
            report.c.id < taken.report_id,
            report.c.status == ReportStatus.PRELIMINARY.value,
            ~report.c.superseded,
            report.c.recalled_at.is_(None),
        )
        .order_by(report.c.id.desc())
        .limit(1)
    )
    return None if first == taken.reporter_id else _person(connection, first)


def _words(connection: Connection, taken: Taken, given: Row[Any] | None) -> tuple[Words, ...]:
    """Give the words of a report; an addendum comes with what it adds to."""
    if given is None or taken.notice is not Notice.REPORT:
        return ()
    wanted = report.c.id == given.id
    if given.status == ReportStatus.ADDENDUM:
        written = (report.c.id <= given.id) & (report.c.status != ReportStatus.PRELIMINARY.value)
        wanted = written & report.c.recalled_at.is_(None)
    rows = connection.execute(
        select(report.c.status, report_text.c.body)
        .join(report_text, report_text.c.report_id == report.c.id)
        .where(report.c.item_id == taken.item_id, ~report.c.superseded, wanted)
        .order_by(report.c.id)
    )
    words = tuple(Words(ReportStatus(row.status), row.body) for row in rows)
    if given.status == ReportStatus.ADDENDUM and ReportStatus.VERIFIED not in {one.status for one in words}:
        raise NotToBeSent("the words that it adds to are not here: add it in the RIS by hand")
    return words
