"""Appends events in the transaction of the change they tell, and reads them back by position.

Every effect (pay, rollups, live screens, outbound messages) hangs on these rows. It must not carry
identifiers: ids, codes, states and numbers only (docs/decisions/0003-event-log-with-sequencer.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worklist.db.rows import insert_rows
from worklist.db.tables.log import consumer_checkpoint, event, event_position, parked_event

SCHEMA_VERSION = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event with its position; `at` is aware UTC, `dimensions` plain JSON."""

    position: int
    at: datetime
    kind: str
    trust: str | None
    item_id: int | None
    item_version: int | None
    reading_id: int | None
    dimensions: Mapping[str, Any]


Apply = Callable[[Connection, Event], None]


def append(
    connection: Connection,
    kind: str,
    *,
    trust: str | None = None,
    item_id: int | None = None,
    item_version: int | None = None,
    reading_id: int | None = None,
    dimensions: Mapping[str, Any] | None = None,
) -> None:
    """Append one event in the running transaction; it gets its position after the commit."""
    connection.execute(
        insert(event),
        values_of(
            kind,
            trust=trust,
            item_id=item_id,
            item_version=item_version,
            reading_id=reading_id,
            dimensions=dimensions or {},
        ),
    )


def append_many(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append events (`values_of`) in their order, as `append` does."""
    insert_rows(connection, event, rows)


def values_of(
    kind: str,
    *,
    trust: str | None = None,
    item_id: int | None = None,
    item_version: int | None = None,
    reading_id: int | None = None,
    dimensions: Mapping[str, Any],
) -> dict[str, Any]:
    """Give an event as `event` keeps it."""
    return {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "trust_ods": trust,
        "item_id": item_id,
        "item_version": item_version,
        "reading_id": reading_id,
        "dimensions": dict(dimensions),
    }


def read_after(connection: Connection, position: int, *, limit: int = 500) -> list[Event]:
    """Give the events after `position` in order of position, at most `limit`."""
    rows = connection.execute(_READ_AFTER.where(event_position.c.position > position).limit(limit))
    return [Event(*row) for row in rows]


def last_position(connection: Connection) -> int:
    """Give the newest position; 0 before the first event."""
    return connection.scalar(text("SELECT coalesce(max(position), 0) FROM event_position")) or 0


def consume(
    engine: Engine, consumer: str, apply: Apply, *, kinds: Collection[str] | None = None, limit: int = 200
) -> int:
    """Apply the next events to the database exactly once and give how many were taken.

    Events of other kinds than `kinds` (None: of all) are passed over.

    The effects and the consumer's checkpoint are one transaction, so an effect happens once however
    often this is killed or run twice at a time. An event whose `apply` raises is parked with the
    error's type (its effects undone) and does not stop those behind it.
    """
    with engine.begin() as connection:
        checkpoint = _take_checkpoint(connection, consumer)
        if checkpoint is None:
            return 0
        batch = read_after(connection, checkpoint, limit=limit)
        for one in batch:
            if kinds is None or one.kind in kinds:
                _apply_or_park(connection, consumer, apply, one)
        if batch:
            connection.execute(
                consumer_checkpoint.update()
                .where(consumer_checkpoint.c.consumer == consumer)
                .values(position=batch[-1].position, moved_at=text("radpool_now()"))
            )
        return len(batch)


def _take_checkpoint(connection: Connection, consumer: str) -> int | None:
    """Lock the consumer's checkpoint; None if another process is at work on it."""
    connection.execute(
        text("INSERT INTO consumer_checkpoint (consumer, position) VALUES (:consumer, 0) ON CONFLICT DO NOTHING"),
        {"consumer": consumer},
    )
    return connection.scalar(
        select(consumer_checkpoint.c.position)
        .where(consumer_checkpoint.c.consumer == consumer)
        .with_for_update(skip_locked=True)
    )


def _apply_or_park(connection: Connection, consumer: str, apply: Apply, one: Event) -> None:
    try:
        with connection.begin_nested():
            apply(connection, one)
    except (OperationalError, InterfaceError, PoolTimeout):
        raise  # the database's fault, not the event's: it is tried again, never parked
    except Exception as error:
        log.exception("event parked", consumer=consumer, position=one.position, kind=one.kind)
        connection.execute(
            insert(parked_event), {"consumer": consumer, "position": one.position, "reason": type(error).__name__}
        )


_READ_AFTER = (
    select(
        event_position.c.position,
        event.c.at,
        event.c.kind,
        event.c.trust_ods,
        event.c.item_id,
        event.c.item_version,
        event.c.reading_id,
        event.c.dimensions,
    )
    .join(event, (event.c.id == event_position.c.event_id) & (event.c.at == event_position.c.event_at))
    .order_by(event_position.c.position)
)
