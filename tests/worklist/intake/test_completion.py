"""Studies that have gone quiet become items that are right, whatever order their objects came in."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from tests.builders import wait_until_somebody_waits
from tests.conftest import NOW, Database, set_clock
from tests.worklist.arrivals import (
    ACQUIRED_AT,
    PATIENT,
    acquired,
    an_object,
    an_order,
    doubts_of,
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
from worklist.db.tables.network import profile
from worklist.db.tables.work import item, study
from worklist.intake.completeness import CompletedBy
from worklist.intake.completion import complete_quiet_studies, complete_study
from worklist.intake.senders import Sender
from worklist.intake.study import Code, ReceivedObject
from worklist.intake.working_out import offer_first_reading, work_out
from worklist.life.moves import lock_item
from worklist.life.settle import classify
from worklist.local_time import LocalTime


def test_a_quiet_study_becomes_a_ready_item_with_its_facts(network: Database) -> None:
    receive_and_complete(network.app, an_object(1), an_object(2))
    row = the_item(network.app)
    assert (row.state, row.modality, row.setting, row.urgency) == ("ready", "XR", "emergency", "emergency")
    assert exams_of(network.app) == [("XCHES", "requested-code")]
    assert (row.age_years, row.exam_date) == (45, date(2026, 6, 10))  # the birthday is tomorrow
    assert (row.clock_start_at, row.clock_start_source) == (ACQUIRED_AT, "AcquisitionDateTime")
    assert (row.due_at, row.target_rule) == (ACQUIRED_AT + timedelta(hours=1), "emergency")
    assert row.reporting_minutes == Decimal(2)
    assert doubts_of(network.app) == set()


def test_a_ready_item_has_one_open_first_reading_that_agrees_with_it(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (only.purpose, only.state) == ("first", "open")
    assert (only.profile_id, only.due_at, only.reporting_minutes) == (
        row.profile_id,
        row.due_at,
        row.reporting_minutes,
    )


def test_a_study_that_is_not_quiet_yet_stays_arriving(network: Database) -> None:
    receive(network.app, an_object(requesting_service="General Practice"), sender=Sender("PACS_A", "RXA", 3600))
    assert complete_quiet_studies(network.app) == 0
    assert the_item(network.app).state == "arriving"


def test_what_comes_in_the_first_moment_is_looked_at_together(network: Database) -> None:
    receive(network.app, an_object())
    assert complete_quiet_studies(network.app, gather=timedelta(seconds=30)) == 1, "a quiet study is not held up"
    receive(network.app, an_object(study=2, accession_number="000124"), sender=Sender("PACS_A", "RXA", 3600))
    complete_quiet_studies(network.app, gather=timedelta(seconds=30))
    assert states(network) == ["ready", "arriving"]
    set_clock(network.owner, NOW + timedelta(minutes=1))
    complete_quiet_studies(network.app, gather=timedelta(seconds=30))
    assert states(network) == ["ready", "ready"]


def test_an_unknown_code_is_unmapped_and_put_before_a_person(network: Database) -> None:
    receive_and_complete(network.app, an_object(requested_codes=(Code("NOSUCH", "NICIP"),)))
    [only] = readings_of(network.app)
    with network.app.connect() as connection:
        unmapped = connection.scalar(select(profile.c.unmapped).where(profile.c.id == only.profile_id))
    assert exams_of(network.app) == [(None, "unmapped")]
    assert doubts_of(network.app) == {"unmapped-exam"}
    assert (unmapped, only.reporting_minutes) == (True, Decimal(15))


def test_a_code_that_contradicts_the_images_is_unmapped(network: Database) -> None:
    receive_and_complete(network.app, an_object(modality="MR", requested_codes=(Code("CHEAD", "NICIP"),)))
    assert exams_of(network.app) == [(None, "contradicts-images")]
    assert doubts_of(network.app) == {"unmapped-exam"}


def test_without_an_accession_number_the_item_and_its_reading_are_held(network: Database) -> None:
    receive_and_complete(network.app, an_object(accession_number=None))
    assert the_item(network.app).state == "on_hold"
    assert [one.state for one in readings_of(network.app)] == ["held"]
    assert doubts_of(network.app) == {"missing-accession-number"}


def test_several_studies_of_one_accession_are_one_item_that_waits_for_the_last(network: Database) -> None:
    late = an_object(study=2, requested_codes=(Code("XHANL", "NICIP"),), requesting_service="Ward 4")
    receive(network.app, an_object(requesting_service="Ward 4"))
    receive(network.app, late, sender=Sender("PACS_A", "RXA", 3600))
    assert complete_quiet_studies(network.app) == 1
    assert the_item(network.app).state == "arriving"
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE study SET quiet_until = radpool_now() WHERE completed_at IS NULL"))
    complete_quiet_studies(network.app)
    row = the_item(network.app)
    assert (row.state, row.reporting_minutes) == ("ready", Decimal("2.90"))  # 2 and 60% of 1.5
    assert {code for code, _ in exams_of(network.app)} == {"XCHES", "XHANL"}
    assert len(readings_of(network.app)) == 1


def test_objects_shuffled_and_repeated_give_the_same_item(
    network: Database, clone: Callable[[str], Database], network_template: str
) -> None:
    objects = [
        an_object(1, acquisition_ended=acquired(ACQUIRED_AT - timedelta(minutes=5))),
        an_object(2, requested_procedure_priority="HIGH", requesting_service="Nobody knows it"),
        an_object(3, acquisition_ended=replace(acquired(ACQUIRED_AT), source="ContentTime")),
        an_object(4, study=2, requested_codes=(Code("XHANL", "NICIP"),), requesting_service="Ward 4"),
        an_object(5, study=2, requested_codes=(Code("XHANL", "NICIP"),), patient_age="045Y"),
    ]
    seed = random.Random(20260610)
    receive_and_complete(network.app, *objects)
    expected = state_of(network.app)
    for _ in range(6):
        other = clone(network_template)
        receive_and_complete(other.app, *seed.sample(objects * 3, len(objects) * 3))
        assert state_of(other.app) == expected


def test_images_that_come_after_the_report_are_put_before_a_person(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        connection.execute(text("UPDATE reading SET state = 'done'"))
        connection.execute(text("UPDATE item SET state = 'verified'"))
    receive_and_complete(network.app, an_object(study=2))
    assert doubts_of(network.app) == {"late-images"}
    assert the_item(network.app).state == "verified"
    assert [one.state for one in readings_of(network.app)] == ["done"]


def test_a_birth_date_in_the_future_leaves_the_age_unknown(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=replace(PATIENT, birth_date=date(2026, 6, 11))))
    assert the_item(network.app).age_years is None
    assert doubts_of(network.app) == {"birth-date-not-believed"}


def test_order_and_images_that_differ_on_the_birth_date_leave_the_age_unknown(network: Database) -> None:
    take(network.app, an_order(patient=replace(PATIENT, issuer="OTHER", birth_date=date(2015, 1, 1))))
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).age_years is None
    assert doubts_of(network.app) == {"birth-date-not-believed"}


@pytest.mark.parametrize("first", [date(1950, 1, 1), date(2020, 1, 1)])
def test_two_people_under_one_patient_id_are_told_and_neither_is_given_the_others_age(
    network: Database, first: date
) -> None:
    second = date(2020, 1, 1) if first == date(1950, 1, 1) else date(1950, 1, 1)
    for number, born in enumerate((first, second), start=1):
        one = an_object(
            study=number, accession_number=f"A{number}", patient=replace(PATIENT, nhs_number=None, birth_date=born)
        )
        receive_and_complete(network.app, one)
    complete_quiet_studies(network.app)
    ages = ages_of(network)
    own = {f"A{number}": 2026 - born.year for number, born in enumerate((first, second), start=1)}
    assert all(age in (None, own[number]) for number, age in ages.items())
    assert None in ages.values()
    assert doubts_of(network.app) == {"birth-date-not-believed"}


def test_the_age_of_a_complete_study_follows_what_most_studies_of_its_patient_state(network: Database) -> None:
    for number, born in enumerate((date(1950, 1, 1), date(2020, 1, 1), date(2020, 1, 1)), start=1):
        patient = replace(PATIENT, nhs_number=None, birth_date=born)
        receive_and_complete(network.app, an_object(study=number, accession_number=f"A{number}", patient=patient))
    complete_quiet_studies(network.app)
    assert ages_of(network) == {"A1": None, "A2": 6, "A3": 6}


def test_a_study_that_is_being_completed_meanwhile_is_worked_out_again(network: Database) -> None:
    def of(number: int, born: date) -> ReceivedObject:
        patient = replace(PATIENT, nhs_number=None, birth_date=born)
        return an_object(study=number, accession_number=f"A{number}", patient=patient)

    receive(network.app, of(1, date(2020, 1, 1)))
    with ThreadPoolExecutor(1) as pool, network.app.connect() as completing:
        row = completing.execute(select(study).with_for_update(key_share=True)).one()
        view_as(completing, Viewer(trust="RXA"))
        complete_study(completing, row, CompletedBy.QUIET)
        second = pool.submit(receive, network.app, of(2, date(1950, 1, 1)))
        wait_until_somebody_waits(network)
        completing.commit()
        second.result(timeout=60)
    assert ages_of(network)["A1"] == 6
    complete_quiet_studies(network.app)
    assert ages_of(network) == {"A1": None, "A2": 76}


def test_a_study_date_in_the_future_makes_no_child_an_adult(network: Database) -> None:
    child = replace(PATIENT, birth_date=date(2019, 6, 1))
    receive_and_complete(network.app, an_object(patient=child, study_date=date(2040, 12, 31)))
    row = the_item(network.app)
    assert (row.age_years, row.exam_date) == (7, date(2026, 6, 10))
    assert doubts_of(network.app) == {"study-date-not-believed"}


def test_a_source_whose_date_is_a_day_ahead_is_believed(network: Database) -> None:
    receive_and_complete(network.app, an_object(study_date=date(2026, 6, 11)))
    assert (the_item(network.app).exam_date, doubts_of(network.app)) == (date(2026, 6, 11), set())


def test_what_a_person_classified_no_header_and_no_order_overrules(network: Database) -> None:
    receive_and_complete(network.app, an_object(requested_codes=(Code("NOSUCH", "NICIP"),)))
    with network.app.begin() as connection:
        classify(connection, "person:test", the_item(network.app).id, ["XHANL", "XKNEL"])
    assert doubts_of(network.app) == set()
    take(network.app, an_order())
    receive_and_complete(network.app, an_object(study=2))
    assert exams_of(network.app) == [("XHANL", "person"), ("XKNEL", "person")]


def test_working_out_twice_changes_nothing(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    before = state_of(network.app)
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        work_out(connection, the_item(network.app).id)
    assert state_of(network.app) == before


def test_a_setting_that_headers_no_longer_support_does_not_stick(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).setting == "emergency"
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE source SET services = '[]' WHERE ae_title = 'PACS_A'"))
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        work_out(connection, the_item(network.app).id)
    assert the_item(network.app).setting is None


@pytest.mark.parametrize("state", ["reported_elsewhere", "cancelled"])
def test_nothing_is_offered_of_an_item_that_needs_no_report(network: Database, state: str) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        connection.execute(text("UPDATE reading SET state = 'withdrawn'"))
        connection.execute(item.update().values(state=state))
        offer_first_reading(connection, lock_item(connection, the_item(network.app).id))
    assert [one.state for one in readings_of(network.app)] == ["withdrawn"]


def test_a_study_that_cannot_be_worked_out_keeps_nobody_waiting(network: Database) -> None:
    receive(network.app, an_object())
    with network.app.begin() as connection:
        connection.execute(text("""UPDATE study SET facts = '{"study_date": ["0 is no date"]}'"""))
    receive(network.app, an_object(study=2, accession_number="000124"))
    complete_quiet_studies(network.app)
    with network.app.connect() as connection:
        states = connection.scalars(text("SELECT state FROM item ORDER BY id")).all()
    assert list(states) == ["arriving", "ready"]
    assert doubts_of(network.app) == {"completion-failed"}


def test_completion_writes_each_event_once(network: Database) -> None:
    receive_and_complete(network.app, an_object(1), an_object(2))
    complete_quiet_studies(network.app)
    assert [kind for kind in events_of(network.app) if kind.startswith("item.")] == ["item.opened", "item.completed"]


def test_a_clock_that_would_start_in_the_future_starts_at_receipt(network: Database) -> None:
    ahead = datetime(2026, 6, 11, 10, 0, tzinfo=UTC)
    receive_and_complete(
        network.app, an_object(acquisition_ended=LocalTime("20260611100000", "+0000", 0, "ContentTime", ahead))
    )
    assert the_item(network.app).clock_start_source == "receipt"


def states(database: Database) -> list[str]:
    with database.app.connect() as connection:
        return list(connection.scalars(select(item.c.state).order_by(item.c.id)))


def ages_of(database: Database) -> dict[str, int | None]:
    """Give the age of each item by its accession number."""
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT o.accession_number, i.age_years FROM item i JOIN order_identity o ON o.item_id = i.id")
        )
        return {row.accession_number: row.age_years for row in rows}
