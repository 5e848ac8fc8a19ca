"""Puts before a person what is doubtful about the completeness of an item's studies, and settles what no longer is.

It must not judge: the doubts follow from the rule (`worklist.intake.completeness.doubts_about`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from worklist.db.tables.announced import announced_study
from worklist.db.tables.claims import report
from worklist.db.tables.network import source
from worklist.db.tables.work import item_study, study, study_identity, worklist_exception
from worklist.doubts import open_doubt
from worklist.intake.completeness import DOUBTS, Doubt, doubts_about
from worklist.intake.evidence import evidence_of
from worklist.intake.senders import completeness_of
from worklist.item import ItemState


def settle_doubts(connection: Connection, row: Row[Any]) -> None:
    """Bring a locked item's doubts about completeness in step with what is known of its complete studies.

    The transaction sees the trust's identities (`view_as`).
    """
    studies = connection.execute(
        select(study, source.c.completeness)
        .join(item_study, item_study.c.study_id == study.c.id)
        .join(source, source.c.ae_title == study.c.source_ae_title)
        .where(item_study.c.item_id == row.id, study.c.completed_at.is_not(None))
    ).all()
    evidence = evidence_of(connection, studies)
    due: set[Doubt] = set()
    for one in studies:
        due |= doubts_about(completeness_of(one.completeness), evidence[one.id])
    standing = {
        Doubt(one.kind, one.detail): one.id
        for one in connection.execute(
            select(worklist_exception).where(
                worklist_exception.c.item_id == row.id,
                worklist_exception.c.kind.in_(DOUBTS),
                worklist_exception.c.closed_at.is_(None),
            )
        )
    }
    settled = [number for doubt, number in standing.items() if doubt not in due]
    if settled:
        _close(connection, settled, "later evidence settles it")
    for doubt in sorted(due - set(standing), key=lambda one: (one.kind, one.detail)):
        open_doubt(connection, doubt.kind, trust=row.trust_ods, item_id=row.id, detail=doubt.detail)


def note_images_after_preliminary(connection: Connection, row: Row[Any]) -> None:
    """Tell people of a locked item's images that came after its preliminary report, on which somebody may act."""
    if row.state != ItemState.PRELIMINARY:
        return
    last_report = select(func.max(report.c.received_at)).where(report.c.item_id == row.id).scalar_subquery()
    later = (
        select(study.c.id)
        .join(item_study, item_study.c.study_id == study.c.id)
        .where(item_study.c.item_id == row.id, study.c.last_received_at > last_report)
    )
    if connection.scalar(select(later.exists())):
        open_doubt(
            connection,
            "images-after-preliminary-report",
            trust=row.trust_ods,
            item_id=row.id,
            detail="images arrived after a preliminary report",
        )


def settle_never_sent(connection: Connection, study_id: int) -> None:
    """Close what was said of a study that its source had never sent: it came.

    The transaction sees the trust's identities (`view_as`).
    """
    announced = (
        select(announced_study.c.id)
        .join(
            study_identity,
            (study_identity.c.trust_ods == announced_study.c.trust_ods)
            & (study_identity.c.study_instance_uid == announced_study.c.study_instance_uid),
        )
        .where(study_identity.c.study_id == study_id)
    )
    standing = connection.scalars(
        select(worklist_exception.c.id).where(
            worklist_exception.c.announced_study_id.in_(announced), worklist_exception.c.closed_at.is_(None)
        )
    ).all()
    if standing:
        _close(connection, list(standing), "it came")


def _close(connection: Connection, numbers: list[int], outcome: str) -> None:
    connection.execute(
        update(worklist_exception)
        .where(worklist_exception.c.id.in_(numbers))
        .values(closed_at=func.radpool_now(), closed_by="intake", outcome=outcome)
    )
