"""A final report of the home RIS: by whom holds the item it is their report, by anybody else it interrupts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Row, text

from allocation.home_finals import take_home_report
from allocation.pay.ledger import CONSUMER, post, verify_ledger
from allocation.pay.statements import held
from allocation.reports import ReportGiven, file_report
from tests.allocation.claims.claiming import LEASE, claim_as, let_pass
from tests.allocation.pay.earning import INSOURCED
from tests.builders import arrive, patient_called, reporter_id
from tests.conftest import Database
from worklist.events import consume
from worklist.intake.completion import CUT_LOCK
from worklist.intake.home_reports import HomeReport, HomeReportStatus
from worklist.intake.orders import Message, Outcome
from worklist.local_time import LocalTime
from worklist.reading import ReportStatus
from worklist.recall import recall
from worklist.sequencer import sequence

PATIENT = patient_called("Okafor")
STOOD_AT = datetime(2026, 6, 10, 9, 50, tzinfo=UTC)
AGAIN = Message("RIS_A", "RXA", datetime(2026, 6, 10, 9, 59, tzinfo=UTC), "R2")


def final(reporter: str | None, *, status: HomeReportStatus = HomeReportStatus.FINAL, **changes: Any) -> HomeReport:
    stated: dict[str, Any] = {
        "message": Message("RIS_A", "RXA", datetime(2026, 6, 10, 9, 58, tzinfo=UTC), "R1"),
        "accession_number": "000123",
        "patient": PATIENT,
        "status": status,
        "reported_at": LocalTime("202606101050", "Europe/London", 0, "OBR-22", STOOD_AT),
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

    def test_what_it_says_of_a_recalled_report_is_not_the_amended_one(self, claimed: Database) -> None:
        hear(claimed, final("hart"))
        with claimed.app.begin() as connection:
            recall(connection, "lead", the_only(claimed, "item").id, "error-in-report")
        amending = claim_as(claimed, reporter_id(claimed, "hart"))
        assert amending is not None
        assert hear(claimed, final("hart", message=AGAIN)) is Outcome.KEPT_OUT
        assert the_only(claimed, "item").state == "in_progress"
        with claimed.app.begin() as connection:
            given = ReportGiven(ReportStatus.VERIFIED, "better words")
            file_report(connection, "hart", reporter_id(claimed, "hart"), amending.claim_id, amending.token, given)
        verified_at = the_only(claimed, "item").verified_at
        assert hear(claimed, final("hart", message=AGAIN)) is Outcome.KEPT_OUT
        assert the_only(claimed, "item").reported_at == verified_at  # it does not stop the clock of the amended one
        assert _open(claimed) == set()

    def test_of_another_patient_it_completes_nothing(self, claimed: Database) -> None:
        assert hear(claimed, final("hart", patient=patient_called("Other"))) is Outcome.KEPT_OUT
        assert the_only(claimed, "claim").ended_at is None


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


def test_it_waits_for_an_import_before_it_locks_the_reporter(claimed: Database) -> None:
    """Else the import would wait for the reporter, and each for the other."""
    with claimed.owner.connect() as importing, ThreadPoolExecutor(1) as pool:
        importing.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
        heard = pool.submit(hear, claimed, final("hart"))
        while not claimed.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert not heard.done()
        importing.execute(text("UPDATE reporter SET name = name WHERE code = 'hart'"))
        importing.commit()
        assert heard.result() is Outcome.APPLIED


def _open(database: Database) -> set[str]:
    with database.owner.connect() as connection:
        return set(connection.scalars(text("SELECT kind FROM worklist_exception WHERE closed_at IS NULL")))
