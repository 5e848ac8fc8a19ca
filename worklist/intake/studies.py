"""Finds, locks and makes the rows of studies, and writes what their headers come to.

It must not judge what counts of what is stated (`worklist.intake.header_truth` does), nor touch items.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    `before` is None of a study that the batch brought first. `facts` are those after.
    """

    arrived: StudyArrived
    row: Row[Any]
    recorded: Recorded
    before: Truth | None
    after: Truth
    facts: dict[str, list[Any]]


def lock_studies(connection: Connection, studies: Sequence[StudyArrived]) -> dict[str, tuple[str, Row[Any] | None]]:
    """Lock what is known of studies, in one order for everybody, and give trust and row by UID.

    A UID of which nothing is known is locked by itself until the transaction ends: its row is None, and its trust
    that whose object stands first in the batch.
    """
    uids = sorted({one.study_instance_uid for one in studies})
    owners = _owners(connection, uids)
    unknown = [uid for uid in uids if uid not in owners]
    if unknown:
        connection.execute(_LOCK_UIDS, {"uids": unknown})  # two writers may bring the first object at once
        owners |= _owners(connection, unknown)
    ours = {(one.study_instance_uid, one.trust) for one in studies}
    ids = [owner.study_id for uid, owner in owners.items() if (uid, owner.trust_ods) in ours]
    rows = {row.id: row for row in connection.execute(_locked(ids))} if ids else {}
    locked = {uid: (owner.trust_ods, rows.get(owner.study_id)) for uid, owner in owners.items()}
    for one in sorted(studies, key=lambda one: min(one.places)):
        locked.setdefault(one.study_instance_uid, (one.trust, None))
    return locked


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


def what_was_taken(arrived: StudyArrived, row: Row[Any], recorded: Recorded) -> Taken:
    """Work out what counts of a study before and after a batch."""
    after = settle(recorded.after)
    facts = merge(row.facts, arrived.facts)
    for name, values in (("modality", list(after.modalities)), ("study_date", [after.values.get("StudyDate")])):
        if any(values):
            facts[name] = values
    before = settle(recorded.before) if recorded.before else None
    return Taken(arrived, row, recorded, before, after, dict(sorted(facts.items())))


def write_studies(connection: Connection, taken: Sequence[Taken]) -> None:
    """Write counts, facts and times of studies of which something was new."""
    for one in taken:
        connection.execute(update(study).where(study.c.id == one.row.id).values(_values(one)))


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


def _owners(connection: Connection, uids: Sequence[str]) -> dict[str, Row[Any]]:
    return {row.uid: row for row in connection.execute(_OWNERS, {"uids": list(uids)})}


def _locked(ids: Sequence[int]) -> Any:
    return select(study).where(study.c.id.in_(ids)).order_by(study.c.id).with_for_update(key_share=True)


_OWNERS = text(
    "SELECT u.uid, o.study_id, o.trust_ods FROM unnest(CAST(:uids AS text[])) AS u (uid), study_owner(u.uid) o"
)
_LOCK_UIDS = text(
    "SELECT pg_advisory_xact_lock(7223009, h.key)"
    " FROM (SELECT DISTINCT hashtext(u.uid) AS key FROM unnest(CAST(:uids AS text[])) AS u (uid) ORDER BY 1) h"
)
