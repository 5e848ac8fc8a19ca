"""Takes updates of a patient from the home RIS (ADT^A08, A31); one transaction each, which the caller commits.

The same message twice changes nothing, nor does the order of messages: a newer one wins, column by column. It must
not parse messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.doubts import open_doubt
from worklist.intake.orders import Message, Outcome, made_at_of
from worklist.intake.patients import record_patient
from worklist.intake.study import PatientAsSent
from worklist.log import audit, events
from worklist.patients.items import follow


@dataclass(frozen=True, slots=True)
class PatientUpdate:
    """What the home RIS states of a patient; `faults` names fields that could not be read, and why, never the value."""

    message: Message
    patient: PatientAsSent
    faults: tuple[tuple[str, str], ...] = ()


def receive_update(connection: Connection, sent: PatientUpdate) -> Outcome:
    """Take what the home RIS states of a patient, whether or not anything else of them has come.

    Items that wait for a report are worked out again where a birth date changed: who may report follows from it.
    """
    message, trust = sent.message, sent.message.trust
    view_as(connection, Viewer(trust=trust))
    recorded = record_patient(connection, trust, sent.patient, made_at_of(message, now(connection)), message.control_id)
    if recorded.settled is None:
        return Outcome.REPEATED if recorded.repeated else Outcome.STALE
    for place, reason in sent.faults:
        detail = f"{place}: {reason}"
        open_doubt(connection, "unreadable-attribute", trust=trust, source=message.facility, detail=detail)
    worked_out = follow(connection, recorded.settled)
    columns = {column for changed in recorded.settled.changed.values() for column in changed} - {"stated_by_ris"}
    if columns:  # which columns, never what stands in them
        told = {"columns": sorted(columns), "items": len(worked_out)}
        events.append(connection, "patient.updated", trust=trust, dimensions=told)
    audit.append(connection, f"ris:{message.facility}", "patient update", items=worked_out)
    return Outcome.APPLIED
