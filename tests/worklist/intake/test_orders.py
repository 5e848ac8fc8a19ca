"""Orders leave the same state in whatever order they come, and end work that is not wanted."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from allocation.leases import ClaimSuperseded, release
from tests.conftest import NOW, Database
from tests.worklist.arrivals import (
    PATIENT,
    a_home_report,
    an_object,
    an_order,
    audited,
    claim_first_reading,
    doubts_of,
    ends_of_claims,
    events_of,
    exams_of,
    readings_of,
    receive,
    receive_and_complete,
    state_of,
    take,
    the_item,
)
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import claim
from worklist.db.tables.work import item_order, order_identity
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.home_reports import HomeReportStatus
from worklist.intake.orders import Message, OrderControl, Outcome
from worklist.intake.study import Code, PatientAsSent
from worklist.life import acts as life
from worklist.local_time import LocalTime
from worklist.turnaround.targets import Setting, Urgency

CHANGE, CANCEL = OrderControl.CHANGE, OrderControl.CANCEL


def test_an_order_before_its_images_opens_an_item_that_waits_for_them(network: Database) -> None:
    assert take(network.app, an_order()) == [Outcome.APPLIED]
    assert the_item(network.app).state == "ordered"
    assert readings_of(network.app) == []
    receive(network.app, an_object())
    assert the_item(network.app).state == "arriving"


def test_what_the_order_says_stands_before_what_the_headers_say(network: Database) -> None:
    take(network.app, an_order(setting=Setting.INPATIENT, urgency=Urgency.ROUTINE, exams=(Code("XHANL", "NICIP"),)))
    receive_and_complete(network.app, an_object())
    row = the_item(network.app)
    assert (row.setting, row.urgency, row.target_rule) == ("inpatient", "routine", "inpatient")
    assert exams_of(network.app) == [("XHANL", "requested-code")]


def test_what_the_order_does_not_say_is_taken_from_the_headers(network: Database) -> None:
    take(network.app, an_order(exams=()))
    receive_and_complete(network.app, an_object())
    assert (the_item(network.app).setting, the_item(network.app).urgency) == ("emergency", "emergency")
    assert exams_of(network.app) == [("XCHES", "requested-code")]


def test_an_order_after_the_images_works_the_item_out_anew(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    take(network.app, an_order(setting=Setting.GP, urgency=Urgency.ROUTINE))
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (row.setting, row.urgency, row.target_rule, row.state) == ("gp", "routine", "routine", "ready")
    assert (only.due_at, only.profile_id) == (row.due_at, row.profile_id)


def test_an_exam_that_is_ordered_in_words_is_mapped_by_those_words_exactly(network: Database) -> None:
    take(network.app, an_order(exams=(Code("", "", "xr  hand lt"),)))
    receive_and_complete(network.app, an_object(requested_codes=(), study_description="nothing known"))
    assert exams_of(network.app) == [("XHANL", "description")]


def test_a_newer_order_takes_the_place_of_an_older_one_and_not_the_other_way_round(network: Database) -> None:
    newer = an_order(10, CHANGE, setting=Setting.GP, exams=(Code("XHANL", "NICIP"),))
    older = an_order(0, setting=Setting.INPATIENT, patient=replace(PATIENT, family_name="Older"))
    assert take(network.app, newer, older, newer) == [Outcome.APPLIED, Outcome.STALE, Outcome.REPEATED]
    receive_and_complete(network.app, an_object(requesting_service=None))
    assert the_item(network.app).setting == "gp"
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalar(text("SELECT family_name FROM patient")) == "Test"


@pytest.mark.parametrize("order_of_coming", [(0, 1, 0), (1, 0, 1)])
def test_of_two_messages_of_one_instant_the_one_of_the_higher_number_counts_whichever_comes_first(
    network: Database, order_of_coming: tuple[int, ...]
) -> None:
    ninth = an_order(5, CHANGE, setting=Setting.GP)
    ninth = replace(ninth, message=replace(ninth.message, control_id="MSG9"))
    tenth = replace(ninth, setting=Setting.INPATIENT, message=replace(ninth.message, control_id="MSG10"))
    take(network.app, *((ninth, tenth)[which] for which in order_of_coming))
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalar(select(item_order.c.setting)) == "inpatient"


def test_a_repeated_order_writes_no_event_and_no_audit_entry(network: Database) -> None:
    take(network.app, an_order())
    written = (events_of(network.app), audited(network))
    take(network.app, an_order())
    assert (events_of(network.app), audited(network)) == written
    assert written[1] == [("ris:RIS_A", "order new")]


def test_a_message_from_a_clock_that_is_far_ahead_does_not_silence_those_that_follow(network: Database) -> None:
    ahead = an_order(setting=Setting.GP, message=Message("RIS_A", "RXA", NOW + timedelta(days=400), "wrong clock"))
    right = an_order(setting=Setting.INPATIENT, message=Message("RIS_A", "RXA", NOW + timedelta(minutes=1), "m"))
    assert take(network.app, ahead, right) == [Outcome.APPLIED, Outcome.APPLIED]


def test_the_clinical_question_is_shown_to_no_other_trust(network: Database) -> None:
    take(network.app, an_order(clinical_question="? fracture"))
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalar(select(item_order.c.clinical_question)) == "? fracture"
        view_as(connection, Viewer(trust="RXB", network_wide=True))
        assert connection.scalar(select(item_order.c.clinical_question)) is None


def test_a_cancel_before_images_cancels(network: Database) -> None:
    assert take(network.app, an_order(), an_order(5, CANCEL)) == [Outcome.APPLIED, Outcome.APPLIED]
    assert the_item(network.app).state == "cancelled"
    assert doubts_of(network.app) == set()


def test_images_of_a_cancelled_order_are_put_before_a_person_and_not_offered(network: Database) -> None:
    take(network.app, an_order(5, CANCEL))
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).state == "cancelled"
    assert readings_of(network.app) == []
    assert doubts_of(network.app) == {"images-of-cancelled-order"}


def test_a_cancel_takes_the_reading_from_the_reporter_who_has_it(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        claim_id = claim_first_reading(connection)
    take(network.app, an_order(5, CANCEL))
    assert the_item(network.app).state == "cancelled"
    assert [one.state for one in readings_of(network.app)] == ["withdrawn"]
    assert ends_of_claims(network) == [(claim_id, "withdrawn")]
    with network.app.begin() as connection:
        holder = connection.scalars(select(claim.c.reporter_id)).one()
        with pytest.raises(ClaimSuperseded, match="withdrawn"):
            release(connection, "test", holder, claim_id, 1)


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(4))))
def test_an_order_that_was_made_after_the_cancel_is_work_again_in_whatever_order_they_come(
    network: Database, sequence: tuple[int, ...]
) -> None:
    came = [an_order(), an_order(5, CANCEL), an_order(10, CHANGE), an_object()]
    for place in sequence:
        if place == 3:
            receive_and_complete(network.app, an_object())
        else:
            take(network.app, came[place])  # type: ignore[arg-type]
    assert the_item(network.app).state == "ready"
    assert [one.state for one in readings_of(network.app) if one.state != "withdrawn"] == ["open"]
    assert doubts_of(network.app) == set()


def test_an_order_before_images_that_was_cancelled_and_ordered_again_waits_for_its_images(network: Database) -> None:
    take(network.app, an_order(), an_order(5, CANCEL), an_order(10, CHANGE))
    assert the_item(network.app).state == "ordered"


def test_an_order_after_a_person_s_cancel_is_put_before_a_person(network: Database) -> None:
    take(network.app, an_order())
    with network.app.begin() as connection:
        life.cancel(connection, "test", the_item(network.app).id, "duplicate")
    take(network.app, an_order(10, CHANGE))
    assert the_item(network.app).state == "cancelled"
    assert doubts_of(network.app) == {"order-after-cancel"}


def test_what_a_newer_order_leaves_out_stays_and_what_it_clears_goes_in_whatever_order_they_come(
    network: Database, clone: Callable[[str], Database], network_template: str
) -> None:
    full = an_order(
        0,
        setting=Setting.GP,
        urgency=Urgency.ROUTINE,
        clinical_question="? fracture",
        requester="A Doctor",
        call_back="01234 999001",
        referral_date=date(2026, 6, 1),
    )
    partial = an_order(5, CHANGE, exams=(), urgency=Urgency.URGENT)
    clearing = an_order(9, CHANGE, exams=(), cleared=frozenset({"clinical_question", "call_back", "referral_date"}))
    for sequence in itertools.permutations((full, partial, clearing)):
        database = clone(network_template)
        take(database.app, *sequence)
        with database.owner.connect() as connection:
            row = connection.execute(select(item_order)).one()
        assert (row.setting, row.urgency, row.requester) == ("gp", "urgent", "A Doctor")
        assert (row.clinical_question, row.call_back, row.referral_date) == (None, None, None)
        assert row.exams == [["XCHES", "NICIP", "XR Chest"]]


def test_a_cleared_setting_or_urgency_is_not_known_any_more_and_the_headers_word_counts(network: Database) -> None:
    take(network.app, an_order(setting=Setting.GP, urgency=Urgency.ROUTINE))
    receive_and_complete(network.app, an_object())
    take(network.app, an_order(5, CHANGE, cleared=frozenset({"setting", "urgency"})))
    row = the_item(network.app)
    assert (row.setting, row.urgency) == ("emergency", "emergency")


@pytest.mark.parametrize("order_comes_first", [True, False])
def test_an_order_that_names_nobody_leaves_the_patient_of_the_images(
    network: Database, order_comes_first: bool
) -> None:
    if order_comes_first:
        take(network.app, an_order(patient=PatientAsSent()))
    receive_and_complete(network.app, an_object())
    if not order_comes_first:
        take(network.app, an_order(patient=PatientAsSent()))
    assert _patient_of_the_item(network) == "H100"
    assert network.count("SELECT count(*) FROM patient") == 1
    assert doubts_of(network.app) == {"missing-patient-id"}
    other_ris = Message("RIS_OF_MATERNITY", "RXA", datetime(2026, 6, 10, 9, 5, tzinfo=UTC), "M5")
    take(network.app, an_order(5, CHANGE, message=other_ris))
    assert doubts_of(network.app) == set()


def test_a_cancel_after_the_report_leaves_the_report_standing(network: Database) -> None:
    take(network.app, an_order(), a_home_report(), an_order(40, CANCEL))
    assert the_item(network.app).state == "reported_elsewhere"
    assert "item.cancelled-after-report" in events_of(network.app)


def test_an_accession_of_another_trust_is_another_item(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    report = a_home_report()
    take(network.app, replace(report, message=replace(report.message, facility="RIS_B", trust="RXB")))
    with network.app.connect() as connection:
        states = connection.scalars(text("SELECT state FROM item ORDER BY trust_ods")).all()
    assert list(states) == ["ready", "reported_elsewhere"]


def test_leading_zeros_tell_accessions_apart(network: Database) -> None:
    take(network.app, an_order(), an_order(accession_number="123"))
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert set(connection.scalars(select(order_identity.c.accession_number))) == {"000123", "123"}


def test_one_patient_known_by_two_issuers_or_by_the_nhs_number_alone_is_no_doubt(network: Database) -> None:
    take(network.app, an_order(patient=replace(PATIENT, issuer=None)))
    receive_and_complete(network.app, an_object())
    receive_and_complete(
        network.app, an_object(study=2, patient=replace(PATIENT, identifier="9990000018", issuer="NHS"))
    )
    assert doubts_of(network.app) == set()


def test_an_accession_of_two_patients_is_put_before_a_person(network: Database) -> None:
    take(network.app, an_order(patient=replace(PATIENT, identifier="H999", nhs_number=None)))
    receive_and_complete(network.app, an_object(patient=replace(PATIENT, nhs_number=None)))
    assert doubts_of(network.app) == {"accession-of-two-patients"}


def test_a_birth_date_in_the_future_is_put_before_a_person(network: Database) -> None:
    take(network.app, an_order(patient=replace(PATIENT, birth_date=date(2026, 6, 11))))
    assert doubts_of(network.app) == {"birth-date-not-believed"}


def test_an_order_whose_images_turn_out_to_be_another_s_waits_for_its_own_again(network: Database) -> None:
    take(network.app, an_order())
    receive(network.app, an_object())
    receive(network.app, *(an_object(number, accession_number="000124") for number in (2, 3)))
    with network.owner.connect() as connection:
        states = connection.execute(
            text("SELECT accession_number, state FROM item JOIN order_identity ON item_id = id ORDER BY 1")
        )
        assert [tuple(row) for row in states] == [("000123", "ordered"), ("000124", "arriving")]
    receive(network.app, an_object(1, study=2))
    complete_quiet_studies(network.app)
    with network.owner.connect() as connection:
        assert set(connection.scalars(text("SELECT state FROM item"))) == {"ready"}


def test_objects_orders_and_reports_shuffled_and_sent_three_times_leave_the_state_of_once_in_order(
    network: Database, clone: Callable[[str], Database], network_template: str
) -> None:
    arriving = [
        an_order(0, placer_order_number="P1", setting=Setting.GP),
        an_object(1),
        an_order(10, CHANGE, placer_order_number="P2", setting=Setting.INPATIENT, exams=(Code("XHANL", "NICIP"),)),
        an_object(2, study=2),
        a_home_report(20, HomeReportStatus.PRELIMINARY),
        a_home_report(30),
        a_home_report(40),
    ]
    cancelled = [*arriving[:4], an_order(15, CANCEL, setting=Setting.INPATIENT)]
    for things in (arriving[:4], arriving, cancelled):
        seed = random.Random(len(things))
        expected = _after(clone(network_template), things)
        for _ in range(4):
            shuffled = seed.sample(things * 3, len(things) * 3)
            assert _after(clone(network_template), shuffled) == expected


def test_orders_and_images_of_one_accession_at_the_same_moment_make_one_item(network: Database) -> None:
    orders = [an_order(minute, CHANGE) for minute in range(8)]
    objects = [an_object(number, study=number) for number in range(8)]
    with ThreadPoolExecutor(16) as pool:
        taken = [pool.submit(take, network.app, one) for one in orders]
        received = [pool.submit(receive, network.app, one) for one in objects]
        assert {one.result()[0] for one in taken} <= {Outcome.APPLIED, Outcome.STALE}
        assert [one.result() for one in received] == [None] * 8
    complete_quiet_studies(network.app)
    assert the_item(network.app).state == "ready"
    assert len(readings_of(network.app)) == 1
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalar(select(item_order.c.message_at)) == datetime(2026, 6, 10, 9, 7, tzinfo=UTC)


def _after(database: Database, things: list) -> dict:  # type: ignore[type-arg]
    """Give the state that things leave; studies go quiet in between and at the end."""
    for place, one in enumerate(things):
        if hasattr(one, "sop_instance_uid"):
            receive(database.app, one)
        else:
            take(database.app, one)
        if place % 2:
            complete_quiet_studies(database.app)
    complete_quiet_studies(database.app)
    return state_of(database.app)


def _patient_of_the_item(database: Database) -> str | None:
    with database.owner.connect() as connection:
        found: str | None = connection.scalar(
            text("SELECT identifier FROM patient JOIN item ON patient_id = patient.id")
        )
        return found


def test_when_the_report_is_needed_makes_it_due_then_until_an_order_says_otherwise(network: Database) -> None:
    needed = LocalTime("202606101500", "Europe/London", 0, "OBR-27.5", NOW + timedelta(hours=4))
    receive_and_complete(network.app, an_object())
    routine: dict[str, Any] = {"setting": Setting.GP, "urgency": Urgency.ROUTINE}
    take(network.app, an_order(0, needed_by=needed, **routine))
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (row.due_at, row.target_rule, only.due_at) == (needed.at, "needed-by", needed.at)
    take(network.app, an_order(5, CHANGE, **routine))
    assert the_item(network.app).target_rule == "needed-by"
    take(network.app, an_order(6, CHANGE, cleared=frozenset({"needed_by"}), **routine))
    assert the_item(network.app).target_rule == "routine"
    take(network.app, an_order(0, needed_by=needed, **routine))
    assert the_item(network.app).target_rule == "routine"
