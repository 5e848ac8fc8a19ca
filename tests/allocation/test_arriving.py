"""Urgent work is claimed while its images still come, and never verified before they are here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from allocation.claims import Claimed, NotEligible, Wish, claim_reading
from allocation.leases import release
from allocation.reports import ReportFiled, ReportGiven, StillArriving, file_report
from tests.builders import reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import (
    ACQUIRED_AT,
    an_object,
    an_order,
    doubts_of,
    events_of,
    exams_of,
    readings_of,
    receive,
    take,
    the_item,
)
from worklist import clock
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.senders import Sender
from worklist.intake.study import Code, ReceivedObject
from worklist.life.settle import CompletionReason, NothingArriving, complete
from worklist.reading import ReportStatus
from worklist.turnaround.targets import Urgency

SLOW = Sender("PACS_A", "RXA", 600)
VERIFIED = ReportGiven(ReportStatus.VERIFIED, "words")
PRELIMINARY = ReportGiven(ReportStatus.PRELIMINARY, "words")


def begin(database: Database, *received: ReceivedObject) -> None:
    """Take objects of a study that stays arriving, and look at it."""
    receive(database.app, *received, sender=SLOW)
    assert complete_quiet_studies(database.app) == 0


def finish(database: Database) -> None:
    """Let the quiet period pass."""
    with database.owner.begin() as connection:
        clock.move(connection, timedelta(minutes=11))
    assert complete_quiet_studies(database.app) == 1


def claim(database: Database, who: str = "reed") -> Claimed | None:
    with database.app.begin() as connection:
        return claim_reading(connection, who, reporter_id(database, who), Wish(), lease_seconds=1200)


def file(database: Database, made: Claimed, given: ReportGiven, who: str = "reed") -> ReportFiled:
    with database.app.begin() as connection:
        return file_report(connection, who, reporter_id(database, who), made.claim_id, made.token, given)


def test_an_emergency_is_offered_by_its_first_object_and_says_that_it_arrives(network: Database) -> None:
    begin(network, an_object())
    row = the_item(network.app)
    assert (row.state, row.arriving, row.urgency) == ("ready", True, "emergency")
    assert (row.due_at, row.completed_by) == (ACQUIRED_AT + timedelta(hours=1), None)
    assert [(one.state, one.due_at) for one in readings_of(network.app)] == [("open", row.due_at)]
    assert events_of(network.app)[-1] == "item.opened-while-arriving"
    made = claim(network)
    assert made is not None
    assert any("still arriving" in reason for reason in made.why)


@pytest.mark.parametrize(
    "values",
    [
        {"requesting_service": "Ward 4"},  # an inpatient of unknown urgency
        {"requesting_service": "Nobody knows it"},
        {"accession_number": None},  # a person must find one first
    ],
)
def test_other_work_waits_until_its_images_are_here(network: Database, values: dict[str, Any]) -> None:
    begin(network, an_object(**values))
    row = the_item(network.app)
    assert (row.state, row.arriving) == ("arriving", False)
    assert readings_of(network.app) == []


def test_a_source_may_open_other_work_or_none(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("""UPDATE source SET claim_while_arriving = '{"settings": ["inpatient"]}'"""))
    begin(network, an_object())
    begin(network, an_object(study=2, accession_number="000124", requesting_service="Ward 4"))
    with network.app.connect() as connection:
        assert list(connection.scalars(text("SELECT state FROM item ORDER BY id"))) == ["arriving", "ready"]


def test_an_order_that_tells_the_urgency_opens_what_arrives(network: Database) -> None:
    begin(network, an_object(requesting_service="Ward 4"))
    take(network.app, an_order(urgency=Urgency.STROKE))
    row = the_item(network.app)
    assert (row.state, row.arriving, row.urgency) == ("ready", True, "stroke")


def test_later_objects_and_completion_work_the_item_out_again_under_the_claim(network: Database) -> None:
    begin(network, an_object(1, requested_codes=()))
    assert exams_of(network.app) == [("XCHES", "description")]
    made = claim(network)
    assert made is not None
    begin(network, an_object(2, requested_codes=(Code("XHANL", "NICIP"),)))
    assert exams_of(network.app) == [("XHANL", "requested-code")]
    receive(network.app, an_object(3, patient_age="045Y"), sender=SLOW)
    finish(network)
    row = the_item(network.app)
    assert (row.state, row.arriving, row.completed_by) == ("in_progress", False, "quiet-period")
    assert {code for code, _ in exams_of(network.app)} == {"XHANL", "XCHES"}
    assert events_of(network.app)[-1] == "item.completed"
    assert file(network, made, VERIFIED).status is ReportStatus.VERIFIED


def test_the_right_to_report_is_judged_on_what_the_item_turned_out_to_be(network: Database) -> None:
    begin(network, an_object(1, requested_codes=(Code("XHANL", "NICIP"),)))
    made = claim(network, "hart")
    assert made is not None
    receive(network.app, an_object(2, requested_codes=(Code("XCHES", "NICIP"),)), sender=SLOW)
    finish(network)
    with pytest.raises(NotEligible):
        file(network, made, VERIFIED, "hart")


def test_while_images_arrive_a_report_is_preliminary_and_not_verified(network: Database) -> None:
    begin(network, an_object())
    made = claim(network)
    assert made is not None
    with pytest.raises(StillArriving, match="preliminary"):
        file(network, made, VERIFIED)
    assert file(network, made, PRELIMINARY).status is ReportStatus.PRELIMINARY
    row = the_item(network.app)
    assert (row.state, row.arriving, row.reported_at) == ("preliminary", True, None)
    finish(network)
    assert doubts_of(network.app) == set()
    assert file(network, made, VERIFIED).status is ReportStatus.VERIFIED


def test_images_that_come_after_a_preliminary_report_are_told(network: Database) -> None:
    begin(network, an_object())
    made = claim(network)
    assert made is not None
    file(network, made, PRELIMINARY)
    receive(network.app, an_object(2), sender=SLOW)
    finish(network)
    assert doubts_of(network.app) == {"images-after-preliminary-report"}


def test_what_is_given_back_while_it_arrives_is_free_again_and_still_arrives(network: Database) -> None:
    begin(network, an_object())
    made = claim(network)
    assert made is not None
    with network.app.begin() as connection:
        release(connection, "reed", reporter_id(network, "reed"), made.claim_id, made.token)
    row = the_item(network.app)
    assert (row.state, row.arriving) == ("ready", True)
    assert claim(network) is not None


def test_a_second_study_of_a_ready_item_makes_it_arrive_again(network: Database) -> None:
    receive(network.app, an_object())
    complete_quiet_studies(network.app)
    finish_at = the_item(network.app)
    assert (finish_at.state, finish_at.arriving) == ("ready", False)
    made = claim(network)
    assert made is not None
    begin(network, an_object(study=2))
    assert the_item(network.app).arriving
    with pytest.raises(StillArriving):
        file(network, made, VERIFIED)
    finish(network)
    assert file(network, made, VERIFIED).status is ReportStatus.VERIFIED


def test_a_person_says_that_images_are_complete_and_it_is_so(network: Database) -> None:
    begin(network, an_object())
    made = claim(network)
    assert made is not None
    with network.app.begin() as connection:
        complete(connection, "reed", made.item_id, CompletionReason.SEEN_COMPLETE, "seen with Tilda Test")
    row = the_item(network.app)
    assert (row.state, row.arriving, row.completed_by) == ("in_progress", False, "forced")
    file(network, made, VERIFIED)
    with network.owner.connect() as connection:
        told = connection.execute(text("SELECT dimensions FROM event WHERE kind = 'item.completed'")).scalar_one()
        audited = connection.execute(
            text("SELECT payload FROM audit.entry WHERE action = 'complete by hand'")
        ).scalar_one()
        kept = connection.execute(text("SELECT actor, reason, note FROM forced_completion")).one()
    assert (told["completed_by"], told["reason"], told["arriving"]) == ("forced", "seen-complete", False)
    assert "Tilda" not in f"{told} {audited}"
    assert tuple(kept) == ("reed", "seen-complete", "seen with Tilda Test")


def test_what_is_complete_cannot_be_completed_again(network: Database) -> None:
    receive(network.app, an_object())
    complete_quiet_studies(network.app)
    with pytest.raises(NothingArriving), network.app.begin() as connection:
        complete(connection, "reed", the_item(network.app).id, CompletionReason.OTHER)


def test_images_that_come_after_a_person_said_complete_still_reach_the_item(network: Database) -> None:
    begin(network, an_object(requesting_service="Ward 4"))
    with network.app.begin() as connection:
        complete(connection, "pacs", the_item(network.app).id, CompletionReason.NO_MORE_WILL_COME)
    receive(network.app, an_object(2, requested_codes=(Code("XHANL", "NICIP"),)), sender=SLOW)
    assert complete_quiet_studies(network.app) == 0
    assert {code for code, _ in exams_of(network.app)} == {"XCHES", "XHANL"}
    row = the_item(network.app)
    assert (row.state, row.completed_by) == ("ready", "forced")
    assert events_of(network.app)[-1] == "item.images-added"
