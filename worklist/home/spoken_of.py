"""Finds the item that a home RIS speaks of, or opens one that waits for its images, with what it says of the patient.

It must not decide what the message means for the item.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from worklist.db.engine import Viewer, view_as
from worklist.intake.accessions import item_of_accession, lock_accession, open_item
from worklist.intake.order import Message
from worklist.intake.patients import Recorded, record_patient
from worklist.intake.places import note_spoken_of
from worklist.intake.study import PatientAsSent
from worklist.item import ItemState
from worklist.patients.items import follow


@dataclass(frozen=True, slots=True)
class SpokenOf:
    """An item that is not locked yet, the patient's record if one was stated, other items that were worked out anew."""

    item_id: int
    recorded: Recorded | None
    others: tuple[int, ...]


def find_or_open(
    connection: Connection, message: Message, made_at: datetime, accession_number: str, patient: PatientAsSent
) -> SpokenOf:
    """Give the item of an accession, which is locked; the transaction sees the trust's identities afterwards.

    `made_at` (aware) is when the message is believed to have been made.
    """
    view_as(connection, Viewer(trust=message.trust))
    lock_accession(connection, message.trust, accession_number)
    item_id = item_of_accession(connection, message.trust, accession_number)
    recorded = None
    if item_id is None or patient.identifier is not None:
        recorded = record_patient(connection, message.trust, patient, made_at, message.control_id)
    if item_id is None:
        assert recorded is not None
        item_id = open_item(connection, message.trust, recorded.id, accession_number, ItemState.ORDERED)
        note_spoken_of(connection, message.trust, [accession_number])
    others = tuple(one for one in follow(connection, recorded.settled if recorded else None) if one != item_id)
    return SpokenOf(item_id, recorded, others)
