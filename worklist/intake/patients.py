"""Records patients as home RIS name them, and tells whether two records can be one person.

It must not merge records: only (trust, issuer, identifier) is a key, and an NHS number is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy import Connection, func, select, text
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
    """Insert the patient whom a home RIS names or bring the known one up to date, and give the id of the row.

    What was not sent stays as it was known; what was is not changed by headers any more. Without an
    identifier every call makes a row.
    """
    values = patient_columns(sent)
    stated = {name: value for name, value in values.items() if value not in (None, "not-sent")}
    statement = insert(patient).values(
        trust_ods=trust, issuer=sent.issuer or "", identifier=sent.identifier, stated_by_ris=sorted(stated), **values
    )
    if sent.identifier is None:
        return int(connection.execute(statement.returning(patient.c.id)).scalar_one())
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["trust_ods", "issuer", "identifier"],
                set_={**stated, "stated_by_ris": _BOTH, "updated_at": func.radpool_now()},
            ).returning(patient.c.id)
        ).scalar_one()
    )


def patient_columns(sent: PatientAsSent) -> dict[str, Any]:
    """Give what a patient's row says of the person, from what was sent."""
    return {
        "nhs_number": sent.nhs_number,
        "nhs_number_status": nhs_number_status(sent.nhs_number),
        "family_name": sent.family_name,
        "given_name": sent.given_name,
        "name_key": name_key(sent.family_name, sent.given_name),
        "birth_date": sent.birth_date,
        "sex": sent.sex,
    }


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


#: The columns known to be stated by the home RIS with those that it states now, each once.
_BOTH = text(
    "ARRAY(SELECT DISTINCT n.name FROM unnest(patient.stated_by_ris || excluded.stated_by_ris) AS n (name) ORDER BY 1)"
)
