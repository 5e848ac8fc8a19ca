"""How the system is: whether it can serve, and figures about it. No patient data, no names of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from worklist.db.migrate import newest_revision, revision_of
from worklist.log.events import last_position

#: Consumers that are this many positions behind are said to lag.
LAG_POSITIONS = 5000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: name in Prometheus' form, what it means, value, labels."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def health(engine: Engine) -> dict[str, Any]:
    """Say whether the database answers, its schema is the newest and consumers keep up."""
    try:
        with engine.connect() as connection:
            revision = revision_of(connection)
            newest = last_position(connection)
            lags = {
                row.consumer: newest - row.position
                for row in connection.execute(text("SELECT consumer, position FROM consumer_checkpoint"))
            }
            parked = connection.scalar(text("SELECT count(*) FROM parked_event")) or 0
    except DBAPIError as error:
        return {"ready": False, "database": type(error).__name__}
    current = revision == newest_revision()
    return {
        "ready": current and all(lag <= LAG_POSITIONS for lag in lags.values()),
        "database": "answers",
        "schema": revision,
        "schema_is_newest": current,
        "last_position": newest,
        "consumers_behind": lags,
        "parked_events": parked,
    }


def figures(engine: Engine) -> list[Figure]:
    """Give the figures that a monitoring system watches."""
    with engine.connect() as connection:
        found = [
            Figure("radpool_items", "Items by state and trust", row.items, {"state": row.state, "trust": row.trust_ods})
            for row in connection.execute(text("SELECT state, trust_ods, count(*) AS items FROM item GROUP BY 1, 2"))
        ]
        found += [
            Figure(f"radpool_{row.name}", row.help, float(row.value or 0)) for row in connection.execute(text(_SINGLE))
        ]
        newest = last_position(connection)
        found += [
            Figure(
                "radpool_consumer_behind",
                "Positions a consumer has yet to take",
                newest - row.position,
                {"consumer": row.consumer},
            )
            for row in connection.execute(text("SELECT consumer, position FROM consumer_checkpoint"))
        ]
    return found


_SINGLE = """
SELECT 'overdue_items' AS name, 'Unreported items past their due time' AS help,
  (SELECT count(*) FROM item WHERE reported_at IS NULL AND due_at < radpool_now()
   AND state NOT IN ('cancelled', 'ordered'))::float AS value
UNION ALL SELECT 'oldest_waiting_seconds', 'Age of the longest waiting item since its clock started',
  extract(epoch FROM radpool_now() - (SELECT min(clock_start_at) FROM item
   WHERE reported_at IS NULL AND state <> 'cancelled'))
UNION ALL SELECT 'open_exceptions', 'Exceptions that a person must look at',
  (SELECT count(*) FROM worklist_exception WHERE closed_at IS NULL)
UNION ALL SELECT 'live_claims', 'Claims that are held', (SELECT count(*) FROM claim WHERE ended_at IS NULL)
UNION ALL SELECT 'studies_arriving', 'Studies not yet complete',
  (SELECT count(*) FROM study WHERE quiet_until IS NOT NULL AND completed_at IS NULL)
UNION ALL SELECT 'parked_events', 'Events that a consumer could not apply', (SELECT count(*) FROM parked_event)
UNION ALL SELECT 'held_pay', 'Reports whose pay is in doubt', (SELECT count(*) FROM held_pay WHERE settled_at IS NULL)
"""
