"""Brings the items of persons in step with what changed of who they are: whose they are, ages, exceptions.

The caller has locked the patients (`worklist.patients.records`); items are locked here, in the order of their ids. The
transaction sees the trust's identities (`view_as`). It must not decide who is whom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, union, update

from worklist.db.tables.work import item, item_order, item_study, patient, study, study_identity, worklist_exception
from worklist.doubts import close_doubt, hold_doubt_open
from worklist.intake.completion import open_while_arriving
from worklist.intake.item_doubts import settle_two_patients
from worklist.intake.item_writing import write_facts
from worklist.intake.patients import Recorded, drop_nameless
from worklist.intake.working_out import hold_cut, offer_first_reading
from worklist.item import UNREPORTED, ItemState
from worklist.life.moves import append_item_event
from worklist.log import audit
from worklist.patients.records import Settled
from worklist.patients.stating import STATED_OTHERWISE, states_otherwise
from worklist.relevant_priors import ask_for_what_came_later

_BY = "intake"


def items_of(connection: Connection, patient_ids: Collection[int], *, not_ours: bool = False) -> list[int]:
    """Give the items of patients, and those whose order or studies name one of them, by id.

    With `not_ours` those alone that we did not report: they go with what is known.
    """
    return list(
        connection.scalars(
            select(item.c.id)
            .where(_concerns(patient_ids), item.c.state.in_(_STATES_NOT_OURS) if not_ours else item.c.id.is_not(None))
            .order_by(item.c.id)
        )
    )


def lock_items(connection: Connection, item_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Lock items and give them, by id; work is not cut into other profiles meanwhile."""
    hold_cut(connection)
    return connection.execute(
        select(item).where(item.c.id.in_(item_ids)).order_by(item.c.id).with_for_update(key_share=True)
    ).all()


def hand_over(connection: Connection, rows: Sequence[Row[Any]], survivors: Mapping[int, int]) -> list[Row[Any]]:
    """Give locked items to whom those that they name survive as, and give the items that moved.

    `survivors` has for each record the one that survives, which may be itself; items of others stay.
    """
    moved = []
    for row in rows:
        named = row.merged_from_id or row.patient_id
        if named not in survivors or survivors[named] == row.patient_id:
            continue
        values = {"patient_id": survivors[named], "merged_from_id": named if survivors[named] != named else None}
        moved.append(
            connection.execute(
                update(item).where(item.c.id == row.id).values(version=item.c.version + 1, **values).returning(item)
            ).one()
        )
    return moved


def give_item(connection: Connection, row: Row[Any], patient_id: int) -> Row[Any]:
    """Give a locked item to a patient, whose record is locked, or to whom that one was merged into; gives the row."""
    survivor = connection.scalar(select(patient.c.merged_into).where(patient.c.id == patient_id))
    values = {"patient_id": survivor or patient_id, "merged_from_id": None if survivor is None else patient_id}
    if all(getattr(row, column) == value for column, value in values.items()):
        return row
    changed = connection.execute(update(item).where(item.c.id == row.id).values(values).returning(item)).one()
    settle_shown(connection, {changed.patient_id})
    for one in (row, changed):  # it is a prior of another patient's work now
        ask_for_what_came_later(connection, one)
    return changed


def name_nameless(connection: Connection, row: Row[Any], patient_id: int) -> Row[Any]:
    """Give a locked item of which nobody was named to a patient, whose record is locked; gives the row."""
    named = select(patient.c.identifier).where(patient.c.id == row.patient_id)
    if row.patient_id == patient_id or connection.scalar(named) is not None:
        return row
    given = give_item(connection, row, patient_id)
    drop_nameless(connection, row.patient_id)
    return given


def follow(connection: Connection, settled: Settled | None) -> list[int]:
    """Bring items in step with what a message of the home RIS changed in patients' records (None: nothing).

    Ages, profiles and who may report follow at once. Gives the items that were worked out anew; the caller's
    audit entry names them.
    """
    if settled is None:
        return []
    waiting = items_of(connection, settled.born_otherwise, not_ours=True) if settled.born_otherwise else []
    if waiting:
        work_out_again(connection, lock_items(connection, waiting))
    if settled.shown_otherwise:
        settle_shown(connection, settled.shown_otherwise)
    return waiting


def note_update(connection: Connection, actor: str, recorded: Recorded | None, items: Sequence[int]) -> None:
    """Append the audit entry of a message that changed nothing but what is known of a patient, if it did.

    `items` are those that were worked out anew for it. The audit is taken last.
    """
    if recorded is not None and recorded.settled is not None:
        audit.append(connection, actor, "patient update", items=items)


def work_out_again(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Work locked items that we did not report out anew, with an event for each of which anything changed."""
    for row in rows:
        if row.state == ItemState.ARRIVING:
            open_while_arriving(connection, row)
        elif row.state in _WITH_IMAGES and connection.scalar(select(_joined(row.id))):
            after = write_facts(connection, row)
            if tuple(after) != tuple(row):
                append_item_event(connection, after, "item.patient-updated")
            offer_first_reading(connection, after)


def settle_whose(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Bring the exceptions of items whose order and studies cannot be of one person in step with who is one."""
    for row in rows:
        settle_two_patients(connection, row.id)


def settle_shown(connection: Connection, patient_ids: Collection[int]) -> None:
    """Tell people of items with a study that states another name or sex than is shown, as long as it does.

    Of cancelled items too: what was told must not depend on whether the cancel was heard of first.
    """
    due: dict[int, set[str]] = defaultdict(set)
    trusts: dict[int, str] = {}
    shown = select(patient.c.id, patient.c.name_key, patient.c.sex).subquery()
    for row in connection.execute(
        select(item.c.id, item.c.trust_ods, study_identity.c.stated, shown.c.name_key, shown.c.sex)
        .join(item_study, item_study.c.item_id == item.c.id)
        .join(study_identity, study_identity.c.study_id == item_study.c.study_id)
        .join(shown, shown.c.id == item.c.patient_id)
        .where(_concerns(patient_ids))
    ):
        trusts[row.id] = row.trust_ods
        due[row.id] |= {
            f"{keyword}: the images state another than is shown"
            for keyword in states_otherwise(row.stated, {"name_key": row.name_key, "sex": row.sex})
        }
    if not due:
        return
    standing = connection.execute(
        select(worklist_exception.c.item_id, worklist_exception.c.detail).where(
            worklist_exception.c.item_id.in_(list(due)),
            worklist_exception.c.kind == STATED_OTHERWISE,
            worklist_exception.c.closed_at.is_(None),
        )
    )
    for gone in standing.all():
        if gone.detail not in due[gone.item_id]:
            close_doubt(
                connection, STATED_OTHERWISE, item_id=gone.item_id, detail=gone.detail, by=_BY, outcome="is shown now"
            )
    for item_id, details in sorted(due.items()):
        for detail in sorted(details):
            hold_doubt_open(connection, STATED_OTHERWISE, trust=trusts[item_id], item_id=item_id, detail=detail)


def _concerns(patient_ids: Collection[int]) -> ColumnElement[bool]:
    ordered = select(item_order.c.item_id).where(item_order.c.patient_id.in_(patient_ids))
    studied = (
        select(item_study.c.item_id)
        .join(study, study.c.id == item_study.c.study_id)
        .where(study.c.patient_id.in_(patient_ids))
    )
    # One union of indexed look-ups: with OR between them every item would be read.
    owned = select(item.c.id).where(item.c.patient_id.in_(patient_ids))
    came = select(item.c.id).where(item.c.merged_from_id.in_(patient_ids))
    return item.c.id.in_(union(owned, came, ordered, studied))


def _joined(item_id: int) -> ColumnElement[bool]:
    return select(item_study.c.study_id).where(item_study.c.item_id == item_id).exists()


#: What we did not report ourselves goes with what is known, so that it does not matter what was heard of first.
_NOT_OURS = UNREPORTED | {ItemState.CANCELLED, ItemState.REPORTED_ELSEWHERE}
_STATES_NOT_OURS = [state.value for state in _NOT_OURS]
_WITH_IMAGES = _NOT_OURS - {ItemState.ORDERED, ItemState.ARRIVING}
