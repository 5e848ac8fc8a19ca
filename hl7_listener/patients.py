"""Maps messages on patients (ADT): updates (A08, A31), merges (A40), changes of identifiers (A47), unlinks (A37).

Structures after HL7 v2.4 and v2.5.1, chapter 3. Pure: no I/O, no clock, no settings. It must not know who is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hl7_listener.dialect import Dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.fields import Faults, identifiers, instant, message_of, patient_of
from hl7_listener.header import Header
from hl7_listener.messages import Group, read_patients
from worklist.intake.orders import Message
from worklist.intake.study import PatientAsSent
from worklist.patients.merges import Merge, Unlink
from worklist.patients.merging import Identity, Kind
from worklist.patients.updates import PatientUpdate

_NHS_NUMBER_ALONE = "an NHS number alone; nothing is merged on it, a local identifier is needed"


def read_update(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> PatientUpdate:
    """Give what a message of one patient (A08, A31) states of them; `received_at` is aware.

    Raises
    ------
    MessageFault
        When it names no patient, more than one, or one without an identifier.
    """
    [group] = _patients(octets, header, dialect, exactly=1)
    faults: Faults = []
    patient = patient_of(group, dialect, faults)
    _require_identifier(patient)
    return PatientUpdate(_message(group, header, trust, received_at), patient, tuple(faults))


def read_merges(
    octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime
) -> tuple[list[Merge], list[PatientUpdate]]:
    """Give the merges of a message: each PID is who survives, the MRG-1 after it the identifiers retired.

    An A47 that changes no local identifier, only the NHS number, is an update instead. `received_at` is aware.

    Raises
    ------
    MessageFault
        When a patient has no MRG, or one of the two has no local identifier, or both are the same.
    """
    kind = Kind.CHANGE if header.event == "A47" else Kind.MERGE
    merges, updates = [], []
    for group in _patients(octets, header, dialect):
        faults: Faults = []
        patient = patient_of(group, dialect, faults)
        message = _message(group, header, trust, received_at)
        surviving = _local(group, "PID-3", dialect, faults)
        retired = dict.fromkeys(one for one in _retired(group, dialect, faults, kind) if one not in surviving)
        told = tuple(dict.fromkeys(faults))
        if retired:
            merges.append(Merge(message, kind, patient, tuple(retired), told))
        elif kind is Kind.CHANGE:
            updates.append(PatientUpdate(message, patient, told))
        else:
            raise MessageFault("MRG-1", Condition.DUPLICATE_KEY_IDENTIFIER, "names the surviving patient itself")
    return merges, updates


def read_unlink(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> Unlink:
    """Give which two patients a message (A37) says are two; `received_at` is aware.

    Raises
    ------
    MessageFault
        When it does not name two patients by local identifiers.
    """
    groups = _patients(octets, header, dialect, exactly=2)
    one, other = (_local(group, "PID-3", dialect, [])[0] for group in groups)
    if one == other:
        raise MessageFault("PID-3", Condition.DUPLICATE_KEY_IDENTIFIER, "names one patient twice")
    return Unlink(_message(groups[0], header, trust, received_at), one, other)


def _patients(octets: bytes, header: Header, dialect: Dialect, *, exactly: int | None = None) -> Sequence[Group]:
    wanted = {"EVN", "MRG", *dialect.segments()} - {"ORC", "OBR"}
    groups = read_patients(octets, header, default_character_set=dialect.character_set, wanted=wanted)
    if exactly is not None and len(groups) != exactly:
        reason = "the message is of one patient" if exactly == 1 else f"the message is of {exactly} patients"
        raise MessageFault("PID", Condition.SEGMENT_SEQUENCE_ERROR, reason)
    return groups


def _message(group: Group, header: Header, trust: str, received_at: datetime) -> Message:
    """Give whose message it is and when what it tells was recorded: by EVN-2, which a message sent late keeps."""
    message = message_of(header, trust, received_at)
    recorded = instant(group, "EVN-2", received_at)
    # without seconds it is no finer an order than MSH-7, and later than its message it is of another clock
    if recorded is None or len(recorded.as_sent) < 14 or recorded.at > message.made_at:
        return message
    return replace(message, made_at=recorded.at)


def _require_identifier(patient: PatientAsSent) -> None:
    if patient.identifier is None:
        raise MessageFault("PID-3", Condition.REQUIRED_FIELD_MISSING, "no patient identifier")


def _retired(group: Group, dialect: Dialect, faults: Faults, kind: Kind) -> list[Identity]:
    if "MRG" not in group.segments:
        raise MessageFault("MRG", Condition.SEGMENT_SEQUENCE_ERROR, "no MRG segment after the patient")
    local, nhs_number = identifiers(group, "MRG-1", dialect, faults)
    if kind is Kind.CHANGE and nhs_number is not None and not local:
        return []
    return _local(group, "MRG-1", dialect, faults)


def _local(group: Group, field: str, dialect: Dialect, faults: Faults) -> list[Identity]:
    """Give the local identifiers of a field, of which there must be one."""
    local, nhs_number = identifiers(group, field, dialect, faults)
    if not local and nhs_number is not None:
        raise MessageFault(field, Condition.UNKNOWN_KEY_IDENTIFIER, _NHS_NUMBER_ALONE)
    if not local:
        raise MessageFault(field, Condition.REQUIRED_FIELD_MISSING, "no patient identifier")
    return [(issuer or "", identifier) for issuer, identifier in local]
