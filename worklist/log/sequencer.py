"""Gives committed events dense positions, one batch at a time, whoever else tries.

A checkpoint on a plain sequence would skip rows that commit late: a number is drawn before the
commit. So positions are given after it, by one holder of an advisory lock, to every committed event
that has none. It must not interpret events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

#: Held for the length of a batch; other sequencers stand by.
_SEQUENCER_LOCK = 7223003
#: The channel that tells listeners that positions were given; the payload is the newest position.
CHANNEL = "radpool_events"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run of the sequencer did: how many events it placed and the newest position."""

    placed: int
    last_position: int


def anything_new(connection: Connection) -> bool:
    """Whether an event was drawn that is not settled yet; costs one short statement, to be asked often."""
    return bool(connection.scalar(_ANYTHING_NEW))


def sequence(engine: Engine) -> Batch | None:
    """Place every committed event that has no position yet, and notify once.

    Gives None when another sequencer is at work. No event is ever skipped: the scan begins at the
    settled mark, and the mark moves only past ids whose transactions had all ended before a scan.
    """
    with engine.begin() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SEQUENCER_LOCK}):
            return None
        before = connection.execute(_BEFORE_THE_SCAN).one()
        placed = connection.execute(_PLACE, {"settled": before.settled}).rowcount
        _move_mark(connection, before)
        last = connection.scalar(_LAST) or 0
        if placed:
            connection.execute(text("SELECT pg_notify(:channel, :last)"), {"channel": CHANNEL, "last": str(last)})
        return Batch(placed, last)


def _move_mark(connection: Connection, before: Row[Any]) -> None:
    """Settle the candidate once its transactions have ended; then take a new candidate.

    What had ended before the scan was seen by it. The new candidate is the newest id drawn before the
    scan, and its horizon is this transaction's own number, taken after that: `event.transaction` makes
    every writer take its number before it draws an id, so whoever drew an id up to the candidate has a
    number below the horizon. (A snapshot's xmax would not do: running transactions stand beyond it.)
    """
    restored = before.next_ended <= before.horizon  # the numbers of another cluster, from a backup
    if not restored and before.oldest_running < before.horizon:
        return
    settled = before.settled if restored else before.candidate
    if (settled, before.newest) != (before.settled, before.candidate):
        connection.execute(_SET_MARK, {"settled": settled, "newest": before.newest})


_ANYTHING_NEW = text(
    "SELECT m.settled_event_id <> CASE WHEN s.is_called THEN s.last_value ELSE 0 END"
    " FROM sequencer_mark m, event_id_seq s"
)
_BEFORE_THE_SCAN = text(
    """
    SELECT m.settled_event_id AS settled, m.candidate_event_id AS candidate, m.candidate_horizon AS horizon,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_ended,
           (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_id_seq) AS newest
    FROM sequencer_mark m
    """
)
_SET_MARK = text(
    "UPDATE sequencer_mark SET settled_event_id = :settled, candidate_event_id = :newest,"
    " candidate_horizon = pg_current_xact_id()::text::bigint"
)
_LAST = text("SELECT position FROM event_position ORDER BY position DESC LIMIT 1")
_PLACE = text(
    """
    INSERT INTO event_position (position, event_id, event_at)
    SELECT (SELECT coalesce(max(position), 0) FROM event_position) + row_number() OVER (ORDER BY e.id), e.id, e.at
    FROM event e
    WHERE e.id > :settled
      AND NOT EXISTS (SELECT FROM event_position p WHERE p.event_id > :settled AND p.event_id = e.id)
    ORDER BY e.id
    """
)
