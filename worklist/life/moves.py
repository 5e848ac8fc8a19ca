"""Moves an item from state to state in the database, by the table of allowed moves, with its event.

The one place that writes `item.state`. It must not decide that a move is due; its callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from worklist.db.tables.life import clock_pause
from worklist.db.tables.work import item
from worklist.item import ItemState, Move, move_item
from worklist.log import events
from worklist.relevant_priors import ask_for_what_came_later

#: The columns of an item that stand in its events.
OF_EVENTS = (
    "trust_ods",
    "version",
    "state",
    "arriving",
    "modality",
    "setting",
    "urgency",
    "reporting_minutes",
    "clock_start_at",
    "due_at",
)
#: States for which a rule may let the turnaround clock stand still.
_CAN_BE_PAUSED = (ItemState.ON_HOLD, ItemState.RETURNED)


class UnknownItem(LookupError):
    """No such item, or none that the viewer may know of."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"no item {item_id}")
        self.item_id = item_id


def lock_item(connection: Connection, item_id: int) -> Row[Any]:
    """Give the item's row, locked until the end of the transaction.

    Raises
    ------
    UnknownItem
        If there is none.
    """
    row = connection.execute(select(item).where(item.c.id == item_id).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise UnknownItem(item_id)
    return row


def make_move(
    connection: Connection,
    row: Row[Any],
    move: Move,
    *,
    reading_id: int | None = None,
    dimensions: Mapping[str, Any] | None = None,
    **values: Any,
) -> Row[Any]:
    """Move a locked item, set `values` on it, append the move's event and give the new row.

    The reason of the state before (`state_reason`) goes with that state, and so does a pause of the clock for it.

    Raises
    ------
    ForbiddenMove
        If the item's state does not allow the move.
    """
    target = move_item(ItemState(row.state), move)
    changed = connection.execute(
        update(item)
        .where(item.c.id == row.id)
        .values({"state_reason": None, **values, "state": target.value, "version": item.c.version + 1})
        .returning(item)
    ).one()
    if row.state in _CAN_BE_PAUSED:
        connection.execute(
            update(clock_pause)
            .where(clock_pause.c.item_id == row.id, clock_pause.c.ended_at.is_(None))
            .values(ended_at=now(), ended_with=move.value)
        )
    if ItemState.CANCELLED in (row.state, target):
        ask_for_what_came_later(connection, changed)  # it is no prior any longer, or is one again
    append_item_event(
        connection, changed, move.value, reading_id=reading_id, dimensions={"was": row.state, **(dimensions or {})}
    )
    return changed


def append_item_event(
    connection: Connection,
    row: Row[Any],
    kind: str,
    *,
    reading_id: int | None = None,
    dimensions: Mapping[str, Any] | None = None,
) -> None:
    """Append an event about an item with the dimensions that metrics need."""
    events.append(
        connection,
        kind,
        trust=row.trust_ods,
        item_id=row.id,
        item_version=row.version,
        reading_id=reading_id,
        dimensions=_dimensions(row, dimensions or {}),
    )


def append_item_events(connection: Connection, told: Iterable[tuple[Row[Any], str, Mapping[str, Any]]]) -> None:
    """Append events about items, each by its row, kind and further dimensions, in their order."""
    events.append_many(
        connection,
        [
            events.values_of(
                kind,
                trust=row.trust_ods,
                item_id=row.id,
                item_version=row.version,
                dimensions=_dimensions(row, dimensions),
            )
            for row, kind, dimensions in told
        ],
    )


def _dimensions(row: Row[Any], further: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": row.state,
        "arriving": row.arriving or row.state == ItemState.ARRIVING,
        "modality": row.modality,
        "setting": row.setting,
        "urgency": row.urgency,
        "minutes": None if row.reporting_minutes is None else float(row.reporting_minutes),
        "clock_start_at": None if row.clock_start_at is None else row.clock_start_at.isoformat(),
        "due_at": None if row.due_at is None else row.due_at.isoformat(),
        **further,
    }


def now() -> Any:
    """Give the SQL expression of the current instant by the one clock."""
    return func.radpool_now()
