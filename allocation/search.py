"""Finds the best free reading for a reporter by the index of eligibility, and locks it with its item.

It must not trust the index: what it finds is judged again. It must not say that there is nothing while an eligible
free reading remains, nor wait for a lock while it holds others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from allocation.bundle_search import goes_on_with_last
from allocation.eligibility import Verdict
from allocation.judging import judge_reading, rule_that_keeps_it
from allocation.pool import ASSIGNED, GOING_ON, LOCK_ONE, POOL, POOL_UNASSIGNED, WALK_UNASSIGNED
from allocation.reporter import Reporter
from allocation.workforce import index_new_profiles, keep_index
from worklist.db.tables.work import item
from worklist.home.reading import read_at_home_since

#: More candidates than any pool that others could hold locked at one time.
_MOST_CANDIDATES = 1_000_000


@dataclass(frozen=True, slots=True)
class Picked:
    """A reading to claim with its item, both locked, and the verdict that opens it."""

    reading: Row[Any]
    item: Row[Any]
    verdict: Verdict


def best_reading(
    connection: Connection, reporter: Reporter, asked: Mapping[str, Any], moment: datetime
) -> tuple[Picked, tuple[str, ...]] | None:
    """Give the locked best reading and why it is that; None only when there is none.

    `asked` is what every search of `allocation.pool` takes, but for what was refused. Assigned comes first, else the
    most urgent.
    """
    keep_index(connection, reporter.id)
    refused = _Refused(connection)
    if goes_on_with_last(connection, asked, moment):
        picked = _search(connection, GOING_ON, reporter, asked, moment, refused)
        if picked is not None:
            return picked, ("of the same patient and day as what you had last",)
    searches = (
        (_search, ASSIGNED, "assigned to you by the plan"),
        (_walk, WALK_UNASSIGNED, "the most urgent that you may report"),
        (_search, POOL_UNASSIGNED, "the most urgent that you may report"),
        (_search, POOL, "the most urgent that you may report; planned for a colleague who has not taken it"),
    )
    for _ in range(2):
        for look, search, why in searches:
            picked = look(connection, search, reporter, asked, moment, refused)
            if picked is not None:
                return picked, (why,)
        refused.let_go()
        if not index_new_profiles(connection):  # which may wait for who holds the index and wants those readings
            return None
        refused.mark()
    return None


class _Refused:
    """The readings that a search found locked and unfit, and their locks, of which none may be held by who waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: set[int] = set()
        self.mark()

    @property
    def ids(self) -> list[int]:
        return sorted(self._ids)

    def add(self, reading_id: int) -> None:
        self._ids.add(reading_id)

    def mark(self) -> None:
        """Keep what was written so far, whatever is let go."""
        self._connection.exec_driver_sql("SAVEPOINT refused")

    def let_go(self) -> None:
        """Release all row locks since the mark; the readings stay refused."""
        self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT refused")


def _walk(
    connection: Connection,
    search: str,
    reporter: Reporter,
    asked: Mapping[str, Any],
    moment: datetime,
    refused: _Refused,
) -> Picked | None:
    """Look along the pool's most urgent readings a bounded way; finding none there says nothing of the rest."""
    while True:
        these = {**asked, "refused": refused.ids}
        row = connection.execute(text(search), these).one_or_none()
        if row is None:
            return None
        picked = _judged(connection, reporter, row, moment)
        if picked is not None:
            return picked
        refused.add(row.id)


def _search(
    connection: Connection,
    search: str,
    reporter: Reporter,
    asked: Mapping[str, Any],
    moment: datetime,
    refused: _Refused,
) -> Picked | None:
    """Look through all that the index gives the reporter; None only when nothing of it is free."""
    most, patience = 8, 0
    while True:
        these = {**asked, "refused": refused.ids, "most": most}
        candidates = connection.scalars(text(search), these).all()
        if not candidates:
            return None
        wait = patience >= 3 and most > len(candidates)
        if wait:  # for one only, and holding no other: else two who wait could wait for each other
            refused.let_go()
            candidates = candidates[:1]
        row = connection.execute(_lock_one(wait=wait), {"ids": candidates}).one_or_none()
        if row is None:
            # All candidates are just being claimed by others: look further down, at last wait for one.
            most, patience = min(most * 4, _MOST_CANDIDATES), patience + 1
            continue
        picked = _judged(connection, reporter, row, moment)
        if picked is not None:
            return picked
        refused.add(row.id)


def _judged(connection: Connection, reporter: Reporter, row: Row[Any], moment: datetime) -> Picked | None:
    """Judge a locked reading, whose item is locked with it; None where the index was wrong, or it is read at home."""
    if read_at_home_since(connection, row.item_id) is not None:
        return None
    item_row = connection.execute(select(item).where(item.c.id == row.item_id)).one()
    if rule_that_keeps_it(connection, item_row) is not None:
        return None
    verdict = judge_reading(connection, reporter, row, item_row, moment)
    return Picked(row, item_row, verdict) if verdict.eligible else None


def _lock_one(*, wait: bool) -> Any:
    return text(LOCK_ONE.format(how="" if wait else "SKIP LOCKED"))
