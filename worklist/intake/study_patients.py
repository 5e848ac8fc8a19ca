"""Keeps each study's patient, and the patient's record, in step with what headers state.

In a patient's record the value counts that most studies state, each study with one voice; what a home RIS
stated stays. It must not merge records, nor move a study whose identity was settled by its completion.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.merges import patient_merge
from worklist.db.tables.work import item, item_order, patient, study, study_identity
from worklist.intake.header_truth import Truth
from worklist.intake.studies import Taken
from worklist.patients.records import settle_records

#: A row that another writer takes away while it is looked for is looked for again this often.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class PatientsPlaced:
    """Which rows are the patients': of new studies in their order, of known ones by id.

    `moved` are known studies that get another patient, `restated` those that state other values of the same;
    `locked` are all rows that may change.
    """

    of_new: tuple[int, ...]
    moved: Mapping[int, int]
    restated: tuple[int, ...]
    locked: frozenset[int]


def place_patients(connection: Connection, trust: str, new: Sequence[Truth], known: Sequence[Taken]) -> PatientsPlaced:
    """Find or make the patients of studies, and lock their rows before any item is locked.

    A study that was completed keeps the patient whom it named.
    """
    changed = [one for one in known if one.before is None or one.before.patient_values != one.after.patient_values]
    voices = _voices(connection, [one.row.id for one in changed])
    moving, restated = [], []
    for one in changed:
        voice, stated = voices[one.row.id], one.after.patient_values
        if _identity(voice) == _identity(stated):
            restated.append(one.row.id)
        elif one.row.completed_at is None or _identity(voice) is None:
            moving.append(one)
    wanted = [_identity(truth.patient_values) for truth in new]
    targets = [_identity(one.after.patient_values) for one in moving]
    involved = {one.row.patient_id for one in changed}
    ids = _find(connection, trust, {key for key in (*wanted, *targets) if key is not None}, involved)
    of_new = tuple(_nameless(connection, trust) if key is None else ids[key] for key in wanted)
    moved = {one.row.id: ids[key] for one, key in zip(moving, targets, strict=True) if key is not None}
    return PatientsPlaced(of_new, moved, tuple(restated), frozenset({*of_new, *moved.values(), *involved}))


def write_patients(connection: Connection, placed: PatientsPlaced, known: Sequence[Taken]) -> frozenset[int]:
    """Write whose the studies are and what counts in the patients' records; the studies are there by now.

    Gives the records of all who are one person with any of them.
    """
    for one in known:
        if one.row.id in placed.moved:
            moved = {"patient_id": placed.moved[one.row.id]}
            connection.execute(update(study).where(study.c.id == one.row.id).values(moved))
        if one.row.id in placed.moved or one.row.id in placed.restated:
            voice = update(study_identity).where(study_identity.c.study_id == one.row.id)
            connection.execute(voice.values(stated=one.after.patient_values))
    if not placed.locked:
        return frozenset()
    settled = settle_records(connection, placed.locked)
    if settled.born_otherwise - settled.of_one_study:
        whose = sorted(settled.born_otherwise - settled.of_one_study)
        connection.execute(update(study).where(study.c.patient_id.in_(whose)).values(_WORK_OUT_AGAIN))
    return settled.persons


def drop_unnamed(connection: Connection, placed: PatientsPlaced) -> None:
    """Drop the records of patients whom, when all is told, neither a study nor an order nor an item names."""
    if not placed.moved:
        return
    connection.execute(
        delete(patient).where(
            patient.c.id.in_(placed.locked),
            func.cardinality(patient.c.stated_by_ris) == 0,
            ~exists().where(study.c.patient_id == patient.c.id),
            ~exists().where(or_(item.c.patient_id == patient.c.id, item.c.merged_from_id == patient.c.id)),
            ~exists().where(item_order.c.patient_id == patient.c.id),
            ~exists().where(
                or_(patient_merge.c.retired_id == patient.c.id, patient_merge.c.surviving_id == patient.c.id)
            ),
        )
    )


def _voices(connection: Connection, study_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    if not study_ids:
        return {}
    rows = connection.execute(
        select(study_identity.c.study_id, study_identity.c.stated).where(study_identity.c.study_id.in_(study_ids))
    )
    return {row.study_id: row.stated for row in rows}


def _identity(values: Mapping[str, str]) -> tuple[str, str] | None:
    """Give issuer and identifier, which are the key of a patient's record; None where there is no identifier."""
    identifier = values.get("PatientID")
    return None if identifier is None else (values.get("IssuerOfPatientID", ""), identifier)


def _find(
    connection: Connection, trust: str, keys: Collection[tuple[str, str]], involved: Collection[int]
) -> dict[tuple[str, str], int]:
    """Give the rows of patients by their keys, made where there is none, and lock them with those involved."""
    if not keys and not involved:
        return {}
    mine = (patient.c.trust_ods == trust) & tuple_(patient.c.issuer, patient.c.identifier).in_(sorted(keys))
    for _ in range(_ATTEMPTS):
        if keys:
            rows = [{"trust_ods": trust, "issuer": issuer, "identifier": number} for issuer, number in sorted(keys)]
            connection.execute(insert(patient).on_conflict_do_nothing(), rows)
        found = connection.execute(
            select(patient.c.id, patient.c.issuer, patient.c.identifier)
            .where(or_(mine, patient.c.id.in_(involved)) if keys else patient.c.id.in_(involved))
            .order_by(patient.c.id)
            .with_for_update(key_share=True)
        )
        ids = {(row.issuer, row.identifier): row.id for row in found if row.identifier is not None}
        if ids.keys() >= set(keys):
            break
    return ids


def _nameless(connection: Connection, trust: str) -> int:
    made = connection.execute(insert(patient).values(trust_ods=trust).returning(patient.c.id))
    return int(made.scalar_one())


#: Studies that are complete, or are being completed now with the age of before, are worked out again; the others are
#: only judged once more. This waits for who has one locked: completion, which locks no patient.
_WORK_OUT_AGAIN = {"judge_at_instances": 0}
