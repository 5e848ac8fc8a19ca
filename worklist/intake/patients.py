"""Records patients as home RIS name them, and tells whether two records can be one person.

It must not merge records: only (trust, issuer, identifier) is a key, an NHS number is none, and the home RIS alone
says that two are one (`worklist.patients.merges`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, delete, exists, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.work import item, item_order, item_study, patient, study
from worklist.identity import nhs_number_status
from worklist.intake.study import PatientAsSent
from worklist.patients.records import Settled, settle_records
from worklist.patients.stating import columns_of, pack, stated_in, together, unpack


@dataclass(frozen=True, slots=True)
class Recorded:
    """The row of a patient whom a message names; `settled` is what changed by it, None where it said nothing new.

    `repeated` says that something of this very message counts already.
    """

    id: int
    settled: Settled | None
    repeated: bool = False


class Identified(Protocol):
    """What identifies a patient in a record: a row of `patient`, or the patient as sent."""

    @property
    def identifier(self) -> str | None:
        """The local identifier."""

    @property
    def issuer(self) -> str | None:
        """Who issued the local identifier; empty or None where that was not said."""

    @property
    def nhs_number(self) -> str | None:
        """The NHS number as sent."""


def record_patient(connection: Connection, trust: str, sent: PatientAsSent, at: datetime, message: str) -> Recorded:
    """Record what a message of the home RIS, made `at` (aware UTC), states of a patient, and give the row.

    What was not sent stays as it was known, a newer message wins over an older one, and what was stated is not
    changed by headers any more. Without an identifier every call makes a row. The row is locked then.
    """
    said = stated_in(sent, at, message)
    if sent.identifier is None:
        values = {**columns_of(said, ()), "stated": pack(said)}
        made = connection.execute(insert(patient).values(trust_ods=trust, **values).returning(patient.c.id))
        return Recorded(int(made.scalar_one()), None)
    found = insert(patient).values(trust_ods=trust, issuer=sent.issuer or "", identifier=sent.identifier)
    row = connection.execute(
        found.on_conflict_do_update(
            index_elements=["trust_ods", "issuer", "identifier"], set_={"updated_at": patient.c.updated_at}
        ).returning(patient)
    ).one()
    known = unpack(row.stated)
    newest = together(known, said)
    if newest == known:
        return Recorded(row.id, None, repeated=any((one.at, one.message) == (at, message) for one in known.values()))
    return Recorded(row.id, settle_records(connection, [row.id], {row.id: newest}))


def drop_nameless(connection: Connection, patient_id: int) -> None:
    """Drop a record without identifier that neither an item nor an order nor a study names any more."""
    connection.execute(
        delete(patient).where(
            patient.c.id == patient_id,
            patient.c.identifier.is_(None),
            ~exists().where(study.c.patient_id == patient.c.id),
            ~exists().where(or_(item.c.patient_id == patient.c.id, item.c.merged_from_id == patient.c.id)),
            ~exists().where(item_order.c.patient_id == patient.c.id),
        )
    )


def can_be_patient_of(connection: Connection, item_id: int, sent: Identified) -> bool:
    """Whether the patient as sent can be the one whom the item's images and order name.

    The transaction sees the trust's identities (`view_as`).
    """
    images = select(study.c.patient_id).join(item_study, item_study.c.study_id == study.c.id)
    known = connection.execute(
        select(patient.c.trust_ods, patient.c.identifier, patient.c.issuer, patient.c.nhs_number).where(
            patient.c.id.in_(
                select(item.c.patient_id)
                .where(item.c.id == item_id)
                .union(
                    select(item.c.merged_from_id).where(item.c.id == item_id),
                    select(item_order.c.patient_id).where(item_order.c.item_id == item_id),
                    images.where(item_study.c.item_id == item_id),
                )
            )
        )
    ).all()
    return not known or can_be_one_person(connection, known[0].trust_ods, [*known, sent])


def can_be_one_person(connection: Connection, trust: str, records: Iterable[Identified]) -> bool:
    """Whether no two of the records contradict each other.

    What the home RIS has merged is one person. Else two valid NHS numbers decide, else the local identifiers do,
    unless one of the two was not sent or they come from different issuers that both were named.
    """
    known = list(records)
    doubtful = [(one, other) for place, one in enumerate(known) for other in known[:place] if _contradict(one, other)]
    if not doubtful:
        return True
    persons = _persons(connection, trust, {_identity(one) for pair in doubtful for one in pair})
    return all(
        _identity(one) in persons and persons[_identity(one)] == persons.get(_identity(other))
        for one, other in doubtful
    )


def _persons(connection: Connection, trust: str, identities: Collection[tuple[str, str | None]]) -> dict[Any, int]:
    """Give the records that survive of identifiers that are known."""
    rows = connection.execute(
        select(patient.c.issuer, patient.c.identifier, func.coalesce(patient.c.merged_into, patient.c.id)).where(
            patient.c.trust_ods == trust,
            tuple_(patient.c.issuer, patient.c.identifier).in_([one for one in identities if one[1] is not None]),
        )
    )
    return {(issuer, identifier): survivor for issuer, identifier, survivor in rows}


def _identity(one: Identified) -> tuple[str, str | None]:
    return one.issuer or "", one.identifier


def _contradict(one: Identified, other: Identified) -> bool:
    if _valid(one.nhs_number) and _valid(other.nhs_number):
        return one.nhs_number != other.nhs_number
    if not one.identifier or not other.identifier:
        return False
    if one.issuer and other.issuer and one.issuer != other.issuer:
        return True
    return one.identifier != other.identifier


def _valid(nhs_number: str | None) -> bool:
    return nhs_number_status(nhs_number) == "present-untraced"
