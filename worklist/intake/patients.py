"""Records patients as sources name them, and tells whether two records can be one person.

It must not merge records: only (trust, issuer, identifier) is a key, and an NHS number is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.work import item, item_order, item_study, patient, study
from worklist.identity import name_key, nhs_number_status
from worklist.intake.study import PatientAsSent


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


def record_patient(connection: Connection, trust: str, sent: PatientAsSent) -> int:
    """Insert the patient or bring the known one up to date, and give the id of the row.

    What was not sent stays as it was known. Without an identifier every call makes a row.
    """
    values = {
        "nhs_number": sent.nhs_number,
        "nhs_number_status": nhs_number_status(sent.nhs_number),
        "family_name": sent.family_name,
        "given_name": sent.given_name,
        "name_key": name_key(sent.family_name, sent.given_name),
        "birth_date": sent.birth_date,
        "sex": sent.sex,
    }
    stated = {name: value for name, value in values.items() if value not in (None, "not-sent")}
    statement = insert(patient).values(trust_ods=trust, issuer=sent.issuer or "", identifier=sent.identifier, **values)
    if sent.identifier is None:
        return int(connection.execute(statement.returning(patient.c.id)).scalar_one())
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["trust_ods", "issuer", "identifier"],
                set_={**stated, "updated_at": func.radpool_now()},
            ).returning(patient.c.id)
        ).scalar_one()
    )


def fill_patient(connection: Connection, patient_id: int, sent: PatientAsSent) -> None:
    """Add what a later object states of a patient and the first did not; nothing known is changed."""
    stated = {"birth_date": sent.birth_date, "sex": sent.sex, "family_name": sent.family_name}
    missing = [patient.c[name].is_(None) for name, value in stated.items() if value is not None]
    if not missing:
        return
    connection.execute(
        update(patient)
        .where(patient.c.id == patient_id, or_(*missing))
        .values(
            birth_date=func.coalesce(patient.c.birth_date, sent.birth_date),
            sex=func.coalesce(patient.c.sex, sent.sex),
            family_name=func.coalesce(patient.c.family_name, sent.family_name),
            given_name=func.coalesce(patient.c.given_name, sent.given_name),
            name_key=func.coalesce(patient.c.name_key, name_key(sent.family_name, sent.given_name)),
            updated_at=func.radpool_now(),
        )
    )


def can_be_patient_of(connection: Connection, item_id: int, sent: Identified) -> bool:
    """Whether the patient as sent can be the one whom the item's images and order name.

    The transaction sees the trust's identities (`view_as`).
    """
    images = select(study.c.patient_id).join(item_study, item_study.c.study_id == study.c.id)
    known = connection.execute(
        select(patient.c.identifier, patient.c.issuer, patient.c.nhs_number).where(
            patient.c.id.in_(
                select(item.c.patient_id)
                .where(item.c.id == item_id)
                .union(
                    select(item_order.c.patient_id).where(item_order.c.item_id == item_id),
                    images.where(item_study.c.item_id == item_id),
                )
            )
        )
    ).all()
    return can_be_one_person([*known, sent])


def can_be_one_person(records: Iterable[Identified]) -> bool:
    """Whether no two of the records contradict each other.

    Two valid NHS numbers decide. Else the local identifiers do, unless one of the two was not sent
    or they come from different issuers that both were named.
    """
    known = list(records)
    return not any(_contradict(one, other) for place, one in enumerate(known) for other in known[:place])


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
