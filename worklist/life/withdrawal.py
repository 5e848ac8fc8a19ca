"""Takes an item's readings out of the pool: nobody is offered them, and whoever holds one holds it no longer.

It must not move the item; its callers do, and say why.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, update

from worklist.db.tables.claims import assignment, claim
from worklist.db.tables.work import reading
from worklist.reading import ClaimEnd, ReadingState


def withdraw_readings(connection: Connection, item_id: int, why: str | None = None) -> tuple[int, ...]:
    """Withdraw what is still to be read of a locked item and give the ids of the claims that this ended.

    `why` stands with those claims; it holds no words about a patient.
    """
    return _stop(connection, item_id, ReadingState.WITHDRAWN, why)


def hold_readings(connection: Connection, item_id: int, why: str) -> tuple[int, ...]:
    """Hold what is still to be read of a locked item until it is offered again; gives the claims that this ended."""
    return _stop(connection, item_id, ReadingState.HELD, why)


def _stop(connection: Connection, item_id: int, state: ReadingState, why: str | None) -> tuple[int, ...]:
    waiting = connection.scalars(
        select(reading.c.id)
        .where(
            reading.c.item_id == item_id,
            reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value)),
        )
        .order_by(reading.c.id)
        .with_for_update(key_share=True)
    ).all()
    if not waiting:
        return ()
    connection.execute(
        update(reading).where(reading.c.id.in_(waiting)).values(state=state.value, free_from=func.radpool_now())
    )
    connection.execute(delete(assignment).where(assignment.c.reading_id.in_(waiting)))
    ended = connection.scalars(
        update(claim)
        .where(claim.c.reading_id.in_(waiting), claim.c.ended_at.is_(None))
        .values(ended_at=func.radpool_now(), end_reason=ClaimEnd.WITHDRAWN.value, end_detail=why)
        .returning(claim.c.id)
    ).all()
    return tuple(sorted(ended))
