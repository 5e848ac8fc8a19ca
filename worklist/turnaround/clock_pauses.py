"""Begins and ends pauses of an item's turnaround clock, where a dated rule allows them; must not judge due times."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from worklist.clock import now
from worklist.db.tables.life import clock_pause, pause_rule
from worklist.life.moves import append_item_event
from worklist.life.reasons import ReasonedAct
from worklist.local_time import LONDON
from worklist.turnaround.pauses import Pause, PauseRule, rule_of_pause


def begin_pause(connection: Connection, row: Row[Any], act: ReasonedAct, reason: str, actor: str) -> None:
    """Pause the clock of a locked item for what was just done with it, if a rule allows that.

    The move that ends the item's state ends the pause (`worklist.life.moves`). The caller works the item out.
    """
    rules = [
        PauseRule(one.code, one.trust_ods, ReasonedAct(one.act), frozenset(one.reasons), one.valid_from, one.valid_to)
        for one in connection.execute(select(pause_rule).where(pause_rule.c.act == act.value))
    ]
    today = now(connection).astimezone(LONDON).date()
    rule = rule_of_pause(row.trust_ods, act, reason, today, rules)
    if rule is None:
        return
    connection.execute(
        insert(clock_pause).values(
            item_id=row.id, trust_ods=row.trust_ods, rule=rule.id, act=act.value, reason=reason, actor=actor
        )
    )
    append_item_event(connection, row, "item.clock-paused", dimensions={"rule": rule.id, "reason": reason})


def pauses_of(connection: Connection, item_id: int) -> tuple[Pause, ...]:
    """Give the pauses of an item's clock in the order in which they began."""
    rows = connection.execute(
        select(clock_pause.c.began_at, clock_pause.c.ended_at)
        .where(clock_pause.c.item_id == item_id)
        .order_by(clock_pause.c.began_at, clock_pause.c.id)
    )
    return tuple(Pause(row.began_at, row.ended_at) for row in rows)
