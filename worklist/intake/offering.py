"""Takes items that are not offered for network reporting out of the pool, and brings them back when rules change.

It must not judge by which rule (`worklist.exams.not_offered` does), nor withdraw what somebody has begun to report.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select

from worklist.db.tables.network import exam
from worklist.db.tables.work import item, item_exam, order_identity
from worklist.exams.catalogue import rules_in_force
from worklist.exams.codes import CodedExam
from worklist.exams.not_offered import NotOfferedRule, OfferFacts, not_offered
from worklist.item import UNREPORTED, ItemState, Move
from worklist.life.moves import make_move
from worklist.life.withdrawal import withdraw_readings
from worklist.turnaround.targets import Setting

_BEGUN = frozenset(
    {
        ItemState.IN_PROGRESS,
        ItemState.PRELIMINARY,
        ItemState.VERIFIED,
        ItemState.ADDENDUM,
        ItemState.RECALLED,
        ItemState.OUTSOURCED,
        ItemState.RETURNED,
    }
)

#: What a change of rules is judged for anew.
_RECONSIDERED = (ItemState.READY, ItemState.ON_HOLD, ItemState.NOT_OFFERED)


def is_out_of_hand(row: Row[Any]) -> bool:
    """Whether no rule takes an item away: somebody reports it, or has, or a person decided where it is."""
    return row.state in _BEGUN or (row.state == ItemState.ON_HOLD and row.state_reason is not None)


def settle_offer(connection: Connection, row: Row[Any]) -> Row[Any]:
    """Move a locked item that has just been worked out by the rule that it is under, or is no longer; gives its row."""
    if row.not_offered_rule is not None and row.state in (ItemState.READY, ItemState.ON_HOLD):
        ended = withdraw_readings(connection, row.id, f"not offered: {row.not_offered_rule}")
        why = {"rule": row.not_offered_rule, "reason": row.not_offered_reason, "claims_ended": list(ended)}
        return make_move(connection, row, Move.NOT_OFFERED, dimensions=why)
    if row.not_offered_rule is None and row.state == ItemState.NOT_OFFERED:
        row = make_move(connection, row, Move.OFFERED)
        named = select(order_identity.c.accession_number).where(order_identity.c.item_id == row.id)
        return row if connection.scalar(named) is not None else make_move(connection, row, Move.HELD)
    return row


def may_come_under_rule(connection: Connection, row: Row[Any]) -> bool:
    """Whether the item's trust has any rule of what is not offered."""
    return any(rule.trust in (None, row.trust_ods) for rule in rules_in_force(connection).not_offered)


def came_under_rule(connection: Connection, row: Row[Any]) -> NotOfferedRule | None:
    """Give the rule that keeps an item from being offered anew although somebody has begun it; None: none does.

    Judged on what is written of the item, by the rules of now.
    """
    if row.exam_date is None or not may_come_under_rule(connection, row):
        return None
    exams = connection.execute(
        select(item_exam.c.exam_code, exam.c.modality)
        .outerjoin(exam, exam.c.code == item_exam.c.exam_code)
        .where(item_exam.c.item_id == row.id)
        .order_by(item_exam.c.position)
    )
    facts = OfferFacts(
        row.trust_ods,
        Setting(row.setting) if row.setting else None,
        row.exam_date,
        tuple(CodedExam(one.exam_code, one.modality) for one in exams),
    )
    return not_offered(facts, rules_in_force(connection).not_offered)


def to_reconsider(connection: Connection, trusts: Collection[str | None]) -> list[tuple[str, int]]:
    """Give the waiting items, as (trust, id), that a change of these trusts' rules concerns; None is every trust's."""
    return _in_states(connection, trusts, _RECONSIDERED)


def to_flag_anew(connection: Connection, trusts: Collection[str | None]) -> list[tuple[str, int]]:
    """Give the unreported items, as (trust, id), whose exclusion flags a change of these trusts' rules concerns."""
    return _in_states(connection, trusts, UNREPORTED - {ItemState.ORDERED, ItemState.ARRIVING})


def _in_states(
    connection: Connection, trusts: Collection[str | None], states: Collection[ItemState]
) -> list[tuple[str, int]]:
    found = select(item.c.trust_ods, item.c.id).where(item.c.state.in_([state.value for state in states]))
    if None not in trusts:
        found = found.where(item.c.trust_ods.in_(trusts))
    return [(row.trust_ods, row.id) for row in connection.execute(found.order_by(item.c.id))]
