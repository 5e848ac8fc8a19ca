"""Reads which items wait of one patient and day: a bundle, that one person is best to read.

It must not say who may read them; for a reporter `allocation.offered` does.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from worklist.db.tables.work import item
from worklist.item import UNREPORTED, ItemState

#: So many items are named with one: nobody has more of a day, but a phantom may.
_MOST_NAMED = 50
_WAITING = tuple(state.value for state in UNREPORTED - {ItemState.ORDERED})


def bundles_of(connection: Connection, item_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Give by item which others wait of its patient, trust and exam date; items without any are left out."""
    other = item.alias("other")
    rows = connection.execute(
        select(item.c.id, other.c.id.label("mate"))
        .join(
            other,
            (other.c.patient_id == item.c.patient_id)
            & (other.c.trust_ods == item.c.trust_ods)
            & (other.c.exam_date == item.c.exam_date)
            & (other.c.id != item.c.id),
        )
        .where(item.c.id.in_(item_ids), other.c.state.in_(_WAITING))
        .order_by(item.c.id, other.c.id)
    )
    found: dict[int, tuple[int, ...]] = {}
    for row in rows:
        mates = found.get(row.id, ())
        found[row.id] = (*mates, row.mate) if len(mates) < _MOST_NAMED else mates
    return found
