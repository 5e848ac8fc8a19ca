"""Reads what people did with an item beside reading it: who, when, why; the words of a note to whom they are meant.

Reading is an act: callers append the audit entry in the same transaction. It must not decide who may see an item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, null, select, union_all
from sqlalchemy import literal as word
from sqlalchemy.dialects.postgresql import JSONB

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.announced import forced_completion
from worklist.db.tables.life import item_act
from worklist.db.tables.work import item


@dataclass(frozen=True, slots=True)
class ItemActView:
    """One act: `at` is aware UTC, `reason` a code of the list (None: the act undoes another or needs none).

    `note` None: there is none, or it is not for this viewer. `detail` is what else was done.
    """

    act: str
    by: str
    at: datetime
    reason: str | None
    note: str | None
    detail: Mapping[str, Any] | None


def read_acts(connection: Connection, item_id: int, *, with_notes: bool) -> list[ItemActView]:
    """Give the acts on an item in the order in which they were done; the notes only where they may be seen.

    The transaction sees the identities of the item's trust afterwards.
    """
    view_as(connection, Viewer(trust=connection.scalar(select(item.c.trust_ods).where(item.c.id == item_id))))
    acts = select(
        item_act.c.id,
        item_act.c.act,
        item_act.c.actor,
        item_act.c.at,
        item_act.c.reason,
        item_act.c.note,
        item_act.c.detail,
    ).where(item_act.c.item_id == item_id)
    completed = select(
        forced_completion.c.id,
        word("complete").label("act"),
        forced_completion.c.actor,
        forced_completion.c.at,
        forced_completion.c.reason,
        forced_completion.c.note,
        null().cast(JSONB).label("detail"),
    ).where(forced_completion.c.item_id == item_id)
    both = union_all(acts, completed).subquery()
    return [
        ItemActView(row.act, row.actor, row.at, row.reason, row.note if with_notes else None, row.detail)
        for row in connection.execute(select(both).order_by(both.c.at, both.c.id))
    ]
