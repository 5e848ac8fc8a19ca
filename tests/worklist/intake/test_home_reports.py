"""Reports of the home RIS: what a final one ends, and what stands whatever it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from allocation.reports import ReportGiven, file_report
from hl7_listener.kept import take_kept
from tests.conftest import NOW, Database
from tests.worklist.arrivals import (
    PATIENT,
    a_home_report,
    acquired,
    an_object,
    an_order,
    audited,
    claim_first_reading,
    doubts_of,
    ends_of_claims,
    events_of,
    readings_of,
    receive_and_complete,
    take,
    the_item,
)
from worklist.db.tables.claims import assignment, claim
from worklist.intake.home_reports import HomeReportStatus
from worklist.intake.orders import Message, Outcome
from worklist.patients.merges import Merge, receive_merges
from worklist.patients.merging import Kind
from worklist.reading import ReportStatus


def test_a_final_report_at_home_ends_the_work_here(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    report = a_home_report()
    assert take(network.app, report, report) == [Outcome.APPLIED, Outcome.REPEATED]
    row = the_item(network.app)
    assert (row.state, row.reported_at) == ("reported_elsewhere", report.message.made_at)
    assert [one.state for one in readings_of(network.app)] == ["withdrawn"]
    assert doubts_of(network.app) == set()
    assert audited(network)[-1] == ("ris:RIS_A", "home report final")


def test_a_final_report_at_home_takes_the_reading_from_its_reporter_and_tells_a_person(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        claim_id = claim_first_reading(connection)
    take(network.app, a_home_report())
    assert ends_of_claims(network) == [(claim_id, "withdrawn")]
    assert doubts_of(network.app) == {"reported-at-home-while-claimed"}


def test_a_withdrawn_reading_is_assigned_to_nobody(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO assignment (reading_id, item_id, reporter_id, session_id, rank, valid_until, why)"
                " SELECT r.id, r.item_id, s.reporter_id, s.id, 1, radpool_now() + interval '1 hour', 'test'"
                " FROM reading r, reporting_session s LIMIT 1"
            )
        )
    take(network.app, a_home_report())
    with network.app.connect() as connection:
        assert connection.execute(select(assignment)).all() == []


def test_a_preliminary_report_at_home_is_written_down_once_and_changes_nothing(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    report = a_home_report(status=HomeReportStatus.PRELIMINARY)
    assert take(network.app, report, report) == [Outcome.APPLIED, Outcome.REPEATED]
    assert the_item(network.app).state == "ready"
    assert [one.state for one in readings_of(network.app)] == ["open"]
    assert events_of(network.app).count("item.preliminary-at-home") == 1


def test_after_our_own_verified_report_a_later_final_one_at_home_changes_nothing(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    _verify_by_hand(network)
    before = (the_item(network.app), events_of(network.app))
    assert take(network.app, a_home_report(75)) == [Outcome.KEPT_OUT]
    assert (the_item(network.app), events_of(network.app)) == before
    assert audited(network) == [("ris:RIS_A", "patient update")]  # whom the images named, the RIS has stated now


def test_what_a_message_that_ends_nothing_changes_of_a_patient_is_audited_with_the_work_that_follows_it(
    network: Database,
) -> None:
    take(network.app, a_home_report(30))
    receive_and_complete(network.app, an_object(study=2, accession_number="000124"))
    born = replace(PATIENT, birth_date=date(2020, 1, 2))
    other = replace(PATIENT, identifier="H999", nhs_number="9990000026")
    said = len(audited(network))
    assert take(
        network.app,
        a_home_report(40, patient=born),
        a_home_report(50, HomeReportStatus.PRELIMINARY, patient=other),
        an_order(60, patient=replace(other, family_name="Other")),
    ) == [Outcome.REPEATED, Outcome.KEPT_OUT, Outcome.KEPT_OUT]
    assert audited(network)[said:] == [("ris:RIS_A", "patient update")] * 3
    with network.app.connect() as connection:
        worked_out = connection.scalars(text("SELECT items FROM audit.entry WHERE action = 'patient update'")).all()
        waiting = connection.scalar(text("SELECT id FROM item WHERE state = 'ready'"))
    assert [waiting] in worked_out


@pytest.mark.parametrize("has_words", [True, False])
def test_a_final_report_from_a_clock_that_is_ahead_stops_ours_at_no_time_to_come(
    network: Database, *, has_words: bool
) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        claim_id = claim_first_reading(connection)
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE ris SET host = 'ris.example', port = 1, sends_reports = true"))
    _report_under(network, claim_id, "words" if has_words else None)
    assert the_item(network.app).reported_at is None
    ahead = Message("RIS_A", "RXA", NOW + timedelta(days=400), "wrong clock")
    assert take(network.app, a_home_report(message=ahead, reported_at=None)) == [Outcome.APPLIED]
    assert NOW <= the_item(network.app).reported_at < NOW + timedelta(minutes=5)


def test_a_final_one_at_home_that_stood_before_ours_stopped_the_clock_then(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    _verify_by_hand(network)
    assert take(network.app, a_home_report(30), a_home_report(30)) == [Outcome.APPLIED, Outcome.KEPT_OUT]
    row = the_item(network.app)
    assert (row.state, row.reported_at) == ("verified", a_home_report(30).message.made_at)
    assert row.reported_source == "home-report"


def _report_under(network: Database, claim_id: int, words: str | None) -> None:
    with network.app.begin() as connection:
        made = connection.execute(select(claim).where(claim.c.id == claim_id)).one()
        file_report(
            connection, "test", made.reporter_id, claim_id, made.token, ReportGiven(ReportStatus.VERIFIED, words)
        )


def _verify_by_hand(network: Database) -> None:
    with network.app.begin() as connection:
        connection.execute(
            text("UPDATE item SET state = 'verified', verified_at = radpool_now(), reported_at = radpool_now()")
        )


def test_the_first_of_several_final_reports_stops_the_clock(network: Database) -> None:
    take(network.app, a_home_report(45), a_home_report(30))
    assert the_item(network.app).reported_at == a_home_report(30).message.made_at


def test_a_report_for_another_patient_ends_nothing(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    other = replace(PATIENT, identifier="H999", nhs_number="9990000026")
    assert take(network.app, a_home_report(patient=other)) == [Outcome.KEPT_OUT]
    assert the_item(network.app).state == "ready"
    assert doubts_of(network.app) == {"home-report-of-another-patient"}


class _Word(str):
    """A word whose place in a set its length says, one way or the other: each process has an order of its own."""

    def __new__(cls, word: str, way: int) -> _Word:
        made = super().__new__(cls, word)
        made.place = way * len(word)  # type: ignore[attr-defined]
        return made

    def __hash__(self) -> int:
        return int(self.place)  # type: ignore[attr-defined]


def test_a_message_of_another_patient_is_kept_once_whichever_process_takes_it(network: Database) -> None:
    take(network.app, a_home_report(10))
    other = replace(PATIENT, identifier="H999", nhs_number="9990000026")
    for way in (1, -1):
        cleared = frozenset(_Word(word, way) for word in ("setting", "requester", "clinical_question"))
        assert take(network.app, an_order(20, patient=other, cleared=cleared)) == [Outcome.KEPT_OUT]
    assert network.count("SELECT count(*) FROM kept_message") == 1


def test_a_report_that_ended_nothing_is_no_doubt_any_more_once_it_is_of_the_item_s_patient(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    _verify_by_hand(network)
    other = replace(PATIENT, identifier="H999", nhs_number="9990000026")
    assert take(network.app, a_home_report(75, patient=other)) == [Outcome.KEPT_OUT]
    said = Message("RIS_A", "RXA", NOW, "A40")
    with network.app.begin() as connection:
        receive_merges(connection, [Merge(said, Kind.MERGE, PATIENT, (("RXA", "H999"),))])
    take_kept(network.app)
    assert "home-report-of-another-patient" not in doubts_of(network.app)
    assert network.count("SELECT count(*) FROM kept_message WHERE taken_at IS NULL") == 0


def test_a_withdrawn_home_report_is_put_before_a_person(network: Database) -> None:
    take(network.app, a_home_report(), a_home_report(40, HomeReportStatus.WITHDRAWN))
    assert the_item(network.app).state == "reported_elsewhere"
    assert doubts_of(network.app) == {"home-report-withdrawn"}


def test_images_acquired_before_the_home_report_are_covered_by_it_and_later_ones_are_not(network: Database) -> None:
    take(network.app, a_home_report())
    receive_and_complete(network.app, an_object())
    assert doubts_of(network.app) == set()
    receive_and_complete(network.app, an_object(study=2, acquisition_ended=acquired(NOW)))
    assert doubts_of(network.app) == {"late-images"}
