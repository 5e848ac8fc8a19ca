"""Keeps the urgency that a person gave an item, and lets a newer order that states another outrank it.

It must not judge who may give one. What it leaves does not depend on the order in which messages come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.life import item_priority
from worklist.db.tables.work import item_order
from worklist.intake.order import unpack
from worklist.turnaround.targets import Urgency


def give_priority(connection: Connection, trust: str, item_id: int, actor: str, urgency: Urgency, reason: str) -> None:
    """Write down a person's urgency for a locked item, in place of an earlier one."""
    ordered = connection.execute(
        select(item_order.c.urgency, item_order.c.stated).where(item_order.c.item_id == item_id)
    ).one_or_none()
    said = unpack(ordered.stated).get("urgency") if ordered else None
    values: dict[str, Any] = {
        "urgency": urgency.value,
        "set_by": actor,
        "reason": reason,
        "set_at": func.radpool_now(),
        "ordered_urgency": ordered.urgency if ordered else None,
        "ordered_at": said.at if said else None,
        "stated_since": [],
    }
    connection.execute(
        insert(item_priority)
        .values(item_id=item_id, trust_ods=trust, **values)
        .on_conflict_do_update(index_elements=["item_id"], set_=values)
    )


def priority_of(connection: Connection, item_id: int) -> Urgency | None:
    """Give the urgency that a person gave an item and that no newer order outranks."""
    word = connection.scalar(select(item_priority.c.urgency).where(item_priority.c.item_id == item_id, ~_OUTRANKED))
    return Urgency(word) if word else None


def note_ordered_urgency(
    connection: Connection, item_id: int, made_at: datetime, urgency: Urgency | None, *, cleared: bool = False
) -> bool:
    """Hold what an order states against a person's urgency and give whether that changed anything.

    An order made (aware) before the person's act only says what stood then; one made after it outranks the person
    where it states another urgency than that, and not where it repeats it or clears it. To be called for every
    message of a locked item, also for one that comes late.
    """
    if urgency is None and not cleared:
        return False
    given = connection.execute(
        select(item_priority, _OUTRANKED.label("outranked")).where(item_priority.c.item_id == item_id)
    ).one_or_none()
    if given is None:
        return False
    values: dict[str, Any] = {}
    if made_at <= given.set_at:
        if given.ordered_at is None or made_at > given.ordered_at:
            values = {"ordered_urgency": urgency.value if urgency else None, "ordered_at": made_at}
    elif urgency is not None and urgency.value not in given.stated_since:
        values = {"stated_since": sorted([*given.stated_since, urgency.value])}
    if not values:
        return False
    outranked: bool = connection.execute(
        update(item_priority).where(item_priority.c.item_id == item_id).values(values).returning(_OUTRANKED)
    ).scalar_one()
    return outranked is not bool(given.outranked)


#: Kept apart and judged when asked, so that it does not matter which of the messages came first.
_OUTRANKED = func.cardinality(func.array_remove(item_priority.c.stated_since, item_priority.c.ordered_urgency)) > 0
