"""Takes one received object into the worklist: patient, study, series, instance, item; one transaction.

The caller answers its peer only after the commit. The same object twice, or objects in another
order, leave the same state. It must not judge completeness or due times; `worklist.intake.completion` does.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import (
    instance,
    item_study,
    order_identity,
    series,
    study,
    study_identity,
)
from worklist.doubts import close_doubts, open_doubt
from worklist.intake.accessions import item_of_accession, lock_accession, name_item, open_item
from worklist.intake.facts import facts_of, merge
from worklist.intake.patients import can_be_patient_of, fill_patient, record_patient
from worklist.intake.senders import Sender
from worklist.intake.study import ReceivedObject
from worklist.item import REPORTED, ItemState, Move
from worklist.local_time import LocalTime
from worklist.moves import lock_item, make_move


class StudyOfAnotherTrust(ValueError):
    """A study whose UID is already known as another trust's work; it stays that trust's."""

    def __init__(self) -> None:
        super().__init__("this StudyInstanceUID is known as another trust's study; it is not taken twice")


def receive_object(connection: Connection, sender: Sender, received: ReceivedObject) -> bool:
    """Take one object in and give whether it was new; the caller commits.

    Raises
    ------
    StudyOfAnotherTrust
        If the study is another trust's; nothing is written then.
    """
    view_as(connection, Viewer(trust=sender.trust))
    row, known = _known_study(connection, sender, received.study_instance_uid), True
    if row is None:
        if received.accession_number:
            lock_accession(connection, sender.trust, received.accession_number)  # before the patient, as orders do
        row, known = _new_study(connection, sender, received), False
    is_new = _add_instance(connection, row.id, received)
    if is_new:
        row = _add_to_study(connection, row, sender, received)
        if known:
            fill_patient(connection, row.patient_id, received.patient)
    if received.is_image:
        _ensure_item(connection, row, sender, received, is_new=is_new)
    return is_new


def digest_of(uid: str) -> uuid.UUID:
    """Give the digest by which a series or an object is known: its UID is not kept."""
    return uuid.UUID(bytes=hashlib.sha256(uid.encode()).digest()[:16])


def _known_study(connection: Connection, sender: Sender, uid: str) -> Row[Any] | None:
    owner = connection.execute(_OWNER, {"uid": uid}).one_or_none()
    if owner is None:
        connection.execute(_LOCK_UID, {"uid": uid})  # two associations may bring the first object at once
        owner = connection.execute(_OWNER, {"uid": uid}).one_or_none()
    if owner is None:
        return None
    if owner.trust_ods != sender.trust:
        raise StudyOfAnotherTrust
    return connection.execute(select(study).where(study.c.id == owner.study_id).with_for_update()).one()


def _new_study(connection: Connection, sender: Sender, received: ReceivedObject) -> Row[Any]:
    patient_id = record_patient(connection, sender.trust, received.patient)
    row = connection.execute(
        insert(study)
        .values(trust_ods=sender.trust, patient_id=patient_id, source_ae_title=sender.ae_title)
        .returning(study)
    ).one()
    connection.execute(
        insert(study_identity).values(
            study_id=row.id, trust_ods=sender.trust, study_instance_uid=received.study_instance_uid
        )
    )
    return row


def _add_instance(connection: Connection, study_id: int, received: ReceivedObject) -> bool:
    series_id = connection.execute(
        insert(series)
        .values(study_id=study_id, series_digest=digest_of(received.series_instance_uid), modality=received.modality)
        .on_conflict_do_update(
            index_elements=["study_id", "series_digest"],
            set_={"modality": func.coalesce(series.c.modality, text("excluded.modality"))},
        )
        .returning(series.c.id)
    ).scalar_one()
    added = connection.execute(
        insert(instance)
        .values(series_id=series_id, sop_digest=digest_of(received.sop_instance_uid))
        .on_conflict_do_nothing()
        .returning(instance.c.series_id)
    ).one_or_none()
    if added is not None:
        connection.execute(
            update(series).where(series.c.id == series_id).values(instance_count=series.c.instance_count + 1)
        )
    return added is not None


def _add_to_study(connection: Connection, row: Row[Any], sender: Sender, received: ReceivedObject) -> Row[Any]:
    values: dict[str, Any] = {
        "facts": merge(row.facts, facts_of(received)),
        "instance_count": study.c.instance_count + 1,
        "series_count": select(func.count()).where(series.c.study_id == row.id).scalar_subquery(),
        "last_received_at": func.radpool_now(),
    }
    if row.completed_at is None:
        values["quiet_until"] = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, sender.quiet_seconds)
    if received.is_image and received.modality not in row.modalities:
        values["modalities"] = sorted([*row.modalities, received.modality])
    ended = received.acquisition_ended if received.is_image else None
    if ended is not None and _is_later(ended, row):
        values |= {
            "acquisition_ended_at": ended.at,
            "acquisition_ended_as_sent": ended.as_sent,
            "acquisition_ended_zone": ended.zone,
            "acquisition_ended_fold": ended.fold,
            "acquisition_ended_source": ended.source,
        }
    return connection.execute(update(study).where(study.c.id == row.id).values(values).returning(study)).one()


def _is_later(ended: LocalTime, row: Row[Any]) -> bool:
    """Whether an end of acquisition is later than the one known; of two alike the same one always counts."""
    if row.acquisition_ended_at is None:
        return True
    known = (row.acquisition_ended_at, row.acquisition_ended_source, row.acquisition_ended_as_sent)
    return (ended.at, ended.source, ended.as_sent) > known


def _ensure_item(
    connection: Connection, row: Row[Any], sender: Sender, received: ReceivedObject, *, is_new: bool
) -> None:
    """Join the study to the item of its accession; make the item where there is none yet."""
    joined = connection.execute(
        select(item_study.c.item_id, order_identity.c.accession_number)
        .join(order_identity, order_identity.c.item_id == item_study.c.item_id)
        .where(item_study.c.study_id == row.id)
        .limit(1)
    ).one_or_none()
    if joined is None:
        linked = _join_item(connection, row, sender, received)
    else:
        linked = joined.item_id
        if joined.accession_number is None and received.accession_number and row.completed_at is None:
            _name_item(connection, linked, sender, received.accession_number)
    if is_new:
        _note_arrival(connection, linked, sender, received)


def _join_item(connection: Connection, row: Row[Any], sender: Sender, received: ReceivedObject) -> int:
    linked = None
    if received.accession_number:
        lock_accession(connection, sender.trust, received.accession_number)
        linked = item_of_accession(connection, sender.trust, received.accession_number)
    if linked is None:
        linked = open_item(connection, sender.trust, row.patient_id, received.accession_number, ItemState.ARRIVING)
    connection.execute(insert(item_study).values(item_id=linked, study_id=row.id))
    _note_doubts(connection, linked, sender, received)
    return linked


def _name_item(connection: Connection, item_id: int, sender: Sender, accession_number: str) -> None:
    """Take the accession number from a later object: the order of objects does not matter."""
    if name_item(connection, sender.trust, item_id, accession_number):
        outcome = "stated by a later object"
        close_doubts(connection, item_id, "missing-accession-number", by="intake", outcome=outcome)


def _note_doubts(connection: Connection, item_id: int, sender: Sender, received: ReceivedObject) -> None:
    found = list(received.header_faults)
    if not received.accession_number:
        found.append(("AccessionNumber", "missing"))
    if received.patient.identifier is None:
        found.append(("PatientID", "missing"))
    birth_date, today = received.patient.birth_date, _today(connection)
    if birth_date is not None and birth_date > today:
        found.append(("PatientBirthDate", "in the future"))
    kinds = {
        "AccessionNumber": "missing-accession-number",
        "PatientID": "missing-patient-id",
        "PatientBirthDate": "birth-date-not-believed",
    }
    for keyword, reason in found:
        open_doubt(
            connection,
            kinds.get(keyword, "unreadable-attribute"),
            trust=sender.trust,
            source=sender.ae_title,
            item_id=item_id,
            detail=f"{keyword}: {reason}",
        )
    if not can_be_patient_of(connection, item_id, received.patient):
        open_doubt(
            connection,
            "accession-of-two-patients",
            trust=sender.trust,
            source=sender.ae_title,
            item_id=item_id,
            detail="AccessionNumber: already used for another PatientID",
        )


def _note_arrival(connection: Connection, item_id: int, sender: Sender, received: ReceivedObject) -> None:
    """Move an ordered item on, and tell people of images that nobody will read."""
    row = lock_item(connection, item_id)
    if row.state == ItemState.ORDERED:
        make_move(connection, row, Move.IMAGES_ARRIVED)
    elif row.state == ItemState.CANCELLED:
        open_doubt(
            connection,
            "images-of-cancelled-order",
            trust=sender.trust,
            item_id=item_id,
            detail="the order was cancelled and there are images",
        )
    elif row.state in REPORTED and not _before_home_report(row, received):
        open_doubt(
            connection,
            "late-images",
            trust=sender.trust,
            source=sender.ae_title,
            item_id=item_id,
            detail="images arrived after the report",
        )


def _before_home_report(row: Row[Any], received: ReceivedObject) -> bool:
    """Whether the home RIS reported after this was acquired: then its report covers it, however late it comes."""
    ended = received.acquisition_ended
    if row.state != ItemState.REPORTED_ELSEWHERE or row.reported_at is None or ended is None:
        return False
    return bool(ended.at <= row.reported_at)


def _today(connection: Connection) -> date:
    today: date = connection.scalar(text("SELECT (radpool_now() AT TIME ZONE 'Europe/London')::date"))
    return today


_OWNER = text("SELECT study_id, trust_ods FROM study_owner(:uid)")
_LOCK_UID = text("SELECT pg_advisory_xact_lock(7223004, hashtext(:uid))")
