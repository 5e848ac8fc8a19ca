"""An item that is read in its home RIS is given to nobody here, until that has ended or is believed no longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import text

from allocation.claims import NotFree
from tests.allocation.claims.claiming import claim_as, claimed_by, do, let_pass
from tests.builders import arrive, patient_called, reporter_id, wait_until_somebody_waits
from tests.conftest import Database
from tests.hl7_listener.delivery.telling import at_home, put_in_line
from tests.worklist.arrivals import doubts_of
from worklist.home.reading import HomeReading, receive_home_reading
from worklist.intake.orders import Message, Outcome
from worklist.life.moves import lock_item

#: The images ended at nine o'clock UTC.
TEN_PAST_NINE = datetime(2026, 6, 10, 9, 10, tzinfo=UTC)
PATIENT = patient_called("Okafor")


def told(being_read: bool, *, minute: int = 0) -> HomeReading:
    made_at = TEN_PAST_NINE + timedelta(minutes=minute)
    return HomeReading(Message("RIS_A", "RXA", made_at, f"S{minute}"), "000123", PATIENT, being_read)


def hear(database: Database, *said: HomeReading) -> list[Outcome]:
    outcomes = []
    for one in said:
        with database.app.begin() as connection:
            outcomes.append(receive_home_reading(connection, one))
    return outcomes


def is_given(database: Database) -> bool:
    return claim_as(database, reporter_id(database, "hart")) is not None


@pytest.fixture
def waiting(network: Database) -> Database:
    arrive(network, accession="000123", patient=PATIENT)
    return network


def test_it_is_neither_given_as_the_next_nor_when_it_is_asked_for(waiting: Database) -> None:
    hear(waiting, told(True))
    assert not is_given(waiting)
    item_id = waiting.count("SELECT id FROM item")
    with pytest.raises(NotFree, match="home RIS, since 2026-06-10 09:10 UTC"):
        claim_as(waiting, reporter_id(waiting, "hart"), item_id=item_id)


def test_the_next_most_urgent_is_given_instead(waiting: Database) -> None:
    hear(waiting, told(True))
    other = arrive(waiting)
    assert claimed_by(waiting, "hart").item_id == other


def test_whoever_waits_for_another_reading_keeps_nobody_from_one_that_was_refused(waiting: Database) -> None:
    """Else who changes both in the other order and the claim would wait for each other."""
    hear(waiting, told(True))
    refused, other = waiting.count("SELECT id FROM item"), arrive(waiting)
    with ThreadPoolExecutor(1) as pool, waiting.app.connect() as writer:
        lock_item(writer, other)
        claiming = pool.submit(claimed_by, waiting, "hart")
        wait_until_somebody_waits(waiting)
        writer.execute(text("SET LOCAL lock_timeout = '20s'"))
        lock_item(writer, refused)
        writer.commit()
        assert claiming.result(timeout=60).item_id == other


def test_when_it_has_ended_the_item_is_given_again(waiting: Database) -> None:
    assert hear(waiting, told(True), told(False, minute=5)) == [Outcome.APPLIED, Outcome.APPLIED]
    assert is_given(waiting)


def test_a_lock_that_nobody_ends_is_believed_for_hours_and_not_for_ever(waiting: Database) -> None:
    hear(waiting, told(True))
    let_pass(waiting, 3 * 3600)
    assert not is_given(waiting)
    let_pass(waiting, 3600)
    assert is_given(waiting)


def test_a_status_of_before_the_end_of_the_examination_is_not_about_reading(waiting: Database) -> None:
    hear(waiting, told(True, minute=-30))
    assert is_given(waiting)


@pytest.mark.parametrize("told_in", list(permutations(range(3))), ids=str)
def test_the_newest_message_counts_in_whatever_order_they_come_and_however_often(
    waiting: Database, told_in: tuple[int, ...]
) -> None:
    messages = [told(True), told(False, minute=5), told(True, minute=10)]
    hear(waiting, *(messages[number] for number in told_in), *(messages[number] for number in told_in))
    assert not is_given(waiting)


def test_what_is_sent_again_by_a_ris_whose_clock_is_ahead_is_not_newer(waiting: Database) -> None:
    begun, ended = told(True, minute=55), told(False, minute=56)
    assert hear(waiting, begun, ended, begun) == [Outcome.APPLIED, Outcome.APPLIED, Outcome.STALE]
    assert is_given(waiting)


def test_of_two_messages_of_one_instant_the_one_that_ends_it_is_the_newer(network: Database) -> None:
    arrive(network, accession="000123", patient=PATIENT)
    assert hear(network, told(False), told(True), told(False)) == [Outcome.APPLIED, Outcome.STALE, Outcome.REPEATED]
    assert is_given(network)


def test_it_may_be_told_before_anything_else_of_the_accession(network: Database) -> None:
    hear(network, told(True))
    arrive(network, accession="000123", patient=PATIENT)
    assert not is_given(network)


def test_whoever_holds_it_here_goes_on_and_a_person_is_told(waiting: Database) -> None:
    made = claimed_by(waiting, "hart")
    hear(waiting, told(True))
    assert doubts_of(waiting.app) == {"read-at-home-while-claimed"}
    assert waiting.count(f"SELECT count(*) FROM claim WHERE id = {made.claim_id} AND ended_at IS NULL") == 1


class TestOfOurOwnLock:
    """A RIS tells every change of a status to everybody, also that of the lock that it was told of."""

    @pytest.mark.parametrize("locks", ["honoured", "diverted"])
    def test_it_is_not_taken_for_a_reading_there(self, waiting: Database, locks: str) -> None:
        at_home(waiting, 1, locks=locks)
        made = claimed_by(waiting, "hart")
        put_in_line(waiting)
        with waiting.owner.begin() as connection:
            connection.execute(text("UPDATE delivery SET attempts = 1, last_attempt_at = radpool_now()"))
        assert hear(waiting, told(True, minute=51)) == [Outcome.KEPT_OUT]
        assert doubts_of(waiting.app) == set()
        do(waiting, "release", "hart", made)
        assert is_given(waiting)

    def test_a_lock_that_it_was_not_told_of_yet_is_not_repeated_by_it(self, waiting: Database) -> None:
        at_home(waiting, 1, locks="honoured")
        made = claimed_by(waiting, "hart")
        put_in_line(waiting)
        assert hear(waiting, told(True, minute=51)) == [Outcome.APPLIED]
        assert doubts_of(waiting.app) == {"read-at-home-while-claimed"}
        do(waiting, "release", "hart", made)
        assert not is_given(waiting)

    def test_a_lock_that_it_would_not_take_is_not_repeated_by_it(self, waiting: Database) -> None:
        at_home(waiting, 1, locks="honoured")
        claimed_by(waiting, "hart")
        put_in_line(waiting)
        with waiting.owner.begin() as connection:
            ended = "state = 'dead', last_attempt_at = radpool_now(), ended_at = radpool_now()"
            connection.execute(text(f"UPDATE delivery SET {ended}"))
        assert hear(waiting, told(True, minute=51)) == [Outcome.APPLIED]

    def test_what_it_says_long_after_is_of_somebody_there(self, waiting: Database) -> None:
        at_home(waiting, 1, locks="honoured")
        claimed_by(waiting, "hart")
        put_in_line(waiting)
        with waiting.owner.begin() as connection:
            ended = "state = 'acknowledged', last_attempt_at = radpool_now(), ended_at = radpool_now()"
            connection.execute(text(f"UPDATE delivery SET {ended}"))
        let_pass(waiting, 590)
        assert hear(waiting, told(True, minute=59)) == [Outcome.APPLIED]
        assert doubts_of(waiting.app) == {"read-at-home-while-claimed"}


def test_of_another_patient_it_locks_nothing(waiting: Database) -> None:
    other = HomeReading(told(True).message, "000123", patient_called("Other"), being_read=True)
    assert hear(waiting, other) == [Outcome.KEPT_OUT]
    assert is_given(waiting)
