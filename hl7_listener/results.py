"""Maps result messages (ORU^R01) to what is known of home reports, one for each accession of a message.

Pure: no I/O, no clock, no settings. It must not look into the words of a report.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from hl7_listener.dialect import Dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.fields import (
    Faults,
    accession_number_of,
    exam_ended,
    instant,
    is_cleared,
    latest,
    message_of,
    patient_of,
)
from hl7_listener.header import Header
from hl7_listener.messages import Group, read_groups
from worklist.intake.home_reports import HomeReport, HomeReportStatus
from worklist.intake.orders import Message


def read_home_reports(
    octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime
) -> list[HomeReport]:
    """Give the reports of a message, by accession number; `received_at` is aware.

    An accession with several results is final when all of them are, and since the last of them was.

    Raises
    ------
    MessageFault
        When something that a report needs is missing or not understood.
    """
    message = message_of(header, trust, received_at)
    groups = read_groups(octets, header, default_character_set=dialect.character_set, wanted=dialect.segments())
    if not groups:
        raise MessageFault("OBR", Condition.SEGMENT_SEQUENCE_ERROR, "the message has no result")
    reports: dict[str, HomeReport] = {}
    for group in groups:
        report = _report(group, message, dialect, received_at)
        known = reports.get(report.accession_number)
        reports[report.accession_number] = _together(known, report) if known else report
    return [reports[number] for number in sorted(reports)]


def _report(group: Group, message: Message, dialect: Dialect, received_at: datetime) -> HomeReport:
    faults: Faults = []
    times = (instant(group, field, received_at) for field in dialect.reported_at_fields)
    return HomeReport(
        message=message,
        accession_number=accession_number_of(group, dialect),
        patient=patient_of(group, dialect, faults),
        status=_status(group, dialect),
        reported_at=next((moment for moment in times if moment is not None), None),
        reporter=_reporter(group, dialect),
        exam_ended=exam_ended(group, dialect, message, received_at),
        exam_end_cleared=is_cleared(group, dialect.exam_ended_fields),
    )


def _reporter(group: Group, dialect: Dialect) -> str | None:
    """Give who reported, in the words of the dialect; of a name's parts the first is the identifier."""
    for field in dialect.reporter_fields:
        for repetition in group.repetitions(field):
            stated = repetition[0][0]
            if stated is not None:
                return dialect.reporters.get(stated.upper(), stated)
    return None


def _status(group: Group, dialect: Dialect) -> HomeReportStatus:
    for field in dialect.report_status_fields:
        words = group.every(field)
        if words:
            known = {dialect.report_statuses.get(word.upper()) for word in words}
            if None in known:
                raise MessageFault(field, Condition.TABLE_VALUE_NOT_FOUND, "not a status that the dialect knows")
            return _weakest({status for status in known if status is not None})
    raise MessageFault(dialect.report_status_fields[0], Condition.REQUIRED_FIELD_MISSING, "no result status")


def _weakest(statuses: Collection[HomeReportStatus]) -> HomeReportStatus:
    for status in (HomeReportStatus.PRELIMINARY, HomeReportStatus.FINAL):
        if status in statuses:
            return status
    return HomeReportStatus.WITHDRAWN


def _together(known: HomeReport, other: HomeReport) -> HomeReport:
    return replace(
        known,
        status=_weakest({known.status, other.status}),
        reporter=known.reporter if known.reporter == other.reporter else None,
        reported_at=latest((known.reported_at, other.reported_at)),
        exam_ended=latest((known.exam_ended, other.exam_ended)),
        exam_end_cleared=known.exam_end_cleared and other.exam_end_cleared,
    )
