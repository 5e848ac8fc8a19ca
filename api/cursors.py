"""Cursors of paged lists: opaque words that say where the last page ended; no identifier is in them."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from api.problems import Problem


def write_cursor(due_at: datetime | None, item_id: int) -> str:
    """Make the cursor that continues after an item."""
    packed = json.dumps([due_at.isoformat() if due_at else None, item_id])
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[datetime | None, int] | None:
    """Read a cursor; None for the first page.

    Raises
    ------
    Problem
        422, if it is none of ours.
    """
    if cursor is None:
        return None
    try:
        due_at, item_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return (datetime.fromisoformat(due_at) if due_at else None), int(item_id)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise Problem(
            422, "invalid-request", "cursor: not one that this API gave; leave it out to start anew"
        ) from None
