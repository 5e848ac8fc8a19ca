"""Feeds are heard, go quiet and are heard again: told once each time, on the lists that they feed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from tests.builders import wait_until_somebody_waits
from tests.conftest import NOW, Database, set_clock
from tests.worklist.arrivals import doubts_of, events_of
from worklist.feeds.heard import Ear, FeedKind, QuietFeed, judge_feeds, note_heard, quiet_feeds

HOUR = timedelta(hours=1)


def known(database: Database, name: str = "PACS_A", trust: str = "RXA", *, kind: str = "dicom") -> None:
    """Let a feed have sent a hundred objects in each hour of four weeks."""
    with database.owner.begin() as connection:
        values = {"kind": kind, "name": name, "trust": trust}
        connection.execute(text("INSERT INTO feed (kind, name, trust_ods) VALUES (:kind, :name, :trust)"), values)
        connection.execute(
            text(
                "INSERT INTO feed_hour (kind, name, hour, heard) SELECT :kind, :name, hour, 100 FROM generate_series("
                "date_trunc('hour', radpool_now(), 'UTC') - interval '28 days', radpool_now(), interval '1 hour') hour"
            ),
            values,
        )


def judge(database: Database) -> int:
    with database.app.begin() as connection:
        return judge_feeds(connection)


def quiet(database: Database, trusts: frozenset[str] | None = None) -> list[QuietFeed]:
    with database.app.connect() as connection:
        return quiet_feeds(connection, trusts)


def test_a_feed_that_goes_quiet_is_told_of_once(network: Database) -> None:
    known(network)
    known(network, "RIS_B", "RXB", kind="hl7")
    assert judge(network) == 0
    set_clock(network.owner, NOW + HOUR)
    hear(network, "RIS_B", "RXB", FeedKind.HL7)
    assert judge(network) == 1
    assert judge(network) == 0
    [one] = quiet(network)
    assert (one.kind, one.name, one.trust) == (FeedKind.DICOM, "PACS_A", "RXA")
    assert NOW <= one.since < NOW + timedelta(minutes=5)
    assert doubts_of(network.app) == {"feed-quiet"}
    assert events_of(network.app)[1:] == ["feed.quiet"]


def test_only_the_trusts_that_it_feeds_are_told(network: Database) -> None:
    known(network)
    set_clock(network.owner, NOW + HOUR)
    judge(network)
    assert [one.name for one in quiet(network, frozenset({"RXA", "RXB"}))] == ["PACS_A"]
    assert quiet(network, frozenset({"RXB"})) == []


def test_what_is_heard_again_is_quiet_no_longer(network: Database) -> None:
    known(network)
    set_clock(network.owner, NOW + HOUR)
    judge(network)
    hear(network, "PACS_A", "RXA", FeedKind.DICOM)
    assert quiet(network) == []
    assert doubts_of(network.app) == set()
    assert events_of(network.app)[1:] == ["feed.quiet", "feed.heard-again"]
    assert judge(network) == 0


def test_what_is_heard_while_it_is_judged_is_not_quiet(network: Database) -> None:
    known(network)
    set_clock(network.owner, NOW + HOUR)
    with ThreadPoolExecutor(1) as pool, network.app.connect() as hearing:
        note_heard(hearing, FeedKind.DICOM, "PACS_A", "RXA", 1)
        judged = pool.submit(judge, network)
        wait_until_somebody_waits(network)
        hearing.commit()
        assert judged.result(timeout=60) == 0
    assert doubts_of(network.app) == set()
    assert "feed.quiet" not in events_of(network.app)


def test_what_is_heard_is_counted_by_the_hour(network: Database) -> None:
    ear = Ear(FeedKind.DICOM)
    ear.hear("PACS_A", "RXA", 3)
    ear.hear("PACS_A", "RXA")
    ear.write_down(network.app)
    ear.write_down(network.app)
    hear(network, "PACS_A", "RXA", FeedKind.DICOM)
    with network.app.connect() as connection:
        rows = connection.execute(text("SELECT name, hour, heard FROM feed_hour")).all()
    assert [tuple(row) for row in rows] == [("PACS_A", NOW, 5)]


def test_hours_that_nothing_is_compared_with_are_forgotten(network: Database) -> None:
    known(network)
    set_clock(network.owner, NOW + timedelta(days=20))
    judge(network)
    assert network.count("SELECT count(*) FROM feed_hour WHERE hour < radpool_now() - interval '36 days'") == 0
    assert network.count("SELECT count(*) FROM feed_hour") > 0


def hear(database: Database, name: str, trust: str, kind: FeedKind) -> None:
    ear = Ear(kind)
    ear.hear(name, trust)
    ear.write_down(database.app)
