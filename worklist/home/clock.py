"""Stops an item's turnaround clock: when its verified report is available to the referrer, at home.

It must not decide that a report is there; its callers do, and say what tells them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, exists, func, or_, select, update

from worklist.db.tables.delivery import delivery
from worklist.db.tables.network import ris
from worklist.db.tables.work import item
from worklist.doubts import close_doubt
from worklist.home.told import OF_REPORTS, DeliveryState
from worklist.item import ItemState
from worklist.life.moves import append_item_event

#: Of an exception: a report that is verified here and that the home RIS is not known to have.
UNDELIVERED = "report-undelivered"
UNDELIVERED_WHY = "the report has not been acknowledged by the home RIS: its referrer may not have it"
#: What holds of an item whose verified report is not known to be available at home.
_WITH_REPORT = (ItemState.VERIFIED.value, ItemState.ADDENDUM.value)
AWAITED = item.c.reported_at.is_(None) & item.c.state.in_(_WITH_REPORT)


class ReportedSource(StrEnum):
    """What says that a final report is available at home."""

    ACKNOWLEDGED = "acknowledged"  # the home RIS took our message
    HOME_REPORT = "home-report"  # the home RIS has a final report of its own
    VERIFIED = "verified"  # no home RIS would tell: the verification itself
    PERSON = "person"  # somebody saw to it


def waits_for_home(connection: Connection, trust: str, *, has_words: bool) -> bool:
    """Whether a verified report is available only when a home RIS of the trust says so.

    Words that are here it must take from us; words that were written in it, it sends, if it sends any.
    """
    says_so = ris.c.host.is_not(None) if has_words else ris.c.sends_reports
    return bool(connection.scalar(select(exists().where(ris.c.trust_ods == trust, says_so))))


def is_awaited(row: Row[Any]) -> bool:
    """Whether an item's verified report is not known to be available at home."""
    return row.reported_at is None and row.state in _WITH_REPORT


def stop_clock(
    connection: Connection, row: Row[Any], at: datetime | None, source: ReportedSource, *, by: str = ""
) -> bool:
    """Stop the clock of a locked item at an aware instant (None: now); gives whether that changed anything.

    The earliest instant counts, whichever is heard of first.
    """
    instant = func.radpool_now() if at is None else at
    stopped = connection.execute(
        update(item)
        .where(item.c.id == row.id, or_(item.c.reported_at.is_(None), item.c.reported_at > instant))
        .values(reported_at=instant, reported_source=source.value)
        .returning(item)
    ).one_or_none()
    if stopped is None:
        return False
    dimensions = {"reported_at": stopped.reported_at.isoformat(), "source": source.value, "by": by}
    append_item_event(connection, stopped, "item.available", dimensions=dimensions)
    return True


def page_no_longer(connection: Connection, item_id: int, *, by: str, outcome: str) -> None:
    """Close the exception of an item of which every report has reached its RIS, or was settled."""
    left = exists().where(
        delivery.c.item_id == item_id,
        delivery.c.notice.in_([notice.value for notice in OF_REPORTS]),
        delivery.c.state.in_((DeliveryState.DEAD.value, DeliveryState.WAITING.value)),
    )
    awaited = exists().where(item.c.id == item_id, AWAITED)
    if not connection.scalar(select(or_(left, awaited))):
        close_doubt(connection, UNDELIVERED, item_id=item_id, detail=UNDELIVERED_WHY, by=by, outcome=outcome)
