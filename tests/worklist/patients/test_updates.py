"""An update of a patient by the home RIS counts by its message's time, outranks headers and reaches waiting work."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Row, text

from allocation.claims import NotEligible, Wish, claim_reading
from tests.builders import reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import (
    an_object,
    an_order,
    claim_first_reading,
    doubts_of,
    events_of,
    readings_of,
    receive,
    receive_and_complete,
    take,
    the_item,
)
from tests.worklist.patients.persons import everything, message, patient, tell, unsaid, update
from worklist.intake.orders import OrderControl, Outcome
from worklist.intake.study import Code
from worklist.patients.updates import PatientUpdate, receive_update


def the_patient(network: Database) -> Row[Any]:
    with network.owner.connect() as connection:
        return connection.execute(text("SELECT * FROM patient")).one()


def test_a_newer_update_wins_and_an_older_one_that_comes_late_changes_nothing(network: Database) -> None:
    newer, older = update(20, patient(family_name="New")), update(10, patient(family_name="Old"))
    assert tell(network.app, newer, older, newer) == [Outcome.APPLIED, Outcome.STALE, Outcome.REPEATED]
    assert (the_patient(network).family_name, the_patient(network).name_key) == ("New", "NEW^TILDA")
    assert events_of(network.app).count("patient.updated") == 1


def test_an_older_update_still_says_what_the_newer_one_left_unsaid(network: Database) -> None:
    tell(network.app, update(20, replace(unsaid("H100"), sex="F")), update(10, patient(sex="M")))
    assert (the_patient(network).sex, the_patient(network).birth_date) == ("F", date(1980, 6, 11))


def test_an_order_states_a_patient_as_well_and_is_older_or_newer_by_its_time_alone(network: Database) -> None:
    tell(network.app, update(10, patient(family_name="Update")))
    tell(network.app, an_order(5, patient=patient(family_name="Order")))
    assert the_patient(network).family_name == "Update"
    tell(network.app, an_order(15, accession_number="2", patient=patient(family_name="Order")))
    assert the_patient(network).family_name == "Order"


def test_a_stale_order_changes_its_item_no_more_and_still_states_its_patient(network: Database) -> None:
    tell(network.app, an_order(10, patient=unsaid("H100")))
    assert tell(network.app, an_order(5, patient=patient("H100"))) == [Outcome.STALE]
    assert the_patient(network).birth_date == date(1980, 6, 11)


def test_what_an_update_states_outranks_headers_before_and_after_it(network: Database) -> None:
    receive(network.app, an_object(patient=patient(family_name="Header")))
    tell(network.app, update(0, patient(family_name="Update")))
    receive(network.app, an_object(study=2, accession_number="2", patient=patient(family_name="Header")))
    assert the_patient(network).family_name == "Update"


def test_a_corrected_birth_date_changes_who_may_report_at_once(network: Database) -> None:
    hart = reporter_id(network, "hart")
    hand = an_object(patient=patient(birth_date=None), requested_codes=(Code("XHANL", "NICIP"),))
    receive_and_complete(network.app, hand)
    tell(network.app, update(0, patient(birth_date=date(2020, 1, 1))))
    child = the_item(network.app)
    assert child.age_years == 6
    with pytest.raises(NotEligible), network.app.begin() as connection:
        claim_reading(connection, "hart", hart, Wish(item_id=child.id), lease_seconds=600)
    tell(network.app, update(1, patient(birth_date=date(1980, 1, 1))))
    grown, [only] = the_item(network.app), readings_of(network.app)
    assert (grown.age_years, only.profile_id) == (46, grown.profile_id)
    assert grown.profile_id != child.profile_id
    with network.app.begin() as connection:
        assert claim_reading(connection, "hart", hart, Wish(item_id=grown.id), lease_seconds=600) is not None
    assert events_of(network.app).count("item.patient-updated") == 2


def test_an_order_that_corrects_a_birth_date_works_out_the_patients_other_items(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=patient(birth_date=None)))
    tell(network.app, an_order(accession_number="other", patient=patient(birth_date=date(2020, 1, 1))))
    assert sorted(_ages(network), key=str) == [6, None]


def test_what_a_reporter_holds_is_worked_out_again_and_stays_theirs(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=patient(birth_date=None)))
    with network.app.begin() as connection:
        claim_first_reading(connection)
    tell(network.app, update(0, patient()))
    assert (the_item(network.app).state, the_item(network.app).age_years) == ("in_progress", 45)
    assert network.count("SELECT count(*) FROM claim WHERE ended_at IS NULL") == 1


def test_a_verified_nhs_number_is_so_by_the_word_of_the_ris_alone(network: Database) -> None:
    numbered = replace(patient(), nhs_number="9990000018")
    receive(network.app, an_object(patient=numbered))
    assert the_patient(network).nhs_number_status == "present-untraced"
    tell(network.app, update(0, replace(numbered, nhs_number_trace="01")))
    assert (the_patient(network).nhs_number_status, the_patient(network).nhs_number_trace) == ("verified", "01")


def test_fields_that_could_not_be_read_are_put_before_a_person(network: Database) -> None:
    faulty = PatientUpdate(message(0, "U"), patient(birth_date=None), (("PID-7", "is not a date"),))
    with network.app.begin() as connection:
        receive_update(connection, faulty)
    assert doubts_of(network.app) == {"unreadable-attribute"}


def test_an_item_whose_images_name_another_than_is_shown_is_an_exception_while_they_do(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=patient(family_name="Header", sex="M")))
    assert doubts_of(network.app) == set()
    tell(network.app, update(0, patient(family_name="Update", sex="F")))
    shown = [row[1] for row in everything(network.owner)["exceptions"]]
    assert [one.partition(":")[0] for one in shown] == ["PatientName", "PatientSex"]
    tell(network.app, update(1, patient(family_name="Header", sex="M")))
    assert doubts_of(network.app) == set()


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_cancelled_item_is_an_exception_too_whichever_was_heard_of_first(
    network: Database, cancelled_first: bool
) -> None:
    receive_and_complete(network.app, an_object(patient=patient(sex="M")))
    cancel, renamed = an_order(0, OrderControl.CANCEL, patient=patient(sex="M")), update(5, patient(sex="F"))
    if cancelled_first:
        take(network.app, cancel)
    tell(network.app, renamed)
    if not cancelled_first:
        take(network.app, cancel)
    assert the_item(network.app).state == "cancelled"
    assert "patient-stated-otherwise" in doubts_of(network.app)


def test_a_study_that_is_outvoted_by_the_patients_others_is_an_exception_of_its_own_item(network: Database) -> None:
    for number, name in enumerate(("Elm", "Elm", "Yew"), start=1):
        one = an_object(study=number, accession_number=str(number), patient=patient(family_name=name))
        receive_and_complete(network.app, one)
    assert everything(network.owner)["exceptions"] == [
        ("patient-stated-otherwise", "PatientName: the images state another than is shown", "3")
    ]


def test_case_accents_and_a_given_name_that_is_missing_make_no_other_person(network: Database) -> None:
    tell(network.app, update(0, patient(family_name="Brontë")))
    receive_and_complete(network.app, an_object(patient=patient(family_name="BRONTE", given_name=None)))
    assert doubts_of(network.app) == set()


def _ages(network: Database) -> list[int | None]:
    with network.owner.connect() as connection:
        return list(connection.scalars(text("SELECT age_years FROM item")))
