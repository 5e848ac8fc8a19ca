"""A consumer's effects happen once for each event, and one bad event stops nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.conftest import Database
from worklist.log import events
from worklist.log.events import Event
from worklist.log.sequencer import sequence


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it."""


@pytest.fixture
def three(empty: Database) -> Database:
    """A database with three events in order and a table for effects."""
    with empty.owner.begin() as connection:
        connection.execute(text("CREATE TABLE effect (position bigint)"))
        connection.execute(text("GRANT ALL ON effect TO radpool_app"))
    with empty.app.begin() as connection:
        for kind in ("one", "two", "three"):
            events.append(connection, kind, dimensions={"kind": kind})
    sequence(empty.app)
    return empty


def test_events_are_consumed_in_order_of_position_with_what_they_say(three: Database) -> None:
    seen: list[Event] = []
    assert events.consume(three.app, "test", lambda _, one: seen.append(one)) == 3
    assert [(one.position, one.kind, one.dimensions) for one in seen] == [
        (1, "one", {"kind": "one"}),
        (2, "two", {"kind": "two"}),
        (3, "three", {"kind": "three"}),
    ]


def test_a_consumer_killed_after_an_effect_leaves_none_and_does_it_once_when_it_returns(three: Database) -> None:
    with pytest.raises(Killed):
        events.consume(three.app, "test", _then(_note, at=2, error=Killed))
    assert _effects(three) == []
    events.consume(three.app, "test", _note)
    assert _effects(three) == [1, 2, 3]


def test_a_consumer_that_ran_before_does_nothing_again(three: Database) -> None:
    events.consume(three.app, "test", _note)
    assert events.consume(three.app, "test", _note) == 0
    assert _effects(three) == [1, 2, 3]


def test_a_batch_ends_at_its_limit_and_the_next_goes_on_there(three: Database) -> None:
    assert events.consume(three.app, "test", _note, limit=2) == 2
    assert events.consume(three.app, "test", _note, limit=2) == 1
    assert _effects(three) == [1, 2, 3]


def test_each_consumer_has_its_own_checkpoint(three: Database) -> None:
    events.consume(three.app, "first", _note)
    assert events.consume(three.app, "second", _note) == 3


def test_a_second_process_of_the_same_consumer_stands_by(three: Database) -> None:
    def apply(connection: Connection, one: Event) -> None:
        assert events.consume(three.app, "test", _note) == 0
        _note(connection, one)

    events.consume(three.app, "test", _note, limit=1)
    events.consume(three.app, "test", apply)
    assert _effects(three) == [1, 2, 3]


def test_a_poison_event_is_parked_with_its_effects_undone_and_those_behind_it_go_on(three: Database) -> None:
    events.consume(three.app, "test", _then(_note, at=2, error=ValueError))
    assert _effects(three) == [1, 3]
    assert _parked(three) == [("test", 2, "ValueError")]


def test_an_event_that_breaks_a_constraint_is_parked_too(three: Database) -> None:
    def apply(connection: Connection, one: Event) -> None:
        _note(connection, one)
        if one.position == 2:
            connection.execute(text("INSERT INTO trust (ods_code) VALUES ('RXZ')"))

    events.consume(three.app, "test", apply)
    assert _effects(three) == [1, 3]
    assert _parked(three) == [("test", 2, "IntegrityError")]


def test_a_fault_of_the_database_is_tried_again_and_never_parked(three: Database) -> None:
    def apply(connection: Connection, one: Event) -> None:
        _note(connection, one)
        if one.position == 2:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(OperationalError):
        events.consume(three.app, "test", apply)
    assert (_effects(three), _parked(three)) == ([], [])
    events.consume(three.app, "test", _note)
    assert (_effects(three), _parked(three)) == ([1, 2, 3], [])


def test_an_event_of_a_rolled_back_transaction_never_was(three: Database) -> None:
    with three.app.connect() as connection:
        events.append(connection, "never")
        connection.rollback()
    sequence(three.app)
    with three.app.connect() as connection:
        assert events.last_position(connection) == 3


def test_before_the_first_event_the_last_position_is_zero(empty: Database) -> None:
    with empty.app.connect() as connection:
        assert events.last_position(connection) == 0


def _note(connection: Connection, one: Event) -> None:
    connection.execute(text("INSERT INTO effect VALUES (:position)"), {"position": one.position})


def _then(apply: events.Apply, *, at: int, error: Callable[[], BaseException]) -> events.Apply:
    def both(connection: Connection, one: Event) -> None:
        apply(connection, one)
        if one.position == at:
            raise error()

    return both


def _effects(database: Database) -> list[int]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT position FROM effect ORDER BY position")))


def _parked(database: Database) -> list[tuple[str, int, str]]:
    with database.owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT consumer, position, reason FROM parked_event"))]
