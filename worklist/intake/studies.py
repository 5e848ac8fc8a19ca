"""Finds, locks and makes the rows of studies, and writes what their headers come to.

It must not judge what counts of what is stated (`worklist.intake.header_truth` does), nor touch items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from worklist.db.tables.work import study, study_identity
from worklist.intake.arrived import StudyArrived, when
from worklist.intake.facts import merge
from worklist.intake.header_truth import Truth, settle
from worklist.intake.headers import Recorded


@dataclass(frozen=True, slots=True)
class Taken:
    """A study of a batch of which something was new: its row before, and what counts of it before and after.

    `before` is None of a study that the batch brought first. `facts` are those after. `contested` says that another
    trust has it too.
    """

    arrived: StudyArrived
    row: Row[Any]
    recorded: Recorded
    before: Truth | None
    after: Truth
    facts: dict[str, list[Any]]
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Locked:
    """What is known of a study whose objects came: its row (None: nothing), and whether another trust has it too."""

    row: Row[Any] | None
    contested: bool


def lock_studies(connection: Connection, studies: Sequence[StudyArrived]) -> list[Locked]:
    """Lock what is known of studies, in one order for everybody, and give it in the order of the studies.

    A UID that the trust has nothing of is locked by itself until the transaction ends.
    """
    wanted = [(one.study_instance_uid, one.trust) for one in studies]
    ids = _copies(connection, {uid for uid, _ in wanted})
    unknown = sorted({uid for uid, trust in wanted if (uid, trust) not in ids})
    if unknown:
        lock_uids(connection, unknown)  # two writers may bring the first object at once
        ids |= _copies(connection, unknown)
    rows = {row.id: row for row in lock_rows(connection, [ids[one] for one in wanted if one in ids])}
    trusts = Counter(uid for uid, _ in {*ids, *wanted})
    return [Locked(rows.get(ids.get(one, 0)), trusts[one[0]] > 1) for one in wanted]


def lock_uids(connection: Connection, uids: Sequence[str]) -> None:
    """Hold StudyInstanceUIDs until the transaction ends, before any row of a study."""
    connection.execute(_LOCK_UIDS, {"uids": list(uids)})


def lock_rows(connection: Connection, study_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Lock studies, by id."""
    return connection.execute(_locked(study_ids)).all() if study_ids else []


def make_studies(connection: Connection, patients: Sequence[tuple[StudyArrived, Truth, int]]) -> list[Row[Any]]:
    """Make the rows of new studies, each with its patient, and give them in the same order."""
    rows = []
    for arrived, truth, patient_id in patients:
        row = connection.execute(
            insert(study)
            .values(trust_ods=arrived.trust, patient_id=patient_id, source_ae_title=truth.source_ae_title)
            .returning(study)
        ).one()
        rows.append(row)
    if rows:
        connection.execute(
            insert(study_identity),
            [
                {
                    "study_id": row.id,
                    "trust_ods": arrived.trust,
                    "study_instance_uid": arrived.study_instance_uid,
                    "stated": truth.patient_values,
                }
                for row, (arrived, truth, _) in zip(rows, patients, strict=True)
            ],
        )
    return rows


def what_was_taken(arrived: StudyArrived, row: Row[Any], recorded: Recorded, *, contested: bool) -> Taken:
    """Work out what counts of a study before and after a batch."""
    after = settle(recorded.after)
    facts = merge(row.facts, arrived.facts)
    for name, values in (("modality", list(after.modalities)), ("study_date", [after.values.get("StudyDate")])):
        if any(values):
            facts[name] = values
    before = settle(recorded.before) if recorded.before else None
    return Taken(arrived, row, recorded, before, after, dict(sorted(facts.items())), contested)


def write_studies(connection: Connection, taken: Sequence[Taken], places: Mapping[int, Mapping[str, Any]]) -> None:
    """Write counts, facts, times and whose work they are of studies of which something was new."""
    for one in taken:
        values = {**_values(one), **places[one.row.id]}
        connection.execute(update(study).where(study.c.id == one.row.id).values(values))


def is_changed(one: Taken) -> bool:
    """Whether a batch brought anything of a study that was not known."""
    return bool(one.recorded.new_places) or one.recorded.restated or _is_later(one)


def _values(one: Taken) -> dict[str, Any]:
    values: dict[str, Any] = {
        "facts": one.facts,
        "modalities": list(one.after.modalities),
        "source_ae_title": one.after.source_ae_title,
        "series_count": one.recorded.series_count,
    }
    if one.recorded.new_places:
        values["instance_count"] = study.c.instance_count + len(one.recorded.new_places)
        values["last_received_at"] = func.radpool_now()
        if one.row.completed_at is None:
            values["quiet_until"] = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, one.arrived.quiet_seconds)
    ended = one.arrived.acquisition_ended
    if ended is not None and _is_later(one):
        values |= {
            "acquisition_ended_at": ended.at,
            "acquisition_ended_as_sent": ended.as_sent,
            "acquisition_ended_zone": ended.zone,
            "acquisition_ended_fold": ended.fold,
            "acquisition_ended_source": ended.source,
        }
    return values


def _is_later(one: Taken) -> bool:
    """Whether an end of acquisition is later than the one known; of two alike the same one always counts."""
    ended, row = one.arrived.acquisition_ended, one.row
    if ended is None or row.acquisition_ended_at is None:
        return ended is not None
    known = (row.acquisition_ended_at, row.acquisition_ended_source, row.acquisition_ended_as_sent)
    return when(ended) > known


def _copies(connection: Connection, uids: Collection[str]) -> dict[tuple[str, str], int]:
    """Give the studies of UIDs by UID and trust."""
    rows = connection.execute(_COPIES, {"uids": sorted(uids)})
    return {(row.uid, row.trust_ods): row.study_id for row in rows}


def _locked(ids: Collection[int]) -> Any:
    return select(study).where(study.c.id.in_(ids)).order_by(study.c.id).with_for_update(key_share=True)


_COPIES = text(
    "SELECT u.uid, c.study_id, c.trust_ods FROM unnest(CAST(:uids AS text[])) AS u (uid), study_copies(u.uid) c"
)
_LOCK_UIDS = text(
    "SELECT pg_advisory_xact_lock(7223009, h.key)"
    " FROM (SELECT DISTINCT hashtext(u.uid) AS key FROM unnest(CAST(:uids AS text[])) AS u (uid) ORDER BY 1) h"
)
