"""What is put in line for which RIS, in what order it leaves, and what the answers do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from allocation.reports import ReportGiven
from hl7_listener.delivery import line
from hl7_listener.delivery.answer import NO_ANSWER, Answer, Verdict
from hl7_listener.delivery.line import NotDead, Taken, UnknownDelivery
from tests.allocation.claims.claiming import LEASE, PRELIMINARY, claimed_by, do, let_pass, report
from tests.builders import arrive
from tests.conftest import Database
from tests.hl7_listener.delivery.telling import (
    at_home,
    item_row,
    line_of,
    notices_of,
    open_exceptions,
    put_in_line,
    verify,
)
from tests.worklist.arrivals import a_home_report, take
from worklist.home.told import DeliveryState
from worklist.intake.study import PatientAsSent
from worklist.life.recall import recall
from worklist.reading import ReportStatus

TAKEN = Answer(Verdict.TAKEN, "AA")
REJECTED = Answer(Verdict.NEVER, "AR PID-1-3")


def take_next(database: Database, facility: str = "RIS_A") -> Taken | None:
    with database.app.begin() as connection:
        return line.take_next(connection, facility, lease_seconds=60)


def answer(database: Database, taken: Taken | None, given: Answer) -> DeliveryState:
    assert taken is not None
    with database.app.begin() as connection:
        return line.note_answer(connection, taken, given)


def page(database: Database, after_seconds: float) -> None:
    with database.app.begin() as connection:
        line.page_undelivered(connection, after_seconds=after_seconds)


class TestWhatIsPutInLine:
    """Events become messages, once for each RIS that takes them."""

    def test_a_ris_that_takes_no_messages_is_told_nothing(self, network: Database) -> None:
        arrive(network)
        verify(network)
        assert put_in_line(network) == []

    def test_a_report_is_put_in_line_for_the_ris_of_its_trust_alone(self, network: Database) -> None:
        at_home(network, 1)
        at_home(network, 1, facility="RIS_B")
        arrive(network)
        item_id = verify(network)
        [row] = put_in_line(network)
        assert (row.destination, row.notice, row.item_id, row.state) == ("RIS_A", "report", item_id, "waiting")
        assert row.report_id is not None

    def test_the_same_events_are_put_in_line_once(self, network: Database) -> None:
        at_home(network, 1, locks="honoured")
        arrive(network)
        verify(network)
        first = put_in_line(network)
        assert len(first) == 2
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE consumer_checkpoint SET position = 0 WHERE consumer = 'delivery'"))
        assert [row.id for row in put_in_line(network)] == [row.id for row in first]

    @pytest.mark.parametrize(("locks", "told"), [("honoured", ["lock-taken", "lock-released"]), ("unprotected", [])])
    def test_a_ris_that_honours_locks_hears_of_claims(self, network: Database, locks: str, told: list[str]) -> None:
        at_home(network, 1, locks=locks)
        arrive(network)
        do(network, "release", "hart", claimed_by(network, "hart"))
        assert notices_of(network) == told

    def test_a_ris_that_diverts_hears_of_what_is_offered_and_no_longer_offered(self, network: Database) -> None:
        at_home(network, 1, locks="diverted")
        item_id = arrive(network, accession="000123")
        do(network, "release", "hart", claimed_by(network, "hart"))
        assert notices_of(network) == ["lock-taken"]
        with network.app.begin() as connection:
            connection.execute(text("DELETE FROM item_study WHERE item_id = :item"), {"item": item_id})
        take(network.app, a_home_report(patient=_patient_of(network, item_id)))
        assert notices_of(network) == ["lock-taken", "lock-released"]

    def test_a_report_whose_words_are_at_home_is_told_without_words(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network, None)
        assert notices_of(network) == ["reported"]

    def test_a_report_under_a_superseded_claim_is_told_to_nobody(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        late = claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        claimed_by(network, "reed")
        report(network, "hart", late, ReportGiven(ReportStatus.VERIFIED, "too late"))
        assert notices_of(network) == []


class TestOrder:
    """Messages about one item keep their order; other items do not wait for them."""

    def test_the_next_message_of_an_item_waits_until_the_one_before_it_has_ended(self, network: Database) -> None:
        at_home(network, 1, locks="honoured")
        arrive(network)
        verify(network)
        put_in_line(network)
        first = take_next(network)
        assert first is not None
        assert first.notice == "lock-taken"
        assert take_next(network) is None
        answer(network, first, TAKEN)
        second = take_next(network)
        assert second is not None
        assert second.notice == "report"

    def test_a_message_that_nobody_settled_comes_back_under_the_same_control_id(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network)
        put_in_line(network)
        first = take_next(network)
        assert first is not None
        assert take_next(network) is None
        let_pass(network, 61)
        again = take_next(network)
        assert again is not None
        assert (again.id, again.control_id, again.attempt) == (first.id, first.control_id, 2)

    def test_a_notice_that_was_given_up_holds_no_report_up(self, network: Database) -> None:
        at_home(network, 1, locks="honoured")
        arrive(network)
        verify(network)
        put_in_line(network)
        assert answer(network, take_next(network), REJECTED) is DeliveryState.DEAD
        taken = take_next(network)
        assert taken is not None
        assert taken.notice == "report"

    def test_a_report_that_was_given_up_holds_up_what_follows_of_its_item_and_of_no_other(
        self, network: Database
    ) -> None:
        at_home(network, 1)
        arrive(network)
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "Clear."))
        report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "But small."))
        other = verify(network)
        put_in_line(network)
        assert answer(network, take_next(network), REJECTED) is DeliveryState.DEAD
        taken = take_next(network)
        assert taken is not None
        assert taken.item_id == other
        answer(network, taken, TAKEN)
        assert take_next(network) is None
        with network.app.begin() as connection:
            line.line_up_again(connection, line_of(network)[0].id, by="pat")
        again = take_next(network)
        assert again is not None
        assert again.attempt == 1
        answer(network, again, TAKEN)
        addendum = take_next(network)
        assert addendum is not None
        assert addendum.item_id == made.item_id


class TestTheClock:
    """The turnaround clock stops when the report is available at home."""

    def test_a_verified_report_is_available_when_the_ris_acknowledges_it(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        item_id = verify(network)
        row = item_row(network, item_id)
        assert (row.state, row.verified_at is None, row.reported_at) == ("verified", False, None)
        put_in_line(network)
        let_pass(network, 40)
        answer(network, take_next(network), TAKEN)
        row = item_row(network, item_id)
        assert row.reported_source == "acknowledged"
        assert timedelta(seconds=40) <= row.reported_at - row.verified_at < timedelta(seconds=60)

    def test_where_no_ris_would_tell_it_is_available_when_it_is_verified(self, network: Database) -> None:
        arrive(network)
        row = item_row(network, verify(network))
        assert (row.reported_at, row.reported_source) == (row.verified_at, "verified")

    def test_a_report_that_was_written_at_home_is_available_when_the_ris_sends_it(self, network: Database) -> None:
        at_home(network, 1, sends_reports=True)
        item_id = arrive(network, accession="000123")
        verify(network, None)
        put_in_line(network)
        assert answer(network, take_next(network), TAKEN) is DeliveryState.ACKNOWLEDGED
        assert item_row(network, item_id).reported_at is None
        take(network.app, a_home_report(patient=_patient_of(network, item_id)))
        assert item_row(network, item_id).reported_source == "home-report"

    def test_a_preliminary_report_stops_no_clock(self, network: Database) -> None:
        at_home(network, 1)
        item_id = arrive(network)
        report(network, "hart", claimed_by(network, "hart"), PRELIMINARY)
        put_in_line(network)
        assert answer(network, take_next(network), TAKEN) is DeliveryState.ACKNOWLEDGED
        assert item_row(network, item_id).reported_at is None

    def test_an_answer_that_is_heard_twice_moves_the_clock_once(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        item_id = verify(network)
        put_in_line(network)
        taken = take_next(network)
        answer(network, taken, TAKEN)
        stopped = item_row(network, item_id).reported_at
        let_pass(network, 30)
        assert answer(network, taken, NO_ANSWER) is DeliveryState.ACKNOWLEDGED
        assert item_row(network, item_id).reported_at == stopped


class TestRecall:
    """A recalled report stops no clock any more, and the RIS hears of the recall after the report."""

    def test_the_ris_hears_of_the_report_then_of_its_recall_then_of_what_takes_its_place(
        self, network: Database
    ) -> None:
        at_home(network, 1)
        arrive(network)
        item_id = verify(network)
        _recall(network, item_id)
        assert item_row(network, item_id).state == "recalled"
        verify(network, "Amended.")
        assert notices_of(network) == ["report", "recalled", "report"]
        first = take_next(network)
        answer(network, first, TAKEN)
        assert item_row(network, item_id).reported_at is None
        answer(network, take_next(network), TAKEN)
        assert item_row(network, item_id).reported_at is None
        answer(network, take_next(network), TAKEN)
        assert item_row(network, item_id).reported_source == "acknowledged"

    def test_what_the_ris_sends_of_the_recalled_report_ends_no_work(self, network: Database) -> None:
        item_id = arrive(network, accession="000123")
        verify(network)
        _recall(network, item_id)
        take(network.app, a_home_report(30, patient=_patient_of(network, item_id)))
        assert item_row(network, item_id).state == "recalled"
        later = a_home_report(80, patient=_patient_of(network, item_id))
        let_pass(network, 3600)
        take(network.app, later)
        assert item_row(network, item_id).state == "reported_elsewhere"


def _recall(database: Database, item_id: int) -> None:
    with database.app.begin() as connection:
        recall(connection, "pat", item_id, "error-in-report")


class TestWhatDoesNotArrive:
    """A report that does not reach its RIS is put before a person, who sends it again or settles it."""

    def test_a_report_that_waits_too_long_pages_somebody_until_it_arrives(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network)
        put_in_line(network)
        page(network, 900)
        assert open_exceptions(network) == []
        let_pass(network, 901)
        page(network, 900)
        page(network, 900)
        assert open_exceptions(network) == ["report-undelivered"]
        answer(network, take_next(network), TAKEN)
        assert open_exceptions(network) == []

    def test_a_report_that_the_ris_heard_of_and_does_not_send_pages_somebody_until_it_does(
        self, network: Database
    ) -> None:
        at_home(network, 1, sends_reports=True)
        item_id = arrive(network, accession="000123")
        verify(network, None)
        put_in_line(network)
        answer(network, take_next(network), TAKEN)
        page(network, 900)
        assert open_exceptions(network) == []
        let_pass(network, 901)
        page(network, 900)
        assert open_exceptions(network) == ["report-undelivered"]
        take(network.app, a_home_report(patient=_patient_of(network, item_id)))
        assert open_exceptions(network) == []

    def test_a_late_addendum_pages_until_it_has_arrived_too(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "Clear."))
        report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "But small."))
        put_in_line(network)
        let_pass(network, 901)
        page(network, 900)
        answer(network, take_next(network), TAKEN)
        assert open_exceptions(network) == ["report-undelivered"]
        answer(network, take_next(network), TAKEN)
        assert open_exceptions(network) == []

    def test_no_late_report_is_passed_over_for_those_before_it(self, network: Database) -> None:
        at_home(network, 1)
        for _ in range(3):
            arrive(network)
            verify(network)
        put_in_line(network)
        let_pass(network, 901)
        for _ in range(3):
            with network.app.begin() as connection:
                line.page_undelivered(connection, after_seconds=900, limit=1)
        assert len(open_exceptions(network)) == 3

    def test_a_rejected_report_pages_somebody_at_once(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network)
        put_in_line(network)
        answer(network, take_next(network), REJECTED)
        assert open_exceptions(network) == ["report-undelivered"]
        assert line_of(network)[0].last_answer == "AR PID-1-3"

    def test_a_person_who_saw_to_it_says_that_the_referrer_has_it(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        item_id = verify(network)
        put_in_line(network)
        answer(network, take_next(network), REJECTED)
        with network.app.begin() as connection:
            line.settle(connection, line_of(network)[0].id, by="pat")
        row = item_row(network, item_id)
        assert (row.reported_at is None, row.reported_source) == (False, "person")
        assert open_exceptions(network) == []
        assert (line_of(network)[0].state, line_of(network)[0].ended_by) == ("settled", "pat")

    def test_only_what_was_given_up_is_sent_again_or_settled(self, network: Database) -> None:
        at_home(network, 1)
        arrive(network)
        verify(network)
        [row] = put_in_line(network)
        for act in (line.line_up_again, line.settle):
            with network.app.connect() as connection, pytest.raises(NotDead):
                act(connection, row.id, by="pat")
            with network.app.connect() as connection, pytest.raises(UnknownDelivery):
                act(connection, row.id + 1, by="pat")


def _patient_of(database: Database, item_id: int) -> PatientAsSent:
    with database.owner.connect() as connection:
        row = connection.execute(
            text("SELECT p.* FROM patient p JOIN item i ON i.patient_id = p.id WHERE i.id = :item"), {"item": item_id}
        ).one()
    return PatientAsSent(identifier=row.identifier, issuer=row.issuer)
