"""An order of the home RIS as plain data, and what counts of several: of each field what was said last.

Pure: no I/O, no clock, no settings. What a message leaves out it does not say; what it clears is not known from then
on (HL7 v2.5.1, 2.5.3). It must not depend on the order in which messages were heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from worklist.intake.study import Code, PatientAsSent
from worklist.local_time import LocalTime
from worklist.turnaround.targets import Setting, Urgency


class OrderControl(StrEnum):
    """What an order message does; of two messages of one instant the later in this list is the newer."""

    NEW = "new"
    CHANGE = "change"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    REPEATED = "repeated"  # it had been taken before
    STALE = "stale"  # a newer message of the accession had been taken before
    KEPT_OUT = "kept-out"  # it ends nothing here: our own report stands, or a person must look first


_RANK = [one.value for one in OrderControl]


@dataclass(frozen=True, slots=True)
class Message:
    """Whose message it is and when its sender made it: ODS code of the trust, aware UTC, the sender's own id."""

    facility: str
    trust: str
    made_at: datetime
    control_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an order message says of one accession; None is not said.

    An exam without a code has an empty `Code.value` and its words in `meaning`. `cleared` names fields of this class
    that the message says are not known any more. `faults` names fields that could not be read, and why, never the
    value.
    """

    message: Message
    accession_number: str
    control: OrderControl
    patient: PatientAsSent
    setting: Setting | None = None
    urgency: Urgency | None = None
    exams: tuple[Code, ...] = ()
    clinical_question: str | None = None
    placer_order_number: str | None = None
    study_instance_uid: str | None = None
    exam_ended: LocalTime | None = None
    requester: str | None = None
    call_back: str | None = None
    needed_by: LocalTime | None = None
    referral_date: date | None = None
    cleared: frozenset[str] = frozenset()
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one field (JSON; None: not known any more), when (aware UTC), by a message of which control."""

    value: Any
    at: datetime
    control: str
    message: str

    @property
    def rank(self) -> tuple[datetime, int, int, str]:
        """What is newer, the greater; of messages of one instant and kind the one with the higher number."""
        return self.at, _RANK.index(self.control), len(self.message), self.message


def said_in(order: Order, at: datetime, doubts: Sequence[tuple[str, str]]) -> dict[str, Said]:
    """Give what a message, held to be made `at`, says by field; `doubts` are the exceptions that it raises."""
    needed = order.needed_by
    values: dict[str, Any] = {
        "setting": order.setting and order.setting.value,
        "urgency": order.urgency and order.urgency.value,
        "exams": [[code.value, code.scheme, code.meaning] for code in order.exams] or None,
        "clinical_question": order.clinical_question,
        "placer_order_number": order.placer_order_number,
        "study_instance_uid": order.study_instance_uid,
        "requester": order.requester,
        "call_back": order.call_back,
        "needed_by": needed and [needed.at.isoformat(), needed.as_sent, needed.zone, needed.fold, needed.source],
        "referral_date": order.referral_date and order.referral_date.isoformat(),
        "patient": None if order.patient.identifier is None else [order.patient.issuer or "", order.patient.identifier],
    }
    said = {name: value for name, value in values.items() if value is not None or name in order.cleared}
    said |= {
        "control": order.control.value,
        "doubts": [[kind, detail, order.message.facility] for kind, detail in doubts],
    }
    return {name: Said(value, at, order.control.value, order.message.control_id) for name, value in said.items()}


def together(known: Mapping[str, Said], said: Mapping[str, Said]) -> dict[str, Said]:
    """Give what was said last, field by field; what was not said stays."""
    newest = dict(known)
    for name, one in said.items():
        if name not in newest or one.rank > newest[name].rank:
            newest[name] = one
    return newest


def value_of(said: Mapping[str, Said], name: str) -> Any:
    """Give the value of a field, None where it is not known."""
    return said[name].value if name in said else None


def columns_of(said: Mapping[str, Said]) -> dict[str, Any]:
    """Give what an order's row says of what counts, but for the patient."""
    needed = value_of(said, "needed_by") or [None] * 5
    referred = value_of(said, "referral_date")
    return {
        "control": said["control"].value,
        "setting": value_of(said, "setting"),
        "urgency": value_of(said, "urgency"),
        "exams": value_of(said, "exams") or [],
        "clinical_question": value_of(said, "clinical_question"),
        "requester": value_of(said, "requester"),
        "call_back": value_of(said, "call_back"),
        "needed_by_at": needed[0] and datetime.fromisoformat(needed[0]),
        **dict(
            zip(("needed_by_as_sent", "needed_by_zone", "needed_by_fold", "needed_by_source"), needed[1:], strict=True)
        ),
        "referral_date": referred and date.fromisoformat(referred),
        "message_at": said["control"].at,
    }


def pack(said: Mapping[str, Said]) -> dict[str, list[Any]]:
    """Give what was said as JSON."""
    return {name: [one.at.isoformat(), one.control, one.message, one.value] for name, one in sorted(said.items())}


def unpack(packed: Mapping[str, Sequence[Any]]) -> dict[str, Said]:
    """Give what was said, from JSON."""
    return {
        name: Said(value, datetime.fromisoformat(at), control, message)
        for name, (at, control, message, value) in packed.items()
    }
