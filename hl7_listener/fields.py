"""Maps the fields that messages share: the patient, instants, the accession number, its words.

Pure: no I/O, no clock, no settings. It must not look things up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from hl7_listener.dialect import Dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import Header
from hl7_listener.messages import MAX_TEXT, Group
from worklist.intake.orders import Message
from worklist.intake.study import PatientAsSent
from worklist.local_time import CLOCK_SKEW, LocalTime, resolve

Faults = list[tuple[str, str]]
_Meaning = TypeVar("_Meaning")

#: Who issues NHS numbers, as PID-3.4 says it; the last is its object identifier.
_NHS_AUTHORITIES = frozenset({"NHS", "NHSNBR", "NHSNMBR", "2.16.840.1.113883.2.1.4.1"})
#: HL7 table 0203: national identifiers, and the local ones in order of preference.
_NHS_TYPES = frozenset({"NH", "NHS", "NHSNO"})
_LOCAL_TYPES = ("PI", "MR", "PT", "PK")
_TEN_DIGITS = re.compile(r"^\d{10}$")
#: HL7 v2, 2.A.22: YYYYMMDDHHMM[SS[.S[S[S[S]]]]][+/-ZZZZ]; what follows the day may be missing where a day does.
_INSTANT = re.compile(r"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d{1,4})?([+-]\d{4})?$")
_DAY = re.compile(r"^(\d{4})(\d\d)(\d\d)")
_DAY_LENGTH = 8
_MOST_WORDS = 200
#: A message is taken to be received this soon, which tells the two passes of autumn's repeated hour apart.
_SOON = timedelta(minutes=30)


def message_of(header: Header, trust: str, received_at: datetime) -> Message:
    """Give whose message it is and when it was made (`received_at` is aware).

    Raises
    ------
    MessageFault
        When MSH-7 or MSH-10 is missing or cannot be read.
    """
    if not header.control_id:
        raise MessageFault("MSH-10", Condition.REQUIRED_FIELD_MISSING, "the message has no control id")
    if not header.made_at:
        raise MessageFault("MSH-7", Condition.REQUIRED_FIELD_MISSING, "the message does not say when it was made")
    made_at = _instant(header.made_at, "MSH-7", received_at, not_before=received_at - _SOON)
    if made_at is None:
        raise MessageFault("MSH-7", Condition.DATA_TYPE_ERROR, "not a date and time of the form YYYYMMDDHHMM[SS]")
    return Message(header.sending_facility, trust, made_at.at, header.control_id)


def accession_number_of(group: Group, dialect: Dialect) -> str:
    """Give the accession number, as text.

    Raises
    ------
    MessageFault
        When there is none; it names the field that the dialect looks in last but one segment.
    """
    found = first(group, dialect.accession_fields)
    if found is None:
        named = [field for field in dialect.accession_fields if field.startswith("ORC")] or list(
            dialect.accession_fields
        )
        raise MessageFault(named[0], Condition.REQUIRED_FIELD_MISSING, "no accession number")
    return found


def first(group: Group, fields: Sequence[str], *, at_most: int = 200) -> str | None:
    """Give the first of the fields that is valued."""
    return next((value for field in fields if (value := group.text(field, at_most=at_most)) is not None), None)


def is_cleared(group: Group, fields: Sequence[str]) -> bool:
    """Whether the sender clears what the fields hold: none of them is valued, and one says that nothing is there."""
    return first(group, fields, at_most=MAX_TEXT) is None and any(group.is_cleared(field) for field in fields)


def meanings(
    group: Group, fields: Sequence[str], words: Callable[[str], Mapping[str, _Meaning | None]]
) -> list[_Meaning]:
    """Give what the words in the fields mean, of those that are known; `words` gives the words of a field."""
    stated = ((field, word) for field in fields for word in group.every(field))
    known = (words(field).get(word.upper()) for field, word in stated)
    return [meaning for meaning in known if meaning is not None]


def instant(group: Group, field: str, received_at: datetime) -> LocalTime | None:
    """Give the instant in a field; one that is missing, or no instant, is None."""
    text = group.text(field)
    return None if text is None else _instant(text, field, received_at)


def exam_ended(group: Group, dialect: Dialect, message: Message, received_at: datetime) -> LocalTime | None:
    """Give when the examination ended; a time later than the message was made is a plan, and no end."""
    stated = (instant(group, field, received_at) for field in dialect.exam_ended_fields)
    known = next((one for one in stated if one is not None), None)
    made_at = min(message.made_at, received_at + CLOCK_SKEW)  # a clock that is far ahead says nothing of the end
    return known if known is not None and known.at <= made_at + CLOCK_SKEW else None


def needed_by(group: Group, dialect: Dialect, received_at: datetime, faults: Faults) -> LocalTime | None:
    """Give when the report is needed; a day alone counts from its beginning, the stricter reading."""
    for field in dialect.needed_by_fields:
        text = group.text(field)
        if text is None:
            continue
        found = _instant(text, field, received_at) or _beginning_of(text, field)
        if found is not None:
            return found
        faults.append((field, "is not a date or a time"))
    return None


def day_in(group: Group, fields: Sequence[str], faults: Faults) -> date | None:
    """Give the day in the first of the fields that is valued."""
    for field in fields:
        text = group.text(field)
        if text is not None:
            found = _day(text)
            if found is None:
                faults.append((field, "is not a date"))
            return found
    return None


def person_in(group: Group, fields: Sequence[str]) -> str | None:
    """Give the person in the first of the fields that is valued (XCN): given and family name, else the identifier."""
    for field in fields:
        for parts in group.repetitions(field)[:1]:
            words = [part[0] for part in parts[:3]] + [None] * 3
            named = " ".join(word for word in (words[2], words[1]) if word)
            if named or words[0]:
                return (named or words[0] or "")[:_MOST_WORDS]
    return None


def telephone_in(group: Group, fields: Sequence[str]) -> str | None:
    """Give the number in the first of the fields that is valued (XTN): as formatted, as unformatted, or by parts."""
    for field in fields:
        for parts in group.repetitions(field)[:1]:
            words = [part[0] for part in parts] + [None] * 12
            found = words[0] or words[11] or " ".join(word for word in words[4:8] if word)
            if found:
                return found[:_MOST_WORDS]
    return None


def latest(times: Iterable[LocalTime | None]) -> LocalTime | None:
    """Give the latest of the times that are known."""
    return max((one for one in times if one is not None), key=lambda one: one.at, default=None)


def patient_of(group: Group, dialect: Dialect, faults: Faults) -> PatientAsSent:
    """Give the patient of PID; what cannot be read is left out and named in `faults`."""
    local, nhs_number = identifiers(group, "PID-3", dialect, faults)
    issuer, identifier = local[0] if local else ("NHS", nhs_number) if nhs_number else (None, None)
    names = group.repetitions("PID-5")
    name = [component[0] for component in names[0]] if names else []
    return PatientAsSent(
        identifier=identifier,
        issuer=issuer,
        nhs_number=nhs_number,
        family_name=name[0] if name else None,
        given_name=name[1] if len(name) > 1 else None,
        birth_date=_birth_date(group, faults),
        sex=group.text("PID-8"),
        nhs_number_trace=_nhs_number_trace(group, dialect) if nhs_number else None,
        cleared=_cleared(group, dialect, nhs_number),
    )


def identifiers(
    group: Group, field: str, dialect: Dialect, faults: Faults
) -> tuple[list[tuple[str | None, str]], str | None]:
    """Give the local identifiers of a field (issuer, identifier), the preferred kind first, and the NHS number.

    Two NHS numbers that differ are none.
    """
    local: list[tuple[int, str | None, str]] = []
    numbers = set()
    for one in group.repetitions(field):
        value = one[0][0]
        if value is None:
            continue
        if _issued_by_nhs(one):
            digits = value.replace(" ", "").replace("-", "")
            if _TEN_DIGITS.fullmatch(digits):
                numbers.add(digits)
            else:
                faults.append((field, "is issued as an NHS number and is not ten digits"))
        else:
            issuer = next((part for part in one[3] if part), None) if len(one) > 3 else None
            kind = _kind_of(one)
            preference = _LOCAL_TYPES.index(kind) if kind in _LOCAL_TYPES else len(_LOCAL_TYPES)
            local.append((preference, dialect.patient_issuer or issuer, value))
    if len(numbers) > 1:
        faults.append((field, "has several NHS numbers, none was read"))
    found = [(issuer, value) for _, issuer, value in sorted(local, key=lambda one: one[0])]
    return found, next(iter(numbers)) if len(numbers) == 1 else None


def _issued_by_nhs(one: Sequence[Sequence[str | None]]) -> bool:
    authority = {part for part in (one[3] if len(one) > 3 else ()) if part}
    return bool(authority & _NHS_AUTHORITIES) or _kind_of(one) in _NHS_TYPES


def _kind_of(one: Sequence[Sequence[str | None]]) -> str:
    return ((one[4][0] if len(one) > 4 else None) or "").upper()


def _cleared(group: Group, dialect: Dialect, nhs_number: str | None) -> frozenset[str]:
    """Give what the sender says is not known any more of the patient; an identifier is a key, and is never cleared."""
    says = {
        "family_name": group.is_cleared("PID-5"),
        "given_name": group.is_cleared("PID-5.2"),
        "birth_date": group.is_cleared("PID-7"),
        "sex": group.is_cleared("PID-8"),
        "nhs_number": nhs_number is None
        and any(_issued_by_nhs(one) for one in group.repetitions("PID-3", cleared=True)),
        "nhs_number_trace": is_cleared(group, dialect.nhs_number_status_fields),
    }
    return frozenset(name for name, cleared in says.items() if cleared)


def _nhs_number_trace(group: Group, dialect: Dialect) -> str | None:
    found = meanings(group, dialect.nhs_number_status_fields, lambda _: dialect.nhs_number_statuses)
    return found[0] if found else None


def _birth_date(group: Group, faults: Faults) -> date | None:
    return day_in(group, ("PID-7",), faults)


def _day(text: str) -> date | None:
    match = _DAY.match(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _beginning_of(text: str, field: str) -> LocalTime | None:
    day = _day(text) if len(text) == _DAY_LENGTH else None
    return resolve(day, time(0), as_sent=text, source=field) if day else None


def _instant(text: str, field: str, received_at: datetime, *, not_before: datetime | None = None) -> LocalTime | None:
    match = _INSTANT.match(text)
    if match is None:
        return None
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    try:
        clock = time(hour, minute, int(match[6] or 0))
        offset = _offset(match[7]) if match[7] else None
        return resolve(
            date(year, month, day),
            clock,
            as_sent=text,
            source=field,
            utc_offset=offset,
            received_at=received_at.astimezone(UTC),
            not_before=not_before,
        )
    except ValueError:
        return None


def _offset(text: str) -> timedelta:
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
