"""Reads which records were merged into an item's patient, which of those merges were ended, and by whom.

Row-level security decides whether the patient is the viewer's to see. Reading is an act: callers append the audit
entry in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from worklist.db.tables.merges import patient_merge
from worklist.db.tables.work import item, item_order, item_study, patient, study
from worklist.patients.merging import Kind


@dataclass(frozen=True, slots=True)
class MergeView:
    """A merge and what became of it; instants are aware UTC, identifiers stand with their issuer (empty: not said).

    `said_at` is when the home RIS said it. `standing` is whether it merges the two now.
    """

    id: int
    kind: str
    retired_identifier: str
    retired_issuer: str
    surviving_identifier: str
    surviving_issuer: str
    said_at: datetime
    stated_by: str
    message_id: str | None
    recorded_at: datetime
    standing: bool
    unmerged_at: datetime | None
    unmerged_by: str | None


def read_merges_of_item(connection: Connection, item_id: int) -> list[MergeView] | None:
    """Give the merges of all whom an item, its order and its studies name or are held to be, the newest first.

    None when the patient is not this viewer's to see.
    """
    whose = select(item.c.patient_id).where(item.c.id == item_id)
    if connection.scalar(select(patient.c.id).where(patient.c.id.in_(whose))) is None:
        return None
    named = whose.union(
        select(item.c.merged_from_id).where(item.c.id == item_id),
        select(item_order.c.patient_id).where(item_order.c.item_id == item_id),
        select(study.c.patient_id)
        .join(item_study, item_study.c.study_id == study.c.id)
        .where(item_study.c.item_id == item_id),
    ).subquery()
    of_one = select(patient.c.id).where(patient.c.id.in_(select(named)) | patient.c.merged_into.in_(select(named)))
    retired, surviving = patient.alias("retired"), patient.alias("surviving")
    rows = connection.execute(
        select(
            patient_merge,
            retired.c.identifier.label("retired_identifier"),
            retired.c.issuer.label("retired_issuer"),
            surviving.c.identifier.label("surviving_identifier"),
            surviving.c.issuer.label("surviving_issuer"),
        )
        .join(retired, retired.c.id == patient_merge.c.retired_id)
        .join(surviving, surviving.c.id == patient_merge.c.surviving_id)
        .where(
            patient_merge.c.kind != Kind.UNLINK.value,
            patient_merge.c.retired_id.in_(of_one) | patient_merge.c.surviving_id.in_(of_one),
        )
        .order_by(patient_merge.c.message_at.desc(), patient_merge.c.id.desc())
    )
    return [
        MergeView(
            row.id,
            row.kind,
            row.retired_identifier,
            row.retired_issuer,
            row.surviving_identifier,
            row.surviving_issuer,
            row.message_at,
            row.stated_by,
            row.message_id,
            row.recorded_at,
            row.standing,
            row.unmerged_at,
            row.unmerged_by,
        )
        for row in rows
    ]
