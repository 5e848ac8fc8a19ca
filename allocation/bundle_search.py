"""Looks whether a reporter goes on with the patient that they had last; it must not lock nor claim."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from allocation.bundles import Waiting, goes_on
from allocation.pool import ASSIGNED, GOING_ON, POOL_UNASSIGNED, WAITING
from worklist.turnaround.targets import Urgency


def goes_on_with_last(connection: Connection, asked: Mapping[str, Any], moment: datetime) -> bool:
    """Whether something of the last patient's day is free and comes before what they would be given otherwise.

    `asked` is what every search of the pool takes. What is found is a candidate: the claim judges it.
    """
    mate = _first_of(connection, asked, GOING_ON)
    return mate is not None and goes_on(mate, _first_of(connection, asked, ASSIGNED, POOL_UNASSIGNED), moment)


def _first_of(connection: Connection, asked: Mapping[str, Any], *searches: str) -> Waiting | None:
    for search in searches:
        found = connection.scalar(text(search), {**asked, "refused": [], "most": 1})
        if found is not None:
            row = connection.execute(text(WAITING), {"id": found}).one()
            return Waiting(row.due_at, float(row.reporting_minutes), Urgency(row.urgency) if row.urgency else None)
    return None
