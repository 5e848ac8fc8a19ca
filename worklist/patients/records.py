"""Locks the records of whole persons and writes into each what counts of it.

The transaction sees the trust's identities (`view_as`). Patients are locked after studies and accession numbers, and
before items. It must not decide what counts (`worklist.patients.stating` does), nor who is whom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.merges import patient_merge
from worklist.db.tables.work import patient, study, study_identity
from worklist.doubts import close_doubt, hold_doubt_open
from worklist.patients.merging import Identity
from worklist.patients.stating import COMPARED, Record, Stated, differing, pack, unpack, what_counts

#: Merged records that contradict each other stand under this kind.
DIFFER = "merged-patients-differ"
_BY = "intake"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of records: the columns that changed, by id, and all who are one person with any of them.

    `born_otherwise` are the records of persons of whom a birth date changed, on which ages hang, `of_one_study` those
    of persons of whom there is but one study or none.
    """

    changed: Mapping[int, frozenset[str]]
    persons: frozenset[int]
    born_otherwise: frozenset[int]
    of_one_study: frozenset[int]

    @property
    def shown_otherwise(self) -> frozenset[int]:
        """The records in which a name or sex changed, which items show."""
        return frozenset(one for one, columns in self.changed.items() if columns & {"name_key", "sex"})


def find_records(connection: Connection, trust: str, identities: Collection[Identity]) -> dict[Identity, int]:
    """Give the records of identifiers, made where there is none: what is said of them may come before they do."""
    rows = [{"trust_ods": trust, "issuer": issuer, "identifier": number} for issuer, number in sorted(identities)]
    connection.execute(insert(patient).on_conflict_do_nothing(), rows)
    found = connection.execute(
        select(patient.c.id, patient.c.issuer, patient.c.identifier).where(
            patient.c.trust_ods == trust, tuple_(patient.c.issuer, patient.c.identifier).in_(sorted(identities))
        )
    )
    return {(row.issuer, row.identifier): row.id for row in found}


def lock_persons(connection: Connection, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Lock and give the records of all who are one person with any of these, by id."""
    wanted = set(ids)
    while True:
        rows = connection.execute(
            select(patient)
            .where(or_(patient.c.id.in_(wanted), patient.c.merged_into.in_(wanted)))
            .order_by(patient.c.id)
            .with_for_update(key_share=True)
        ).all()
        survivors = {row.merged_into for row in rows if row.merged_into is not None}
        if survivors <= wanted:
            return rows
        wanted |= survivors  # whose other retired ones are found by the next look


def settle_records(
    connection: Connection, ids: Collection[int], said: Mapping[int, Mapping[str, Stated]] | None = None
) -> Settled:
    """Write what counts into the records of these and of all who are one person with them.

    `said` has, by id, all that the home RIS has stated under an identifier where that is more than is written.
    """
    rows = lock_persons(connection, ids)
    voices = _voices(connection, [row.id for row in rows])
    merges = _standing_merges(connection, rows) if _merged(rows) else {}
    changed: dict[int, frozenset[str]] = {}
    reborn, of_one = set[int](), set[int]()
    for person in _persons(rows):
        members = {row.id for row in person}
        records = [_record(row, voices[row.id], merges, said or {}) for row in person]
        counting = what_counts(records[0], records[1:])
        for row, record, columns in zip(person, records, counting, strict=True):
            changed[row.id] = _write(connection, row, record, columns)
            reborn |= members if "birth_date" in changed[row.id] else set()
        _settle_differences(connection, person, counting, merges)
        of_one |= members if sum(len(one.voices) for one in records) <= 1 else set()
    return Settled(changed, frozenset(row.id for row in rows), frozenset(reborn), frozenset(of_one))


def _merged(rows: Sequence[Row[Any]]) -> bool:
    return any(row.merged_into is not None for row in rows)


def _persons(rows: Sequence[Row[Any]]) -> list[list[Row[Any]]]:
    """Give the records of each person, the surviving one first."""
    known: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: (one.merged_into is not None, one.id)):
        known[row.merged_into or row.id].append(row)
    return list(known.values())


def _voices(connection: Connection, ids: Sequence[int]) -> dict[int, list[Mapping[str, str]]]:
    voices: dict[int, list[Mapping[str, str]]] = {one: [] for one in ids}
    for row in connection.execute(
        select(study.c.patient_id, study_identity.c.stated)
        .join(study_identity, study_identity.c.study_id == study.c.id)
        .where(study.c.patient_id.in_(ids))
    ):
        voices[row.patient_id].append(row.stated)
    return voices


def _standing_merges(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    found = connection.execute(
        select(patient_merge).where(patient_merge.c.standing, patient_merge.c.retired_id.in_([row.id for row in rows]))
    )
    return {row.retired_id: row for row in found}


def _record(
    row: Row[Any],
    voices: Sequence[Mapping[str, str]],
    merges: Mapping[int, Row[Any]],
    said: Mapping[int, Mapping[str, Stated]],
) -> Record:
    return Record(_merged_at(row.id, merges), said.get(row.id) or unpack(row.stated), voices)


def _merged_at(patient_id: int, merges: Mapping[int, Row[Any]]) -> datetime | None:
    """Give when it was said, of the whole chain, that a patient is the one who survives."""
    newest: datetime | None = None
    while patient_id in merges:
        link = merges[patient_id]
        newest = link.message_at if newest is None else max(newest, link.message_at)
        patient_id = link.surviving_id
    return newest


def _write(connection: Connection, row: Row[Any], record: Record, columns: Mapping[str, Any]) -> frozenset[str]:
    changed = {name: value for name, value in columns.items() if value != getattr(row, name)}
    stated = pack(record.stated)
    if changed or stated != row.stated:
        values = {**changed, "stated": stated, "updated_at": func.radpool_now()}
        connection.execute(update(patient).where(patient.c.id == row.id).values(values))
    return frozenset(changed)


def _settle_differences(
    connection: Connection,
    person: Sequence[Row[Any]],
    counting: Sequence[Mapping[str, Any]],
    merges: Mapping[int, Row[Any]],
) -> None:
    """Tell people of a merge of records that contradict each other, until the home RIS settles it."""
    for row, columns in zip(person[1:], counting[1:], strict=True):
        link, found = merges[row.id], differing(columns, counting[0])
        for column in COMPARED:
            if column in found:
                hold_doubt_open(connection, DIFFER, trust=row.trust_ods, detail=difference(link.id, column))
            else:
                close_doubt(
                    connection, DIFFER, detail=difference(link.id, column), by=_BY, outcome="the home RIS settled it"
                )


def difference(merge_id: int, column: str) -> str:
    """Give the reason of the exception of merged records that contradict each other."""
    return f"merge {merge_id}: the records differ in {column.replace('_', ' ')}"
