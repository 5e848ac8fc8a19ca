"""Keeps when sources and home RIS were heard, and tells when one has gone quiet: silence is not "no work".

Who receives counts in memory and writes now and then: a message's own transaction must not wait for a row
that all messages of its feed share. A count that a crash takes along is no fact about a patient.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine, delete, select, text, update

from worklist.clock import now
from worklist.db.tables.feeds import feed, feed_hour
from worklist.doubts import close_doubt, hold_doubt_open
from worklist.feeds.silence import REACH, is_unusually_quiet
from worklist.log import events
from worklist.turnaround.bank_holidays import england_bank_holidays

_QUIET = "feed-quiet"
_QUIET_WHY = "nothing has come for longer than is usual at this time of the week: its list may be short of work"


class FeedKind(StrEnum):
    """What a feed speaks."""

    DICOM = "dicom"
    HL7 = "hl7"


#: What a feed brings: one name may be that of a PACS and of a RIS.
_BRINGS = {FeedKind.DICOM: "images", FeedKind.HL7: "messages"}


@dataclass(frozen=True, slots=True)
class QuietFeed:
    """A feed that has been quiet for longer than is usual; `since` (aware UTC) is when it was last heard."""

    kind: FeedKind
    name: str
    trust: str
    since: datetime


class Ear:
    """Counts what is heard of feeds, until it is written down; used from many threads."""

    def __init__(self, kind: FeedKind) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._heard: Counter[tuple[str, str]] = Counter()

    def hear(self, name: str, trust: str, count: int = 1) -> None:
        """Count messages or objects of a feed."""
        with self._lock:
            self._heard[name, trust] += count

    def write_down(self, engine: Engine) -> None:
        """Write what was counted since the last time; what cannot be written is counted on."""
        with self._lock:
            heard, self._heard = self._heard, Counter()
        try:
            with engine.begin() as connection:
                for (name, trust), count in sorted(heard.items()):
                    note_heard(connection, self._kind, name, trust, count)
        except Exception:
            with self._lock:
                self._heard.update(heard)
            raise


def note_heard(connection: Connection, kind: FeedKind, name: str, trust: str, count: int) -> None:
    """Write down that a feed was heard; it is quiet no longer."""
    was_quiet = connection.scalar(
        select(feed.c.quiet_since).where(feed.c.kind == kind.value, feed.c.name == name).with_for_update()
    )
    connection.execute(_HEARD, {"kind": kind.value, "name": name, "trust": trust, "count": count})
    if was_quiet is not None:
        events.append(connection, "feed.heard-again", trust=trust, dimensions={"feed": kind.value, "name": name})
        close_doubt(connection, _QUIET, source=name, detail=_why_quiet(kind), by="system", outcome="heard again")


def _why_quiet(kind: FeedKind) -> str:
    return f"{_BRINGS[kind]}: {_QUIET_WHY}"


def judge_feeds(connection: Connection) -> int:
    """Find feeds that have gone quiet, tell of them, and forget hours that nothing is compared with; gives how many."""
    moment = now(connection)
    connection.execute(delete(feed_hour).where(feed_hour.c.hour < moment - REACH))
    heard: dict[tuple[str, str], dict[datetime, int]] = defaultdict(dict)
    for row in connection.execute(select(feed_hour)):
        heard[row.kind, row.name][row.hour] = row.heard
    holidays = england_bank_holidays((moment.year - 1, moment.year, moment.year + 1))
    found = 0
    for row in connection.execute(select(feed).where(feed.c.quiet_since.is_(None)).order_by(feed.c.kind, feed.c.name)):
        if not is_unusually_quiet(heard[row.kind, row.name], row.last_heard_at, moment, holidays):
            continue
        noted = connection.execute(
            update(feed)
            .where(
                feed.c.kind == row.kind,
                feed.c.name == row.name,
                feed.c.last_heard_at == row.last_heard_at,
            )
            .values(quiet_since=row.last_heard_at)
        )
        if not noted.rowcount:
            continue  # it was heard just now
        found += 1
        events.append(connection, "feed.quiet", trust=row.trust_ods, dimensions={"feed": row.kind, "name": row.name})
        hold_doubt_open(connection, _QUIET, trust=row.trust_ods, source=row.name, detail=_why_quiet(FeedKind(row.kind)))
    return found


def quiet_feeds(connection: Connection, trusts: frozenset[str] | None) -> list[QuietFeed]:
    """Give the quiet feeds of some trusts (None: of all), the longest quiet first."""
    statement = select(feed).where(feed.c.quiet_since.is_not(None)).order_by(feed.c.quiet_since, feed.c.name)
    if trusts is not None:
        statement = statement.where(feed.c.trust_ods.in_(sorted(trusts)))
    return [
        QuietFeed(FeedKind(row.kind), row.name, row.trust_ods, row.quiet_since) for row in connection.execute(statement)
    ]


_HEARD = text("""
WITH one AS (
  INSERT INTO feed (kind, name, trust_ods) VALUES (:kind, :name, :trust)
  ON CONFLICT (kind, name) DO UPDATE SET last_heard_at = radpool_now(), quiet_since = NULL, trust_ods = :trust
  RETURNING last_heard_at
)
INSERT INTO feed_hour (kind, name, hour, heard)
SELECT :kind, :name, date_trunc('hour', last_heard_at, 'UTC'), :count FROM one
ON CONFLICT (kind, name, hour) DO UPDATE SET heard = feed_hour.heard + :count
""")
