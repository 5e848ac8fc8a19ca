"""Opens and closes the exceptions that headers raise on items, so that those stand open that hold.

What a person closed is opened again only when it arises anew. It must not judge headers
(`worklist.intake.header_doubts` does), nor move items.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select, text

from worklist.db.tables.work import header_statement as header
from worklist.db.tables.work import item, item_order, item_study, order_identity, patient, study, study_identity
from worklist.doubts import close_doubt, close_doubts, hold_doubt_open
from worklist.home.kept import note_due
from worklist.intake.header_doubts import HeaderDoubt, doubts_of_headers, no_image_detail
from worklist.intake.header_truth import Statement, patient_of, settle
from worklist.intake.items import Joined
from worklist.intake.patients import can_be_one_person

_BY = "intake"
_TWO_PATIENTS = ("accession-of-two-patients", "AccessionNumber: already used for another PatientID")
_NO_IMAGE = "study-without-images"


def settle_doubts(connection: Connection, joined: Sequence[Joined], *, moved_patients: Collection[int]) -> None:
    """Bring the exceptions of studies and their items in step with what the studies' headers come to.

    `moved_patients` are the studies that got another patient.
    """
    changed = [one for one in joined if _may_differ(one)]
    if changed:
        today = _today(connection)
        for one in changed:
            _settle_headers(connection, one, today)
    for one in joined:
        _settle_no_image(connection, one)
    for item_id in sorted(_of_questioned_patients(joined, moved_patients)):
        settle_two_patients(connection, item_id)


def _may_differ(one: Joined) -> bool:
    return one.before != one.after or one.taken.before != one.taken.after or one.taken.row.facts != one.taken.facts


def _settle_headers(connection: Connection, one: Joined, today: date) -> None:
    before: frozenset[HeaderDoubt] = frozenset()
    after: frozenset[HeaderDoubt] = frozenset()
    taken = one.taken
    if one.before is not None and taken.before is not None:
        named = one.before.accession_number is not None
        before = doubts_of_headers(taken.before, taken.row.facts, has_accession=named, today=today)
    if one.after is not None:
        named = one.after.accession_number is not None
        after = doubts_of_headers(taken.after, taken.facts, has_accession=named, today=today)
    stayed = one.before is not None and one.after is not None and one.before.item_id == one.after.item_id
    if one.after is not None:
        _open(connection, taken.row.trust_ods, one.after.item_id, after - before if stayed else after)
    gone = before - after if stayed else before
    if one.before is not None and gone:
        gone -= _doubts_of_others(connection, one.before.item_id, taken.row.id, today)
        outcome = "stated by a later object" if stayed else "the images are of another accession number"
        _close(connection, one.before.item_id, gone, outcome)


def _open(connection: Connection, trust: str, item_id: int, doubts: Collection[HeaderDoubt]) -> None:
    for one in sorted(doubts):
        hold_doubt_open(
            connection, one.kind, trust=trust, source=one.source_ae_title, item_id=item_id, detail=one.detail
        )


def _close(connection: Connection, item_id: int, doubts: Collection[HeaderDoubt], outcome: str) -> None:
    for one in sorted(doubts):
        close_doubt(
            connection,
            one.kind,
            source=one.source_ae_title,
            item_id=item_id,
            detail=one.detail,
            by=_BY,
            outcome=outcome,
        )


def _doubts_of_others(connection: Connection, item_id: int, study_id: int, today: date) -> frozenset[HeaderDoubt]:
    """Give the exceptions that the other studies of an item raise."""
    others = connection.execute(
        select(study.c.id, study.c.facts, order_identity.c.accession_number)
        .join(item_study, item_study.c.study_id == study.c.id)
        .join(order_identity, order_identity.c.item_id == item_study.c.item_id)
        .where(item_study.c.item_id == item_id, study.c.id != study_id)
    ).all()
    held: frozenset[HeaderDoubt] = frozenset()
    for other in others:
        rows = connection.execute(select(header).where(header.c.study_id == other.id))
        stated = [
            Statement(row.series_id, row.source_ae_title, row.is_image, row.modality, row.stated, row.objects)
            for row in rows
        ]
        named = other.accession_number is not None
        held |= doubts_of_headers(settle(stated), other.facts, has_accession=named, today=today)
    return held


def _settle_no_image(connection: Connection, one: Joined) -> None:
    """Tell people of a study of which nothing is an image, until one comes."""
    taken, detail = one.taken, no_image_detail(one.taken.row.id)
    before, after = (
        None if each is None or each.has_image else each.source_ae_title for each in (taken.before, taken.after)
    )
    if before == after:
        return
    if before is not None:
        close_doubt(connection, _NO_IMAGE, source=before, detail=detail, by=_BY, outcome="images came")
    if after is not None:
        hold_doubt_open(connection, _NO_IMAGE, trust=taken.row.trust_ods, source=after, detail=detail)


def _of_questioned_patients(joined: Sequence[Joined], moved_patients: Collection[int]) -> set[int]:
    questioned = [
        one
        for one in joined
        if not one.opened and (one.before != one.after or one.taken.row.id in moved_patients or _restates(one))
    ]
    return {link.item_id for one in questioned for link in (one.before, one.after) if link is not None}


def _restates(one: Joined) -> bool:
    return one.taken.before is None or one.taken.before.patient_values != one.taken.after.patient_values


def settle_two_patients(connection: Connection, item_id: int) -> None:
    """Tell people of an accession whose order and studies cannot be of one person.

    The transaction sees the trust's identities (`view_as`).
    """
    trust = connection.scalar(select(item.c.trust_ods).where(item.c.id == item_id))
    kind, detail = _TWO_PATIENTS
    if trust is None or can_be_one_person(connection, trust, _records(connection, item_id)):
        close_doubts(connection, item_id, kind, by=_BY, outcome="of one patient")
        note_due(connection, [item_id])
    else:
        hold_doubt_open(connection, kind, trust=trust, item_id=item_id, detail=detail)


def _records(connection: Connection, item_id: int) -> list[Any]:
    """Give whom the item, its order and its studies name; a study names the patient that its headers come to."""
    of_item = select(func.coalesce(item.c.merged_from_id, item.c.patient_id)).where(item.c.id == item_id)
    ordered = select(item_order.c.patient_id).where(item_order.c.item_id == item_id)
    rows = connection.execute(
        select(patient.c.identifier, patient.c.issuer, patient.c.nhs_number).where(
            patient.c.id.in_(of_item.union(ordered))
        )
    ).all()
    voices = connection.scalars(
        select(study_identity.c.stated)
        .join(item_study, item_study.c.study_id == study_identity.c.study_id)
        .where(item_study.c.item_id == item_id)
    ).all()
    return [*rows, *(patient_of(voice) for voice in voices)]


def _today(connection: Connection) -> date:
    today: date = connection.scalar(text("SELECT (radpool_now() AT TIME ZONE 'Europe/London')::date"))
    return today
