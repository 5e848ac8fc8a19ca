"""How images, orders and reports of one accession meet: every outcome of docs/joining.md, in every order of arrival."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from allocation.configuration.apply import apply
from allocation.configuration.read import read_texts
from tests.builders import empty_of_work, shared
from tests.conftest import Database
from tests.worklist.arrivals import (
    PACS_B,
    PATIENT,
    a_home_report,
    an_object,
    an_order,
    claim_first_reading,
    receive,
    take,
)
from worklist.db import embedded
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.home_reports import HomeReport
from worklist.intake.orders import Order, OrderControl
from worklist.intake.placing import place_noted
from worklist.intake.senders import Sender
from worklist.intake.study import PatientAsSent, ReceivedObject

Fact = Order | HomeReport | ReceivedObject | tuple[Sender, ReceivedObject]

OTHER = PatientAsSent("H200", "RXA", "9990000026", "Other", "Odette", date(1970, 1, 1), "F")
NOTHING: dict[str, Any] = {"accession_number": None}
LONG_AGO: dict[str, Any] = {"study_date": date(2020, 1, 2)}


def tell(database: Database, *facts: Fact, settling: bool = True) -> None:
    """Let facts come, each in its own transaction; with `settling` what follows is worked out after each of them."""
    for one in facts:
        if isinstance(one, tuple):
            receive(database.app, one[1], sender=one[0])
        elif isinstance(one, ReceivedObject):
            receive(database.app, one)
        else:
            take(database.app, one)
        if settling:
            settle(database)
    settle(database)


def settle(database: Database) -> None:
    place_noted(database.app)
    complete_quiet_studies(database.app)
    place_noted(database.app)


def items(database: Database, trust: str = "RXA") -> dict[str | None, tuple[str, int]]:
    """State and number of studies of each item by accession number; what images left and nobody ordered is none."""
    with database.owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT o.accession_number, i.state, (SELECT count(*) FROM item_study l WHERE l.item_id = i.id)"
                " FROM item i JOIN order_identity o ON o.item_id = i.id WHERE i.trust_ods = :trust"
                " AND NOT (o.accession_number IS NULL AND i.state = 'cancelled')"
            ),
            {"trust": trust},
        ).all()
    found = {row[0]: (row[1], row[2]) for row in rows}
    assert len(found) == len(rows), "an accession has two items"
    return found


def priors(database: Database) -> dict[tuple[str, str], str]:
    """Why each study that is no work is none, by trust and UID."""
    with database.owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT trust_ods, study_instance_uid, prior_because FROM study JOIN study_identity USING (trust_ods)"
                " WHERE id = study_id AND prior_because IS NOT NULL"
            )
        )
        return {(row[0], row[1]): row[2] for row in rows}


def doubts(database: Database) -> set[tuple[str, str]]:
    """The kinds of the open exceptions, each with the trust that sees it."""
    with database.owner.connect() as connection:
        rows = connection.execute(text("SELECT trust_ods, kind FROM worklist_exception WHERE closed_at IS NULL"))
        return {(row[0], row[1]) for row in rows}


@pytest.fixture(scope="module")
def one(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    with shared(cluster, network_template) as database:
        yield database


@pytest.fixture
def in_any_order(one: Database) -> Callable[..., Database]:
    """A function that lets facts come in every order to an empty network, and shows that all end alike."""

    def _run(*facts: Fact, prepare: str = "SELECT 1") -> Database:
        ends = []
        for number, sequence in enumerate(itertools.permutations(facts)):
            empty_of_work(one)
            with one.owner.begin() as connection:
                connection.execute(text(_AS_STATED))
                connection.execute(text(prepare))
            tell(one, *sequence, settling=number % 2 == 0)
            ends.append((items(one), items(one, "RXB"), priors(one), doubts(one)))
        assert all(end == ends[0] for end in ends), ends
        return one

    return _run


_AS_STATED = "WITH s AS (UPDATE source SET elsewhere = '{}', old_after_days = NULL) UPDATE trust SET known_as = '{}'"


def test_order_and_images_meet_by_the_accession_number_in_either_order(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_order(), an_object())
    assert (items(ended), doubts(ended)) == ({"000123": ("ready", 1)}, set())


def test_leading_zeros_are_significant_and_case_is_too(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_order(accession_number="123"), an_object(), an_object(study=2, accession_number="a1"))
    assert items(ended) == {"123": ("ordered", 0), "000123": ("ready", 1), "a1": ("ready", 1)}


def test_one_accession_number_of_two_trusts_is_two_items(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_order(), (PACS_B, an_object(study=2)))
    assert (items(ended), items(ended, "RXB")) == ({"000123": ("ordered", 0)}, {"000123": ("ready", 1)})


def test_an_order_without_images_waits_and_is_offered_to_nobody(network: Database) -> None:
    tell(network, an_order())
    assert items(network) == {"000123": ("ordered", 0)}
    assert network.count("SELECT count(*) FROM reading") == 0


def test_images_without_an_order_are_work(network: Database) -> None:
    tell(network, an_object())
    assert (items(network), doubts(network)) == ({"000123": ("ready", 1)}, set())


def test_images_without_an_accession_number_are_held_until_a_person_or_an_order_names_it(network: Database) -> None:
    tell(network, an_object(**NOTHING))
    assert items(network) == {None: ("on_hold", 1)}
    assert doubts(network) == {("RXA", "missing-accession-number")}


def test_one_accession_in_several_studies_is_one_item(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_order(), an_object(), an_object(study=2))
    assert items(ended) == {"000123": ("ready", 2)}


def test_of_several_accessions_in_one_study_each_that_is_ordered_is_an_item(
    in_any_order: Callable[..., Database],
) -> None:
    ended = in_any_order(
        an_order(),
        an_order(accession_number="000124"),
        an_object(1),
        an_object(2, accession_number="000124"),
    )
    assert items(ended) == {"000123": ("ready", 1), "000124": ("ready", 1)}
    assert doubts(ended) == {("RXA", "contradictory-header")}


def test_the_requests_that_an_image_satisfies_are_accessions_of_its_study_too(
    in_any_order: Callable[..., Database],
) -> None:
    both: dict[str, Any] = {"requested_accession_numbers": ("000123", "000124")}
    ended = in_any_order(an_order(), an_order(accession_number="000124"), an_object(1, **both))
    assert (items(ended), doubts(ended)) == ({"000123": ("ready", 1), "000124": ("ready", 1)}, set())


def test_of_several_accessions_in_one_study_those_without_order_are_put_before_a_person(
    in_any_order: Callable[..., Database],
) -> None:
    both: dict[str, Any] = {"requested_accession_numbers": ("000123", "000124")}
    ended = in_any_order(an_order(), an_object(1, **both))
    assert items(ended) == {"000123": ("ready", 1)}
    assert doubts(ended) == {("RXA", "accession-without-order")}


def test_a_second_accession_in_a_study_that_is_ordered_for_somebody_else_gets_none_of_it(network: Database) -> None:
    tell(network, an_order(), an_order(accession_number="000124", patient=OTHER))
    tell(network, an_object(1), an_object(2), an_object(3, accession_number="000124"))
    assert items(network) == {"000123": ("ready", 1), "000124": ("ordered", 0)}
    assert doubts(network) == {("RXA", "contradictory-header"), ("RXA", "accession-without-order")}


def test_an_order_that_names_the_study_finds_images_without_an_accession_number(
    in_any_order: Callable[..., Database],
) -> None:
    ended = in_any_order(an_order(study_instance_uid="2.25.1"), an_object(1, **NOTHING), an_object(2, **NOTHING))
    assert (items(ended), doubts(ended)) == ({"000123": ("ready", 1)}, set())


def test_an_order_that_names_the_study_finds_images_under_a_number_that_nobody_ordered(
    in_any_order: Callable[..., Database],
) -> None:
    ended = in_any_order(an_order(study_instance_uid="2.25.1"), an_object(accession_number="WRONG"))
    assert items(ended) == {"000123": ("ready", 1)}
    assert doubts(ended) == {("RXA", "accession-without-order")}


def test_one_order_opens_exactly_one_item_whatever_says_so_again(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(
        an_order(), an_order(5, OrderControl.CHANGE, study_instance_uid="2.25.1"), an_object(), a_home_report()
    )
    assert items(ended) == {"000123": ("reported_elsewhere", 1)}
    assert ended.count("SELECT count(*) FROM item") == 1


def test_images_of_somebody_else_under_a_reported_number_are_work_of_their_own_and_a_person_finds_their_number(
    network: Database,
) -> None:
    tell(network, an_order(), an_object(), a_home_report())
    tell(network, an_object(study=2, patient=OTHER), an_object(2, study=2, patient=OTHER))
    assert items(network) == {"000123": ("reported_elsewhere", 1), None: ("on_hold", 1)}
    assert doubts(network) == {("RXA", "accession-number-used-again"), ("RXA", "missing-accession-number")}


def test_an_order_for_somebody_else_under_a_reported_number_is_kept_out_and_put_before_a_person(
    network: Database,
) -> None:
    tell(network, an_order(clinical_question="? fracture"), a_home_report())
    tell(network, an_order(60, patient=OTHER, clinical_question="? stroke"))
    assert doubts(network) == {("RXA", "accession-number-used-again")}
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT clinical_question FROM item_order")) == "? fracture"


NAMED: dict[str, Any] = {"issuer_of_accession_number": "RXB"}


def test_whichever_pacs_sends_a_study_it_is_the_work_of_the_trust_that_its_headers_name(
    in_any_order: Callable[..., Database],
) -> None:
    ended = in_any_order(an_object(1, **NAMED), an_object(2, **NAMED), (PACS_B, an_object(1, **NAMED)))
    assert (items(ended), items(ended, "RXB")) == ({}, {"000123": ("ready", 1)})
    assert priors(ended) == {("RXA", "2.25.1"): "performed-elsewhere"}
    assert doubts(ended) == set()


def test_one_copy_that_names_the_performer_is_enough(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_object(), (PACS_B, an_object(issuer_of_accession_number="RXB")))
    assert (items(ended), items(ended, "RXB")) == ({}, {"000123": ("ready", 1)})
    assert priors(ended) == {("RXA", "2.25.1"): "of-another-trust"}


def test_the_institution_names_the_performer_where_the_issuer_does_not(in_any_order: Callable[..., Database]) -> None:
    known_as = "UPDATE trust SET known_as = ARRAY['Birch Moor General'] WHERE ods_code = 'RXB'"
    sent = an_object(institution_name="BIRCH MOOR  GENERAL", issuer_of_accession_number="ARCHIVE")
    ended = in_any_order(sent, (PACS_B, sent), prepare=known_as)
    assert (items(ended), items(ended, "RXB")) == ({}, {"000123": ("ready", 1)})


def test_where_no_header_names_the_performer_the_trust_that_ordered_it_has_it(
    in_any_order: Callable[..., Database],
) -> None:
    ordered = an_order(patient=replace(PATIENT, issuer=None))
    ordered = replace(ordered, message=replace(ordered.message, facility="RIS_B", trust="RXB"))
    ended = in_any_order(an_object(), (PACS_B, an_object()), ordered)
    assert (items(ended), items(ended, "RXB")) == ({}, {"000123": ("ready", 1)})
    assert priors(ended) == {("RXA", "2.25.1"): "of-another-trust"}
    assert doubts(ended) == set()


def test_an_order_of_the_same_number_for_somebody_else_makes_no_trust_the_performer(network: Database) -> None:
    another = an_order(patient=OTHER)
    another = replace(another, message=replace(another.message, facility="RIS_B", trust="RXB"))
    tell(network, an_object(), (PACS_B, an_object()), another)
    assert (items(network), items(network, "RXB")) == ({"000123": ("ready", 1)}, {"000123": ("ordered", 0)})


def test_where_nothing_says_who_performed_it_the_first_keeps_it_and_both_are_told(network: Database) -> None:
    tell(network, an_object(), (PACS_B, an_object()), an_object(2), (PACS_B, an_object(2)))
    assert (items(network), items(network, "RXB")) == ({"000123": ("ready", 1)}, {})
    assert doubts(network) == {("RXA", "study-of-two-trusts"), ("RXB", "study-of-two-trusts")}


def test_words_that_are_stated_later_settle_whose_a_study_of_two_trusts_is(network: Database) -> None:
    sent = an_object(institution_name="Birch Moor General")
    tell(network, sent, (PACS_B, sent))
    assert items(network) == {"000123": ("ready", 1)}
    stated = '[[trust]]\nods_code = "RXB"\nname = "Birch Moor (synthetic)"\nknown_as = ["Birch Moor General"]'
    with network.app.begin() as connection:
        apply(connection, read_texts([("network.toml", stated)]), by="test")
    settle(network)
    assert (items(network), items(network, "RXB")) == ({}, {"000123": ("ready", 1)})
    assert doubts(network) == set()


def test_what_somebody_has_begun_to_read_stays_with_them_and_a_person_is_told(network: Database) -> None:
    tell(network, an_object())
    with network.app.begin() as connection:
        claim_first_reading(connection)
    tell(network, (PACS_B, an_object(**NAMED)))
    assert (items(network), items(network, "RXB")) == ({"000123": ("in_progress", 1)}, {"000123": ("ready", 1)})
    assert doubts(network) == {("RXA", "prior-read-as-work")}


def test_a_study_that_was_performed_outside_the_network_is_a_prior_and_an_order_of_it_is_told_of(
    in_any_order: Callable[..., Database],
) -> None:
    elsewhere = "UPDATE source SET elsewhere = ARRAY['Beacon Clinic']"
    ended = in_any_order(an_object(institution_name="Beacon Clinic"), an_order(), prepare=elsewhere)
    assert items(ended) == {"000123": ("ordered", 0)}
    assert priors(ended) == {("RXA", "2.25.1"): "performed-elsewhere"}
    assert doubts(ended) == {("RXA", "ordered-images-from-elsewhere")}


def test_an_issuer_or_an_institution_that_nobody_stated_hides_no_work(network: Database) -> None:
    tell(network, an_object(issuer_of_accession_number="ARCHIVE 7", institution_name="West Wing"))
    assert items(network) == {"000123": ("ready", 1)}


OLD = "UPDATE source SET old_after_days = 90"


def test_an_old_study_without_an_order_is_a_prior_and_no_work(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_object(1, **LONG_AGO), an_object(2, **LONG_AGO), prepare=OLD)
    assert (items(ended), priors(ended)) == ({}, {("RXA", "2.25.1"): "old-without-order"})
    assert (doubts(ended), ended.count("SELECT count(*) FROM reading")) == (set(), 0)


def test_an_old_study_with_an_order_is_work(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_object(1, **LONG_AGO), an_object(2, **LONG_AGO), an_order(), prepare=OLD)
    assert (items(ended), priors(ended)) == ({"000123": ("ready", 1)}, {})


def test_an_old_study_that_states_another_sex_than_its_order_is_told_of_when_it_becomes_work(
    in_any_order: Callable[..., Database],
) -> None:
    order = an_order(patient=replace(PATIENT, sex="O"))
    ended = in_any_order(an_object(1, **LONG_AGO), an_object(2, **LONG_AGO), order, prepare=OLD)
    assert (items(ended), doubts(ended)) == ({"000123": ("ready", 1)}, {("RXA", "patient-stated-otherwise")})


@pytest.mark.parametrize("ends_it", [an_order(5, OrderControl.CANCEL), a_home_report(5)], ids=["cancel", "home report"])
def test_what_is_known_of_work_that_is_not_read_here_goes_with_its_patient_whichever_was_heard_first(
    one: Database, ends_it: Order | HomeReport
) -> None:
    younger, of_no_date = replace(PATIENT, birth_date=date(2012, 1, 1)), replace(PATIENT, birth_date=None)
    elsewhere = an_order(10, accession_number="000200", patient=younger)
    ages = []
    images = an_object(patient=replace(PATIENT, birth_date=None))
    for sequence in itertools.permutations([images, replace(ends_it, patient=of_no_date), elsewhere]):
        empty_of_work(one)
        tell(one, *sequence)
        ages.append(one.count("SELECT coalesce(age_years, -1) FROM item WHERE modality IS NOT NULL"))
    assert ages == [14] * 6


def test_an_old_study_that_the_home_ris_reported_is_reported(in_any_order: Callable[..., Database]) -> None:
    ended = in_any_order(an_object(1, **LONG_AGO), a_home_report(), prepare=OLD)
    assert (items(ended), doubts(ended)) == ({"000123": ("reported_elsewhere", 1)}, set())


def test_a_study_without_a_date_is_not_old_and_without_a_rule_none_is(network: Database) -> None:
    tell(network, an_object(**LONG_AGO))
    with network.owner.begin() as connection:
        connection.execute(text(OLD))
    tell(network, an_object(study=2, accession_number="000200", study_date=None))
    assert items(network) == {"000123": ("ready", 1), "000200": ("ready", 1)}


def test_a_study_that_turns_out_to_be_old_leaves_the_list_until_somebody_has_begun_to_read(
    network: Database,
) -> None:
    with network.owner.begin() as connection:
        connection.execute(text(OLD))
    tell(network, an_object(1, study_date=None))
    assert items(network) == {"000123": ("ready", 1)}
    tell(network, an_object(2, **LONG_AGO))
    assert (items(network), priors(network)) == ({}, {("RXA", "2.25.1"): "old-without-order"})
    assert network.count("SELECT count(*) FROM reading WHERE state <> 'withdrawn'") == 0
