"""Every committed event gets one dense position, whoever commits late; nobody is skipped or kept waiting."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Connection, text

from tests.conftest import Database
from worklist.log import events
from worklist.log.events import Event
from worklist.log.sequencer import CHANNEL, Batch, anything_new, sequence

WRITERS, TRANSACTIONS, SEED = 8, 40, 20260610


def test_eight_writers_out_of_order_and_each_committed_event_is_consumed_once(empty: Database) -> None:
    with empty.owner.begin() as connection:
        connection.execute(text("CREATE TABLE effect (position bigint, writer integer, number integer)"))
        connection.execute(text("GRANT ALL ON effect TO radpool_app"))
    writing = threading.Event()

    def sequence_until_written() -> None:
        while not writing.is_set():
            sequence(empty.app)

    def consume_until_written() -> None:
        while not writing.is_set():
            events.consume(empty.app, "test", _note, limit=7)

    with ThreadPoolExecutor(WRITERS + 3) as pool:
        writers = [pool.submit(_write, empty, writer) for writer in range(WRITERS)]
        others = [pool.submit(sequence_until_written) for _ in range(2)]
        others.append(pool.submit(consume_until_written))
        committed = {pair for writer in writers for pair in writer.result()}
        writing.set()
        for one in others:
            one.result()
    sequence(empty.app)
    while events.consume(empty.app, "test", _note):
        pass
    with empty.owner.connect() as connection:
        effects = connection.execute(text("SELECT position, writer, number FROM effect ORDER BY position")).all()
    assert len(committed) > WRITERS * TRANSACTIONS / 2
    assert [row.position for row in effects] == list(range(1, len(committed) + 1))
    assert sorted((row.writer, row.number) for row in effects) == sorted(committed)


def test_there_is_something_new_until_all_that_was_drawn_is_settled(empty: Database) -> None:
    def new() -> bool:
        with empty.app.connect() as connection:
            return anything_new(connection)

    for _ in range(3):
        sequence(empty.app)
    assert not new()
    with empty.app.connect() as late:
        events.append(late, "late")
        assert new()
        for _ in range(3):
            sequence(empty.app)
        assert new(), "its writer may still commit it"
        late.commit()
    assert new()
    assert sequence(empty.app) == Batch(placed=1, last_position=1)
    for _ in range(3):
        sequence(empty.app)
    assert not new()


def test_an_event_whose_writer_commits_late_is_never_passed_by_the_mark(empty: Database) -> None:
    _append(empty, "before")
    for _ in range(3):
        sequence(empty.app)
    with empty.app.connect() as late:
        events.append(late, "late")  # the newest transaction of all, and still running
        sequence(empty.app)
        _append(empty, "early")
        for _ in range(4):
            sequence(empty.app)
        late.commit()
    assert sequence(empty.app) == Batch(placed=1, last_position=3)


def test_the_very_first_event_is_not_passed_by_a_sequencer_that_looked_before_it(empty: Database) -> None:
    for _ in range(3):
        sequence(empty.app)
    with empty.app.connect() as late:
        events.append(late, "late")
        _append(empty, "early")
        for _ in range(4):
            sequence(empty.app)
        late.commit()
    assert sequence(empty.app) == Batch(placed=1, last_position=2)


def test_a_long_transaction_of_one_writer_does_not_stall_the_events_of_others(empty: Database) -> None:
    with empty.app.connect() as long:
        events.append(long, "long")
        for expected in (1, 2, 3):
            _append(empty, "short")
            assert sequence(empty.app) == Batch(placed=1, last_position=expected)


def test_the_settled_mark_reaches_the_newest_event_when_its_writers_have_ended(empty: Database) -> None:
    for _ in range(20):
        _append(empty, "one")
    for _ in range(3):
        sequence(empty.app)
    assert _settled(empty) == _newest(empty)


def test_the_settled_mark_does_not_pass_a_writer_that_is_still_open_and_goes_on_after_it(empty: Database) -> None:
    _append(empty, "before")
    for _ in range(3):
        sequence(empty.app)
    with empty.app.connect() as open_writer:
        events.append(open_writer, "open")
        _append(empty, "after")
        for _ in range(4):
            sequence(empty.app)
        held_at = _settled(empty)
        open_writer.rollback()
    for _ in range(3):
        sequence(empty.app)
    assert (held_at, _settled(empty)) == (1, _newest(empty))


def test_an_idle_sequencer_writes_nothing(empty: Database) -> None:
    _append(empty, "one")
    for _ in range(3):
        sequence(empty.app)
    before = _transactions(empty)
    for _ in range(5):
        sequence(empty.app)
    assert _transactions(empty) == before


def test_the_mark_moves_again_after_a_backup_was_restored_into_a_cluster_with_lower_numbers(empty: Database) -> None:
    with empty.owner.begin() as connection:
        connection.execute(text("UPDATE sequencer_mark SET candidate_horizon = 9000000000000"))
    for _ in range(5):
        _append(empty, "one")
    for _ in range(3):
        sequence(empty.app)
    assert _settled(empty) == _newest(empty)


def test_a_second_sequencer_stands_by(empty: Database) -> None:
    with empty.app.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(7223003)"))
        assert sequence(empty.app) is None


def test_listeners_are_told_once_per_batch_of_the_newest_position(empty: Database) -> None:
    with psycopg.connect(empty.app_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        for _ in range(3):
            _append(empty, "one")
        sequence(empty.app)
        sequence(empty.app)
        heard = [one.payload for one in listener.notifies(timeout=1, stop_after=1)]
        heard += [one.payload for one in listener.notifies(timeout=0.05)]
    assert heard == ["3"]


@pytest.fixture(autouse=True)
def _short_switches() -> Iterator[None]:
    """Let threads change places often, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    yield
    sys.setswitchinterval(before)


def _write(database: Database, writer: int) -> set[tuple[int, int]]:
    """Write events with pauses between number and commit; give what was committed."""
    chance = random.Random(SEED + writer)
    committed = set()
    for number in range(TRANSACTIONS):
        with database.app.connect() as connection:
            events.append(connection, "test", dimensions={"writer": writer, "number": number})
            time.sleep(chance.choice((0, 0, 0.001, 0.01)))
            if chance.random() < 0.2:
                connection.rollback()
            else:
                connection.commit()
                committed.add((writer, number))
    return committed


def _note(connection: Connection, one: Event) -> None:
    connection.execute(
        text("INSERT INTO effect VALUES (:position, :writer, :number)"),
        {"position": one.position, **one.dimensions},
    )


def _append(database: Database, kind: str) -> None:
    with database.app.begin() as connection:
        events.append(connection, kind)


def _settled(database: Database) -> int:
    with database.app.connect() as connection:
        return int(connection.execute(text("SELECT settled_event_id FROM sequencer_mark")).scalar_one())


def _newest(database: Database) -> int:
    with database.app.connect() as connection:
        return int(connection.execute(text("SELECT last_value FROM event_id_seq")).scalar_one())


def _transactions(database: Database) -> str:
    """Give the number that the next transaction would get, without taking it."""
    with database.app.connect() as connection:
        return str(connection.execute(text("SELECT pg_snapshot_xmax(pg_current_snapshot())")).scalar_one())
