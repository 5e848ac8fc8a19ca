"""Patients in tests: updates, merges and unlinks as the home RIS says them, and what they leave of who is whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from tests.worklist.arrivals import PATIENT
from worklist.intake.orders import Message, Order, Outcome, receive_order
from worklist.intake.study import PatientAsSent
from worklist.patients.merges import Merge, Unlink, receive_merges, receive_unlink
from worklist.patients.merging import Identity, Kind
from worklist.patients.updates import PatientUpdate, receive_update

Told = PatientUpdate | Merge | Unlink | Order


def message(minute: int, kind: str) -> Message:
    made_at = datetime(2026, 6, 10, 9, 0, tzinfo=UTC) + timedelta(minutes=minute)
    return Message("RIS_A", "RXA", made_at, f"{kind}{minute}")


def patient(identifier: str = "H100", **values: Any) -> PatientAsSent:
    """The patient of `arrivals`, under an identifier and without an NHS number."""
    return replace(PATIENT, identifier=identifier, nhs_number=None, **values)


def unsaid(identifier: str) -> PatientAsSent:
    """An identifier of which nothing else is said."""
    return PatientAsSent(identifier, "RXA")


def identity(identifier: str) -> Identity:
    return ("RXA", identifier)


def update(minute: int, who: PatientAsSent) -> PatientUpdate:
    return PatientUpdate(message(minute, "U"), who)


def merge(minute: int, retired: str, surviving: str | PatientAsSent, kind: Kind = Kind.MERGE) -> Merge:
    whole = unsaid(surviving) if isinstance(surviving, str) else surviving
    return Merge(message(minute, "A"), kind, whole, (identity(retired),))


def unlink(minute: int, one: str, other: str) -> Unlink:
    return Unlink(message(minute, "L"), identity(one), identity(other))


def tell(engine: Engine, *told: Told) -> list[Outcome]:
    """Take messages, each in its own transaction."""
    outcomes = []
    for one in told:
        with engine.begin() as connection:
            if isinstance(one, PatientUpdate):
                outcomes.append(receive_update(connection, one))
            elif isinstance(one, Merge):
                outcomes.append(receive_merges(connection, [one]))
            elif isinstance(one, Unlink):
                outcomes.append(receive_unlink(connection, one))
            else:
                outcomes.append(receive_order(connection, one))
    return outcomes


def whose(owner: Engine) -> dict[str, str]:
    """The identifier of the patient of each accession."""
    with owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT o.accession_number, p.identifier FROM order_identity o JOIN item i ON i.id = o.item_id"
                " JOIN patient p ON p.id = i.patient_id"
            )
        )
        return {row[0]: row[1] for row in rows}


def everything(owner: Engine) -> dict[str, Any]:
    """Patients, merges, items and exceptions that stand, without numbers and times of ours."""
    with owner.connect() as connection:
        return {name: sorted(map(tuple, connection.execute(text(query))), key=repr) for name, query in _ALL.items()}


_ALL = {
    "patients": (
        "SELECT p.issuer, p.identifier, p.family_name, p.given_name, p.name_key, p.birth_date, p.sex, p.nhs_number,"
        " p.nhs_number_status, p.nhs_number_trace, p.stated_by_ris, p.stated, s.identifier FROM patient p"
        " LEFT JOIN patient s ON s.id = p.merged_into"
    ),
    "merges": (
        "SELECT r.identifier, s.identifier, m.kind, m.message_at, m.standing, m.unmerged_at, m.unmerged_by"
        " FROM patient_merge m JOIN patient r ON r.id = m.retired_id JOIN patient s ON s.id = m.surviving_id"
    ),
    "items": (
        "SELECT o.accession_number, i.state, i.age_years, i.setting, i.due_at, f.key, p.identifier, n.identifier"
        " FROM item i JOIN order_identity o ON o.item_id = i.id JOIN patient p ON p.id = i.patient_id"
        " LEFT JOIN patient n ON n.id = i.merged_from_id LEFT JOIN profile f ON f.id = i.profile_id"
    ),
    "readings": (
        "SELECT o.accession_number, r.state, r.due_at, f.key FROM reading r"
        " JOIN order_identity o ON o.item_id = r.item_id JOIN profile f ON f.id = r.profile_id"
    ),
    "exceptions": (
        "SELECT e.kind, regexp_replace(e.detail, '[0-9]+', 'N'), o.accession_number FROM worklist_exception e"
        " LEFT JOIN order_identity o ON o.item_id = e.item_id WHERE e.closed_at IS NULL"
        " AND e.kind IN ('merged-patients-differ', 'patient-stated-otherwise')"
    ),
}
