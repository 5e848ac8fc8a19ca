"""Judges a reading by the rule on its item's own facts; it must not find readings, nor lock or claim them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from allocation.eligibility import Reason, Verdict, judge
from allocation.reporter import Reporter
from allocation.scope import Level
from allocation.workforce import work_of_item
from worklist.db.tables.claims import item_exclusion
from worklist.intake.offering import came_under_rule
from worklist.item import ItemState
from worklist.reading import Purpose


def judge_reading(
    connection: Connection, reporter: Reporter, found: Row[Any], item_row: Row[Any], moment: datetime
) -> Verdict:
    """Judge a reading by the rule: the item's own facts, and what this reading asks beyond them."""
    verdict = judge(reporter, work_of_item(connection, item_row), moment)
    extra = []
    if found.purpose == Purpose.CHECK:
        able = verdict.level is Level.AUTONOMOUS
        extra.append(Reason("check", able, "checks are for those who report this autonomously"))
    if found.for_radiologist:
        able = reporter.profession == "radiologist"
        extra.append(Reason("referral", able, "it was referred to a radiologist"))
    barred = connection.scalars(
        select(item_exclusion.c.kind).where(
            item_exclusion.c.item_id == item_row.id,
            item_exclusion.c.reporter_id == reporter.id,
            item_exclusion.c.kind.in_(("has-read", "conflict-of-interest")),
        )
    ).all()
    if found.purpose != Purpose.ADDENDUM:
        extra.extend(Reason("exclusion", False, f"you are excluded from this item: {kind}") for kind in barred)
    reasons = (*verdict.reasons, *extra)
    if all(reason.passed for reason in reasons):
        return Verdict(True, verdict.level, verdict.valid_until, reasons)
    return Verdict(False, None, None, reasons)


def rule_that_keeps_it(connection: Connection, row: Row[Any]) -> str | None:
    """Give the rule that keeps an item whose lease has just run out from being offered anew; None: none does."""
    rule = came_under_rule(connection, row) if row.state == ItemState.IN_PROGRESS else None
    return None if rule is None else rule.id
