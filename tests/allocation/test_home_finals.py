"""A final report of the home RIS: by whom holds the item it is their report, by anybody else it interrupts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, text

from allocation.home_finals import take_home_report
from allocation.pay.ledger import CONSUMER, post, verify_ledger
from allocation.pay.statements import held
from allocation.reports import file_report
from hl7_listener.delivery.courier import follow
from tests.allocation.claims.claiming import LEASE, VERIFIED, claim_as, claimed_by, let_pass, report
from tests.allocation.pay.earning import INSOURCED
from tests.builders import arrive, patient_called, reporter_id, wait_until_somebody_waits
from tests.conftest import Database
from worklist.intake.home_reports import HomeReport, HomeReportStatus
from worklist.intake.orders import Message, Outcome
from worklist.intake.working_out import CUT_LOCK
from worklist.life.recall import recall
from worklist.local_time import LocalTime
from worklist.log.events import consume
from worklist.log.sequencer import sequence

PATIENT = patient_called("Okafor")
#: The claim was made at ten o'clock.
STOOD_AT = datetime(2026, 6, 10, 10, 3, tzinfo=UTC)


def final(reporter: str | None, *, status: HomeReportStatus = HomeReportStatus.FINAL, **changes: Any) -> HomeReport:
    stated: dict[str, Any] = {
        "message": Message("RIS_A", "RXA", datetime(2026, 6, 10, 10, 4, tzinfo=UTC), "R1"),
        "accession_number": "000123",
        "patient": PATIENT,
        "status": status,
        "reported_at": LocalTime("202606101103", "Europe/London", 0, "OBR-22", STOOD_AT),
        "reporter": reporter,
    }
    return HomeReport(**{**stated, **changes})


def hear(database: Database, report: HomeReport) -> Outcome:
    with database.app.begin() as connection:
        return take_home_report(connection, report)


def settle_pay(database: Database) -> None:
    sequence(database.app)
    while consume(database.app, CONSUMER, post):
        pass


def the_only(database: Database, table: str) -> Row[Any]:
    with database.owner.connect() as connection:
        return connection.execute(text(f"SELECT * FROM {table}")).one()


def registration_of(database: Database, code: str) -> str:
    with database.owner.connect() as connection:
        return str(
            connection.scalar(
                text("SELECT number FROM registration WHERE reporter_id = :id"), {"id": reporter_id(database, code)}
            )
        )


@pytest.fixture
def claimed(network: Database) -> Database:
    """A network whose one item Hana Hart reads in a paid session."""
    arrive(network, accession="000123", patient=PATIENT)
    assert claim_as(network, reporter_id(network, "hart"), session_code=INSOURCED) is not None
    return network


class TestOfTheHolder:
    """It completes the claim, pays, and stops the clock when the report stood."""

    @pytest.mark.parametrize("by", ["registration", "code", "lower case"])
    def test_it_is_their_report_by_whichever_name_the_ris_knows_them(self, claimed: Database, by: str) -> None:
        number = registration_of(claimed, "hart")
        named = {"registration": number, "code": "hart", "lower case": number.lower()}[by]
        assert hear(claimed, final(named)) is Outcome.APPLIED
        row = the_only(claimed, "item")
        assert (row.state, row.reported_at, row.reported_source) == ("verified", STOOD_AT, "home-report")
        assert the_only(claimed, "claim").end_reason == "reported"
        assert the_only(claimed, "report").status == "verified"

    def test_it_is_paid_once_however_often_it_is_heard(self, claimed: Database) -> None:
        hear(claimed, final("hart"))
        assert hear(claimed, final("hart")) is Outcome.KEPT_OUT
        settle_pay(claimed)
        assert claimed.count("SELECT count(*) FROM pay_line") == 1
        assert claimed.count("SELECT count(*) FROM held_pay") == 0
        with claimed.app.connect() as connection:
            assert verify_ledger(connection) == ()

    def test_the_ris_is_not_told_what_it_told_and_another_of_the_trust_is(self, claimed: Database) -> None:
        with claimed.owner.begin() as connection:
            connection.execute(text("UPDATE ris SET trust_ods = 'RXA', host = 'ris.example', port = 1"))
        hear(claimed, final("hart"))
        sequence(claimed.app)
        follow(claimed.app)
        row = the_only(claimed, "delivery")
        assert (row.destination, row.notice) == ("RIS_B", "reported")

    def test_a_lease_that_ran_out_still_holds(self, claimed: Database) -> None:
        let_pass(claimed, LEASE + 1)
        hear(claimed, final("hart"))
        assert the_only(claimed, "item").state == "verified"

    def test_a_preliminary_one_leaves_the_claim_as_it_is(self, claimed: Database) -> None:
        hear(claimed, final("hart", status=HomeReportStatus.PRELIMINARY))
        assert the_only(claimed, "claim").ended_at is None

    def test_of_a_reporter_who_may_not_verify_it_stands_as_the_homes_and_a_person_looks(
        self, claimed: Database
    ) -> None:
        with claimed.owner.begin() as connection:
            connection.execute(text("UPDATE reporter SET suspended_at = radpool_now() WHERE code = 'hart'"))
        hear(claimed, final("hart"))
        assert the_only(claimed, "item").state == "reported_elsewhere"
        assert claimed.count("SELECT count(*) FROM report") == 0
        assert _open(claimed) == {"home-report-outside-claim", "reported-at-home-while-claimed"}

    def test_an_import_of_the_configuration_goes_on_beside_it(self, claimed: Database) -> None:
        """Both take the profile cut before a reporter: in two orders each would wait for the other."""
        suspend = text("UPDATE reporter SET suspended_at = radpool_now() WHERE code = 'hart'")
        with ThreadPoolExecutor(1) as pool, claimed.owner.connect() as importing:
            importing.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
            heard = pool.submit(hear, claimed, final("hart", patient=patient_called("Other")))
            wait_until_somebody_waits(claimed)
            importing.execute(suspend)
            importing.commit()
            assert heard.result(timeout=60) is Outcome.KEPT_OUT

    def test_of_another_patient_it_completes_nothing(self, claimed: Database) -> None:
        assert hear(claimed, final("hart", patient=patient_called("Other"))) is Outcome.KEPT_OUT
        assert the_only(claimed, "claim").ended_at is None

    def test_what_stood_before_they_had_it_here_is_no_report_of_their_claim(self, claimed: Database) -> None:
        """It was read at home, in time that is not this session's; the message of it came late."""
        earlier = STOOD_AT - timedelta(minutes=30)
        hear(claimed, final("hart", reported_at=LocalTime("", "Europe/London", 0, "OBR-22", earlier)))
        row = the_only(claimed, "item")
        assert (row.state, row.reported_at) == ("reported_elsewhere", earlier)
        settle_pay(claimed)
        assert claimed.count("SELECT count(*) FROM pay_line") == 0

    def test_a_claim_made_anew_after_a_lapse_does_not_make_it_older(self, claimed: Database) -> None:
        let_pass(claimed, LEASE + 1)
        assert claim_as(claimed, reporter_id(claimed, "hart"), session_code=INSOURCED) is not None
        hear(claimed, final("hart"))
        assert the_only(claimed, "item").state == "verified"


class TestOfWhatWasRecalled:
    """The message of a recalled report, late or sent again, is no report of the amendment, and stops no clock."""

    def test_it_does_not_complete_the_amendment(self, claimed: Database) -> None:
        hear(claimed, final("hart"))
        _recall(claimed)
        assert claim_as(claimed, reporter_id(claimed, "hart"), session_code=INSOURCED) is not None
        assert hear(claimed, final("hart")) is Outcome.KEPT_OUT
        assert the_only(claimed, "item").state == "in_progress"
        assert claimed.count("SELECT count(*) FROM report WHERE recalled_at IS NULL") == 0

    def test_it_does_not_stop_the_clock_of_the_amended_report(self, claimed: Database) -> None:
        hear(claimed, final("hart"))
        _recall(claimed)
        let_pass(claimed, 3600)
        made = claimed_by(claimed, "hart")
        report(claimed, "hart", made, VERIFIED)
        amended_at = the_only(claimed, "item").reported_at
        assert hear(claimed, final("hart")) is Outcome.KEPT_OUT
        assert the_only(claimed, "item").reported_at == amended_at > STOOD_AT

    def test_a_report_that_does_not_say_when_it_stood_may_be_the_recalled_one_and_a_person_looks(
        self, claimed: Database
    ) -> None:
        hear(claimed, final("hart"))
        _recall(claimed)
        let_pass(claimed, 3600)
        again = Message("RIS_A", "RXA", datetime(2026, 6, 10, 11, 5, tzinfo=UTC), "R9")
        assert hear(claimed, final("hart", message=again, reported_at=None)) is Outcome.KEPT_OUT
        assert the_only(claimed, "item").state == "recalled"
        assert _open(claimed) == {"home-report-after-recall"}


class TestOfSomebodyElse:
    """It stands; the holder's claim ends, a person looks, and their pay is held."""

    @pytest.mark.parametrize("reporter", ["reed", "nobody that we know", None])
    def test_the_holder_is_interrupted_and_their_pay_is_held(self, claimed: Database, reporter: str | None) -> None:
        hear(claimed, final(reporter))
        assert the_only(claimed, "item").state == "reported_elsewhere"
        assert the_only(claimed, "claim").end_reason == "withdrawn"
        assert _open(claimed) == {"reported-at-home-while-claimed"}
        settle_pay(claimed)
        settle_pay(claimed)
        assert claimed.count("SELECT count(*) FROM pay_line") == 0
        with claimed.app.connect() as connection:
            [one] = held(connection, reporter_id=reporter_id(claimed, "hart"), trust="RXA")
        assert one["reason"] == "the home RIS reported it while it was being read here"

    def test_after_our_own_report_it_is_a_second_one_and_a_person_looks(self, claimed: Database) -> None:
        hear(claimed, final("hart"))
        hear(claimed, final("reed"))
        assert the_only(claimed, "item").state == "verified"
        assert _open(claimed) == {"reported-twice"}

    def test_a_ris_whose_clock_is_a_little_slow_has_the_report_that_we_sent_it(self, claimed: Database) -> None:
        made = the_only(claimed, "claim")
        with claimed.app.begin() as connection:
            file_report(connection, "hart", made.reporter_id, made.id, made.token, VERIFIED)
        stood = LocalTime("202606101059", "Europe/London", 0, "OBR-22", datetime(2026, 6, 10, 9, 59, tzinfo=UTC))
        slow = Message("RIS_A", "RXA", datetime(2026, 6, 10, 9, 59, 30, tzinfo=UTC), "R8")
        hear(claimed, final("hart", message=slow, reported_at=stood))
        row = the_only(claimed, "item")
        assert row.reported_at >= row.verified_at
        assert _open(claimed) == set()


def _recall(database: Database) -> None:
    let_pass(database, 600)
    with database.app.begin() as connection:
        recall(connection, "lead", the_only(database, "item").id, "error-in-report")


def _open(database: Database) -> set[str]:
    with database.owner.connect() as connection:
        return set(connection.scalars(text("SELECT kind FROM worklist_exception WHERE closed_at IS NULL")))
