"""Writes the messages that home RIS are sent: ORM^O01 for locks and standing, ORU^R01 for reports (HL7 v2.4).

Pure: no I/O, no clock, no settings. It must not decide what is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from hl7_listener.delivery.wording import Wording
from hl7_listener.header import codec_of
from worklist.alerts.rules import AlertKind
from worklist.home.told import Notice
from worklist.local_time import LONDON
from worklist.reading import ReportStatus

_UNICODE = "UNICODE UTF-8"
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_LINES = re.compile(r"\r\n|\r|\n")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Result status (HL7 table 0123, OBX-11: 0085) by the standing of a report.
_STATUSES = {ReportStatus.PRELIMINARY: "P", ReportStatus.VERIFIED: "F", ReportStatus.ADDENDUM: "C"}

#: What an alert says whose code alone does not.
_IN_WORDS = {AlertKind.MATERIAL_CHANGE.value: "Materially changed since the report that went out before"}

#: Alternate identifier of an observation (CE.4 to CE.6) that holds an addendum.
_ADDENDUM = "^ADT^Addendum^RADPOOL"


@dataclass(frozen=True, slots=True)
class Person:
    """A reporter: professional registration or code, and name."""

    number: str
    name: str


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the patient is, as far as it is known."""

    identifier: str | None = None
    issuer: str | None = None
    nhs_number: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam by the code that the home RIS knows it by, its words and coding scheme."""

    code: str
    words: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one report and their standing."""

    status: ReportStatus
    body: str


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message tells; instants are aware.

    `status` and `stood_at` are those of the report, None for a lock. `words` are in the order of their writing, the
    last is what is new; a report that `amends` takes the place of one that was recalled. `first_reporter` is who
    wrote what `reporter` checked.
    """

    notice: Notice
    control_id: str
    made_at: datetime
    facility: str
    accession_number: str
    patient: Patient
    exams: tuple[Exam, ...]
    placer_order_number: str | None = None
    exam_ended_at: datetime | None = None
    reporter: Person | None = None
    first_reporter: Person | None = None
    status: ReportStatus | None = None
    stood_at: datetime | None = None
    report_id: int | None = None
    words: tuple[Words, ...] = ()
    alerts: tuple[str, ...] = ()
    amends: bool = False


def write(telling: Telling, wording: Wording, character_set: str) -> bytes:
    """Write a message in a character set of HL7 table 0211, or in Unicode where that cannot say it."""
    content = _report(telling, wording) if _is_report(telling) else _order(telling, wording)
    body = "\r".join([_patient(telling.patient), *content])
    try:
        body.encode(codec_of(character_set, "character_set"))
    except UnicodeEncodeError:
        character_set = _UNICODE
    message = f"{_header(telling, wording, character_set)}\r{body}\r"
    return message.encode(codec_of(character_set, "character_set"), "replace")


def _is_report(telling: Telling) -> bool:
    return telling.notice in (Notice.REPORT, Notice.RECALLED)


def _status(telling: Telling, status: ReportStatus) -> str:
    """Give the result status; a verified report in place of a recalled one is a correction."""
    return "C" if telling.amends and status is ReportStatus.VERIFIED else _STATUSES[status]


def _header(telling: Telling, wording: Wording, character_set: str) -> str:
    kind = "ORU^R01" if _is_report(telling) else "ORM^O01"
    return _segment(
        "MSH",
        "^~\\&",
        escaped(wording.application),
        escaped(wording.facility),
        escaped(wording.receiving_application),
        escaped(telling.facility),
        instant(telling.made_at),
        "",
        kind,
        telling.control_id,
        "P",
        wording.version,
        *[""] * 5,
        character_set,
    )


def _patient(patient: Patient) -> str:
    identifiers = []
    if patient.identifier is not None:
        identifiers.append(f"{escaped(patient.identifier)}^^^{escaped(patient.issuer or '')}^PI")
    if patient.nhs_number is not None:
        identifiers.append(f"{patient.nhs_number}^^^NHS^NH")
    name = "^".join((escaped(patient.family_name or ""), escaped(patient.given_name or ""))).rstrip("^")
    born = patient.birth_date.strftime("%Y%m%d") if patient.birth_date else ""
    return _segment("PID", "1", "", "~".join(identifiers), "", name, "", born, escaped(patient.sex or ""))


def _order(telling: Telling, wording: Wording) -> list[str]:
    status = {
        Notice.LOCK_TAKEN: wording.lock_taken,
        Notice.LOCK_RELEASED: wording.lock_released,
        Notice.REPORTED: wording.reported,
    }[telling.notice]
    common = _segment(
        "ORC",
        "SC",
        escaped(telling.placer_order_number or ""),
        escaped(telling.accession_number),
        "",
        status,
        *[""] * 3,
        instant(telling.made_at),
    )
    result = _status(telling, telling.status) if telling.notice is Notice.REPORTED and telling.status else ""
    requests = [_request(number, telling, exam, wording, result) for number, exam in _numbered(telling.exams)]
    alerts = _observations(telling, _alerts(telling)) if result else []
    return [common, requests[0], *alerts, *requests[1:]]


def _report(telling: Telling, wording: Wording) -> list[str]:
    """Write a result: the words stand with the first exam, the others of the accession refer to it."""
    if telling.notice is Notice.RECALLED:
        return _recall(telling, wording)
    assert telling.status is not None
    order_status = wording.reported if telling.status is not ReportStatus.PRELIMINARY else wording.lock_taken
    placer = escaped(telling.placer_order_number or "")
    segments = [_segment("ORC", "RE", placer, escaped(telling.accession_number), "", order_status)]
    for position, exam in _numbered(telling.exams):
        segments.append(_request(position, telling, exam, wording, _status(telling, telling.status)))
        if position == 1:
            segments += _observations(telling, _values(telling, exam, wording))
        else:
            reference = f"Reported with {escaped(telling.exams[0].words or telling.exams[0].code)}"
            segments += _observations(telling, [(wording.value_type, _coded(exam), reference, telling.status)])
    return segments


def _recall(telling: Telling, wording: Wording) -> list[str]:
    """Write that the report is wrong as it stands (OBX-11 `W`): the order is open again, an amended one follows."""
    placer = escaped(telling.placer_order_number or "")
    segments = [_segment("ORC", "RE", placer, escaped(telling.accession_number), "", wording.lock_taken)]
    for position, exam in _numbered(telling.exams):
        told = "The report was recalled. An amended report follows."
        observation = _segment(
            "OBX", "1", wording.value_type, _coded(exam), "1", told, *[""] * 5, "W", "", "", instant(telling.made_at)
        )
        segments += [_request(position, telling, exam, wording, "P"), observation]
    return segments


def _request(position: int, telling: Telling, exam: Exam, wording: Wording, status: str) -> str:
    filler = telling.accession_number
    if wording.report_id_in_obr_3 and telling.report_id is not None:
        filler = str(telling.report_id)
    return _segment(
        "OBR",
        str(position),
        escaped(telling.placer_order_number or ""),
        escaped(filler),
        _coded(exam),
        "",
        "",
        instant(telling.exam_ended_at),
        *[""] * 14,
        instant(telling.stood_at),
        "",
        "",
        status,
        *[""] * 6,
        _named(telling.reporter, "&"),
        _named(telling.first_reporter, "&"),
    )


#: Value type, what is observed, value, standing.
_Value = tuple[str, str, str, ReportStatus]


def _values(telling: Telling, exam: Exam, wording: Wording) -> list[_Value]:
    """Give the words: one formatted value each, or one line of text each, as the RIS takes them; then the alerts."""
    assert telling.status is not None
    words: list[_Value] = [
        (
            wording.value_type,
            _coded(exam) + (_ADDENDUM if one.status is ReportStatus.ADDENDUM else ""),
            part,
            one.status,
        )
        for one in telling.words
        for part in _parts(one.body, wording)
    ]
    return [*words, *_alerts(telling)]


def _alerts(telling: Telling) -> list[_Value]:
    assert telling.status is not None
    return [
        (
            "CE",
            "ALERT^Alert^RADPOOL",
            f"{escaped(alert)}^{_IN_WORDS.get(alert, escaped(alert))}^RADPOOL",
            telling.status,
        )
        for alert in telling.alerts
    ]


def _observations(telling: Telling, values: Sequence[_Value]) -> list[str]:
    return [
        _segment(
            "OBX",
            str(number),
            value_type,
            what,
            str(number),
            value,
            *[""] * 5,
            _status(telling, status),
            "",
            "",
            instant(telling.stood_at),
            "",
            _named(telling.reporter, "^"),
        )
        for number, (value_type, what, value, status) in enumerate(values, start=1)
    ]


def _parts(body: str, wording: Wording) -> list[str]:
    lines = [escaped(line) for line in _LINES.split(body.rstrip())]
    return ["\\.br\\".join(lines)] if wording.value_type == "FT" else lines


def _coded(exam: Exam) -> str:
    return f"{escaped(exam.code)}^{escaped(exam.words)}^{escaped(exam.scheme)}"


def _named(person: Person | None, separator: str) -> str:
    return "" if person is None else f"{escaped(person.number)}{separator}{escaped(person.name)}"


def _numbered(exams: Sequence[Exam]) -> list[tuple[int, Exam]]:
    return list(enumerate(exams or (Exam("", "", ""),), start=1))


def _segment(*fields: str) -> str:
    return "|".join(fields).rstrip("|")


def instant(moment: datetime | None) -> str:
    """Write an instant as the clock in London shows it, with its offset (HL7 v2, TS); nothing for None."""
    return "" if moment is None else moment.astimezone(LONDON).strftime("%Y%m%d%H%M%S%z")


def escaped(text: str) -> str:
    r"""Escape the separators in a text; what cannot be printed becomes a space."""
    return "".join(_ESCAPES.get(one, one) for one in _UNPRINTABLE.sub(" ", text))
