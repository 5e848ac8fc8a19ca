"""Gives committed events dense positions, one batch at a time, whoever else tries.

A checkpoint on a plain sequence would skip rows that commit late: a number is drawn before the
commit. So positions are given after it, by one holder of an advisory lock, to every committed event
that has none. It must not interpret events.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

#: Held for the length of a batch; other sequencers stand by.
_SEQUENCER_LOCK = 7223003
#: The channel that tells listeners that positions were given; the payload is the newest position.
CHANNEL = "radpool_events"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run of the sequencer did: how many events it placed and the newest position."""

    placed: int
    last_position: int


def sequence(engine: Engine) -> Batch | None:
    """Place every committed event that has no position yet, and notify once.

    Gives None when another sequencer is at work. No event is ever skipped: the scan begins at the
    settled mark, and the mark moves only past ids whose transactions had all ended before a scan.
    """
    with engine.begin() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SEQUENCER_LOCK}):
            return None
        mark = connection.execute(_MARK).one()
        oldest_running = connection.scalar(_OLDEST_RUNNING) or 0
        placed = connection.execute(_PLACE, {"settled": mark.settled_event_id}).rowcount
        _move_mark(connection, mark.candidate_event_id, mark.candidate_horizon, oldest_running)
        last = connection.scalar(_LAST) or 0
        if placed:
            connection.execute(text("SELECT pg_notify(:channel, :last)"), {"channel": CHANNEL, "last": str(last)})
        return Batch(placed, last)


def _move_mark(connection: Connection, candidate: int, horizon: int, oldest_running: int) -> None:
    """Settle the candidate once its transactions have ended; then take a new candidate.

    `oldest_running` was read before the scan, so everything that had ended by then was seen by it.
    The new candidate's id is read before its horizon: every id up to it was drawn by a transaction
    numbered below the horizon, because `event.transaction` takes the number before the id is drawn.
    """
    if oldest_running < horizon:
        return
    newest = connection.scalar(text("SELECT last_value FROM event_id_seq"))
    if newest == candidate:
        return
    connection.execute(
        text(
            "UPDATE sequencer_mark SET settled_event_id = :settled, candidate_event_id = :newest,"
            " candidate_horizon = pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        ),
        {"settled": candidate, "newest": newest},
    )


_MARK = text("SELECT settled_event_id, candidate_event_id, candidate_horizon FROM sequencer_mark")
_OLDEST_RUNNING = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_LAST = text("SELECT position FROM event_position ORDER BY position DESC LIMIT 1")
_PLACE = text(
    """
    INSERT INTO event_position (position, event_id, event_at)
    SELECT (SELECT coalesce(max(position), 0) FROM event_position) + row_number() OVER (ORDER BY e.id), e.id, e.at
    FROM event e
    WHERE e.id > :settled AND NOT EXISTS (SELECT FROM event_position p WHERE p.event_id = e.id)
    ORDER BY e.id
    """
)
