"""What a verified report changes of the report that went out before it: what was stated, and what nobody has stated.

A preliminary report goes out at once and is acted on. Where its check changes it materially the requester is
alerted (docs/decisions/0021-what-a-check-changed.md). It must not compare what reports mean: who verifies says it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from worklist.alerts.acts import raise_alerts
from worklist.alerts.rules import AlertKind
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import report, report_text
from worklist.db.tables.life import item_act
from worklist.doubts import close_doubt, open_doubt
from worklist.home.told import MATERIAL_CHANGE
from worklist.life.moves import append_item_event, lock_item
from worklist.log import audit
from worklist.reading import Discrepancy, ReportStatus

NOT_STATED = "discrepancy-not-stated"


class NothingWentOut(ValueError):
    """No report went out before that could have been changed."""

    def __init__(self, item_id: int) -> None:
        super().__init__(
            f"no report of item {item_id} went out before a verified one of here: there is no `discrepancy` to state"
        )


class DiscrepancyStands(ValueError):
    """What the report changed was stated already, and an alert that was raised is acknowledged, not taken back."""

    def __init__(self, stated: str) -> None:
        super().__init__(f"the discrepancy is stated already: {stated}")


def went_out_before(connection: Connection, item_id: int, report_id: int | None = None) -> Row[Any, Any, Any] | None:
    """Give the newest report of an item that went out and that a verified one takes the place of; None: none did.

    That is a preliminary report, or a verified one that was recalled; `report_id` looks before that report.
    """
    return connection.execute(
        select(report.c.id, report.c.reporter_id, report_text.c.body)
        .outerjoin(report_text, report_text.c.report_id == report.c.id)
        .where(
            report.c.item_id == item_id,
            ~report.c.superseded,
            or_(
                (report.c.status == ReportStatus.PRELIMINARY.value) & report.c.recalled_at.is_(None),
                (report.c.status == ReportStatus.VERIFIED.value) & report.c.recalled_at.is_not(None),
            ),
            report.c.id < report_id if report_id is not None else report.c.id.is_not(None),
        )
        .order_by(report.c.id.desc())
        .limit(1)
    ).one_or_none()


def judge_discrepancy(
    connection: Connection, item_id: int, stated: Discrepancy | None, words: str | None
) -> Discrepancy | None:
    """Give what a verified report, not yet written, changes: as stated, or `none` where its words are the same.

    Raises
    ------
    NothingWentOut
        If something is stated and there is nothing that it could have changed.
    """
    before = went_out_before(connection, item_id)
    if before is None:
        if stated is not None:
            raise NothingWentOut(item_id)
        return None
    same = words is not None and before.body is not None and words.split() == before.body.split()
    return Discrepancy.NONE if stated is None and same else stated


def ask_for_statement(connection: Connection, row: Row[Any], report_id: int, reporter_id: int) -> None:
    """Put a verified report before a person whose author has not said what it changed of a colleague's.

    An unknown change is no harmless one; who finishes a preliminary report of their own is not asked.
    """
    before = went_out_before(connection, row.id, report_id)
    if before is not None and before.reporter_id != reporter_id:
        open_doubt(connection, NOT_STATED, trust=row.trust_ods, item_id=row.id, detail=_detail(report_id))


def state_discrepancy(
    connection: Connection, actor: str, item_id: int, stated: Discrepancy, note: str | None = None
) -> None:
    """Say of an item's verified report, after it was given, what it changed; the caller commits.

    A material change alerts the requester and is told to the home RIS with the report. One that stands as
    material is not taken back: its alert is acknowledged.

    Raises
    ------
    UnknownItem, NothingWentOut, DiscrepancyStands
    """
    row = lock_item(connection, item_id)
    view_as(connection, Viewer(trust=row.trust_ods))
    given = connection.execute(
        select(report)
        .where(
            report.c.item_id == item_id,
            report.c.status == ReportStatus.VERIFIED.value,
            ~report.c.superseded,
            report.c.recalled_at.is_(None),
        )
        .order_by(report.c.id.desc())
        .limit(1)
    ).one_or_none()
    if given is None or went_out_before(connection, item_id, given.id) is None:
        raise NothingWentOut(item_id)
    if given.discrepancy in (stated, Discrepancy.MATERIAL):
        raise DiscrepancyStands(given.discrepancy)
    connection.execute(update(report).where(report.c.id == given.id).values(discrepancy=stated.value))
    close_doubt(connection, NOT_STATED, item_id=item_id, detail=_detail(given.id), by=actor, outcome=stated.value)
    dimensions = {"report": given.id, "reporter": given.reporter_id, "discrepancy": stated.value}
    kind = "report.discrepancy-stated"
    if stated is Discrepancy.MATERIAL:
        raise_alerts(connection, row, given.id, (AlertKind.MATERIAL_CHANGE,))
        kind = MATERIAL_CHANGE
    append_item_event(connection, row, kind, dimensions=dimensions)
    connection.execute(
        insert(item_act).values(
            item_id=row.id,
            trust_ods=row.trust_ods,
            act="state discrepancy",
            actor=actor,
            reason=stated.value,
            note=note or None,
        )
    )
    detail = {"report": given.id, "discrepancy": stated.value}
    audit.append(connection, actor, "state discrepancy", items=[item_id], detail=detail)


def _detail(report_id: int) -> str:
    return f"report {report_id} took the place of a colleague's that had gone out: nobody has said what it changed"
