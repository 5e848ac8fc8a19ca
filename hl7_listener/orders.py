"""Maps order messages (ORM^O01, OMI^O23) to orders, one for each accession of a message.

Pure: no I/O, no clock, no settings. It must not take them in; `service` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hl7_listener.dialect import Dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.fields import (
    Faults,
    accession_number_of,
    day_in,
    exam_ended,
    first,
    is_cleared,
    latest,
    meanings,
    message_of,
    needed_by,
    patient_of,
    person_in,
    telephone_in,
)
from hl7_listener.header import Header
from hl7_listener.messages import Group, parts_of, read_groups
from worklist.home.reading import HomeReading
from worklist.intake.orders import Message, Order, OrderControl
from worklist.intake.study import Code
from worklist.turnaround.targets import Setting, Urgency

_CLINICAL_QUESTION_LENGTH = 4000
#: Of several exams of an accession what the first says that says it at all.
_OF_ALL = (
    "setting",
    "clinical_question",
    "placer_order_number",
    "study_instance_uid",
    "requester",
    "call_back",
)
#: What is said in words that a dialect knows.
_IN_WORDS = ("setting", "urgency")
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")


def read_orders(
    octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime
) -> list[Order | HomeReading]:
    """Give the orders of a message, by accession number, then what it says of reading; `received_at` is aware.

    Several orders of one accession are its exams: the accession is cancelled when all of them are.

    Raises
    ------
    MessageFault
        When something that an order needs is missing or not understood.
    """
    message = message_of(header, trust, received_at)
    groups = read_groups(octets, header, default_character_set=dialect.character_set, wanted=dialect.segments())
    if not groups:
        raise MessageFault("ORC", Condition.SEGMENT_SEQUENCE_ERROR, "the message has no order")
    orders: dict[str, Order] = {}
    readings: dict[str, HomeReading] = {}
    for group in groups:
        if (group.text("ORC-1") or "").upper() in dialect.status_controls:
            said = _reading(group, message, dialect)
            if said is not None and (said.being_read or said.accession_number not in readings):
                readings[said.accession_number] = said  # of several exams one that is read is enough
            continue
        order = _order(group, message, dialect, received_at)
        known = orders.get(order.accession_number)
        orders[order.accession_number] = _together(known, order) if known else order
    return [*(orders[number] for number in sorted(orders)), *(readings[number] for number in sorted(readings))]


def _reading(group: Group, message: Message, dialect: Dialect) -> HomeReading | None:
    """Give whether a change of status says that somebody reads; of most statuses none does."""
    word = first(group, dialect.reading_status_fields)
    being_read = None if word is None else dialect.reading_statuses.get(word.upper())
    if being_read is None:
        return None
    return HomeReading(message, accession_number_of(group, dialect), patient_of(group, dialect, []), being_read)


def _order(group: Group, message: Message, dialect: Dialect, received_at: datetime) -> Order:
    faults: Faults = []
    control = _control(group, dialect)
    order = Order(
        message=message,
        accession_number=accession_number_of(group, dialect),
        control=control,
        patient=patient_of(group, dialect, faults),
        setting=_setting(group, dialect),
        urgency=_urgency(group, dialect),
        exams=_exams(group, dialect),
        clinical_question=first(group, dialect.clinical_question_fields, at_most=_CLINICAL_QUESTION_LENGTH),
        placer_order_number=first(group, dialect.placer_fields),
        study_instance_uid=_study_uid(group, dialect, faults),
        requester=person_in(group, dialect.requester_fields),
        call_back=telephone_in(group, dialect.call_back_fields),
        needed_by=needed_by(group, dialect, received_at, faults),
        referral_date=day_in(group, dialect.referral_date_fields, faults),
        exam_ended=exam_ended(group, dialect, message, received_at),
        faults=tuple(faults),
    )
    return replace(order, cleared=_cleared(group, dialect, order))


def _study_uid(group: Group, dialect: Dialect, faults: Faults) -> str | None:
    """Give the StudyInstanceUID that an order names (DICOM PS3.5, 9.1: at most 64 digits and dots)."""
    found = first(group, dialect.study_uid_fields)
    if found is None or _UID.fullmatch(found):
        return found
    faults.append((dialect.study_uid_fields[0], "is no UID"))
    return None


def _cleared(group: Group, dialect: Dialect, order: Order) -> frozenset[str]:
    """Give what the order says is not known any more. Exams and numbers are never cleared: without them it is none."""
    looked_for = {
        "setting": tuple(field for field in dialect.setting_fields if dialect.settings.get(field)),
        "urgency": dialect.urgency_fields if dialect.urgencies else (),
        "clinical_question": dialect.clinical_question_fields,
        "requester": dialect.requester_fields,
        "call_back": dialect.call_back_fields,
        "needed_by": dialect.needed_by_fields,
        "referral_date": dialect.referral_date_fields,
    }
    unreadable = {place for place, _ in order.faults}
    whole = dialect.orders_are_whole and order.control is not OrderControl.CANCEL
    cleared = {
        name
        for name, fields in looked_for.items()
        if fields and getattr(order, name) is None and not unreadable & {*fields}
        # a word of which nothing is known makes what was known before outdated
        if whole or is_cleared(group, fields) or (name in _IN_WORDS and first(group, fields) is not None)
    }
    if is_cleared(group, dialect.exam_ended_fields):
        cleared.add("exam_ended")
    return frozenset(cleared)


def _control(group: Group, dialect: Dialect) -> OrderControl:
    word = group.text("ORC-1")
    if word is None:
        raise MessageFault("ORC-1", Condition.REQUIRED_FIELD_MISSING, "no order control")
    control = dialect.controls.get(word.upper())
    if control is None:
        known = ", ".join(sorted(word for word, meaning in dialect.controls.items() if meaning))
        raise MessageFault("ORC-1", Condition.TABLE_VALUE_NOT_FOUND, f"order controls taken here are {known}")
    return control


def _setting(group: Group, dialect: Dialect) -> Setting | None:
    found = meanings(group, dialect.setting_fields, lambda field: dialect.settings.get(field, {}))
    return found[0] if found else None


def _urgency(group: Group, dialect: Dialect) -> Urgency | None:
    """Give the most urgent of the priorities stated."""
    return min(
        meanings(group, dialect.urgency_fields, lambda _: dialect.urgencies), key=list(Urgency).index, default=None
    )


def _exams(group: Group, dialect: Dialect) -> tuple[Code, ...]:
    found = []
    for field in dialect.exam_fields:
        segment, number, component = parts_of(field)
        begin = component or 1
        code, words, scheme = (group.text(f"{segment}-{number}.{begin + step}") for step in range(3))
        if code or words:
            found.append(Code(code or "", scheme or "", words or ""))
    return tuple(found[:1])


def _together(known: Order, other: Order) -> Order:
    """Give the order of an accession from two of its message; a cancelled one adds no exam to one that stands."""
    standing: Sequence[Order] = [one for one in (known, other) if one.control is not OrderControl.CANCEL] or [
        known,
        other,
    ]
    leading = standing[0]
    stated: dict[str, Any] = {
        name: next((value for one in standing if (value := getattr(one, name)) is not None), None) for name in _OF_ALL
    }
    together = replace(
        leading,
        **stated,
        exams=tuple(dict.fromkeys(exam for one in standing for exam in one.exams)),
        urgency=min(
            (one.urgency for one in standing if one.urgency is not None), key=list(Urgency).index, default=None
        ),
        needed_by=min((one.needed_by for one in standing if one.needed_by), key=lambda one: one.at, default=None),
        referral_date=min((one.referral_date for one in standing if one.referral_date), default=None),
        exam_ended=latest(one.exam_ended for one in standing),
        faults=tuple(dict.fromkeys((*known.faults, *other.faults))),
    )
    cleared = {name for one in standing for name in one.cleared if getattr(together, name) is None}
    return replace(together, cleared=frozenset(cleared))
