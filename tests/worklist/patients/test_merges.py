"""A merge moves items and studies to the survivor, an unmerge gives back exactly those; what is refused or doubted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from tests.conftest import Database
from tests.worklist.arrivals import an_object, an_order, doubts_of, events_of, receive, receive_and_complete
from tests.worklist.patients.persons import everything, identity, merge, patient, tell, unlink, unsaid, update, whose
from worklist.db.engine import Viewer, view_as
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.orders import Outcome
from worklist.patients.merges import CyclicMerge, NotStanding, UnknownMerge, receive_merges, unmerge
from worklist.patients.merging import Kind


def arrive(network: Database, identifier: str, accession: str, study: int, **stated: object) -> None:
    one = an_object(study=study, accession_number=accession, patient=patient(identifier, **stated))
    receive_and_complete(network.app, one)


def end(network: Database, merge_id: int, *, trust: str = "RXA") -> None:
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust=trust))
        unmerge(connection, "pat", merge_id, "two people")


def merge_ids(network: Database) -> list[int]:
    with network.owner.connect() as connection:
        return list(connection.scalars(text("SELECT id FROM patient_merge WHERE kind <> 'unlink' ORDER BY id")))


def test_a_merge_moves_the_items_and_its_end_gives_back_exactly_those(network: Database) -> None:
    arrive(network, "H100", "1", 1)
    arrive(network, "H200", "2", 2)
    before = everything(network.owner)
    assert tell(network.app, merge(10, "H100", "H200")) == [Outcome.APPLIED]
    assert whose(network.owner) == {"1": "H200", "2": "H200"}
    assert [kind for kind in events_of(network.app) if "merge" in kind] == ["patient.merged", "item.patient-merged"]
    end(network, merge_ids(network)[0])
    after = everything(network.owner)
    assert {name: after[name] for name in before if name != "merges"} == {
        name: before[name] for name in before if name != "merges"
    }
    assert after["merges"][0][4:] == (False, after["merges"][0][5], "pat")
    assert [kind for kind in events_of(network.app) if "unmerge" in kind] == [
        "patient.unmerged",
        "item.patient-unmerged",
    ]


def test_what_comes_under_the_retired_identifier_is_the_survivors_and_goes_back_with_it(network: Database) -> None:
    arrive(network, "H200", "2", 2)
    tell(network.app, merge(10, "H100", "H200"))  # nothing is known of H100 yet
    arrive(network, "H100", "3", 3)
    tell(network.app, an_order(20, accession_number="4", patient=patient("H100")))
    tell(network.app, an_order(20, accession_number="5", patient=patient("H200")))
    assert whose(network.owner) == dict.fromkeys("2345", "H200")
    end(network, merge_ids(network)[0])
    assert whose(network.owner) == {"2": "H200", "3": "H100", "4": "H100", "5": "H200"}


def test_an_item_is_of_whom_its_order_names_whichever_came_first(network: Database) -> None:
    arrive(network, "H100", "1", 1)
    tell(network.app, an_order(accession_number="1", patient=patient("H200")))
    tell(network.app, an_order(accession_number="2", patient=patient("H200")))
    arrive(network, "H100", "2", 2)
    assert whose(network.owner) == {"1": "H200", "2": "H200"}
    assert "accession-of-two-patients" in doubts_of(network.app)
    tell(network.app, merge(10, "H100", "H200"))
    assert "accession-of-two-patients" not in doubts_of(network.app)
    end(network, merge_ids(network)[0])
    assert "accession-of-two-patients" in doubts_of(network.app)


def test_a_chain_ends_at_the_last_and_is_parted_link_by_link(network: Database) -> None:
    for number, identifier in enumerate(("H1", "H2", "H3"), start=1):
        arrive(network, identifier, str(number), number)
    tell(network.app, merge(20, "H2", "H3"), merge(10, "H1", "H2"))
    assert whose(network.owner) == {"1": "H3", "2": "H3", "3": "H3"}
    tell(network.app, unlink(30, "H3", "H2"))
    assert whose(network.owner) == {"1": "H2", "2": "H2", "3": "H3"}


def test_repeated_and_stale_messages_change_nothing_twice(network: Database) -> None:
    arrive(network, "H1", "1", 1)
    newer, older = merge(20, "H1", "H3"), merge(10, "H1", "H2")
    assert tell(network.app, newer, older) == [Outcome.APPLIED, Outcome.STALE]
    assert whose(network.owner) == {"1": "H3"}
    said = (everything(network.owner), events_of(network.app), _audited(network))
    assert tell(network.app, newer, older, newer) == [Outcome.REPEATED] * 3
    assert (everything(network.owner), events_of(network.app), _audited(network)) == said
    assert tell(network.app, unlink(30, "H1", "H3"), newer) == [Outcome.APPLIED, Outcome.REPEATED]
    assert whose(network.owner) == {"1": "H1"}


def test_an_unlink_that_comes_before_its_merge_is_remembered(network: Database) -> None:
    arrive(network, "H1", "1", 1)
    assert tell(network.app, unlink(20, "H1", "H2"), merge(10, "H1", "H2")) == [Outcome.STALE, Outcome.STALE]
    assert whose(network.owner) == {"1": "H1"}
    assert tell(network.app, merge(30, "H1", "H2")) == [Outcome.APPLIED]
    assert whose(network.owner) == {"1": "H2"}


def test_a_cycle_is_refused_and_nothing_of_its_message_is_taken(network: Database) -> None:
    arrive(network, "H1", "1", 1)
    tell(network.app, merge(10, "H1", "H2"), merge(11, "H2", "H3"))
    before = everything(network.owner)
    with pytest.raises(CyclicMerge), network.app.begin() as connection:
        receive_merges(connection, [merge(20, "H9", "H8"), merge(20, "H3", patient("H1", family_name="Other"))])
    assert everything(network.owner) == before


def test_a_change_of_identifiers_is_taken_back_by_the_opposite_change(network: Database) -> None:
    arrive(network, "H1", "1", 1)
    tell(network.app, merge(10, "H1", "H2", Kind.CHANGE))
    assert whose(network.owner) == {"1": "H2"}
    tell(network.app, merge(20, "H2", "H1", Kind.CHANGE))
    assert whose(network.owner) == {"1": "H1"}


def test_records_of_two_birth_dates_are_merged_no_age_is_known_and_a_later_update_settles_it(network: Database) -> None:
    born = date(2012, 1, 1)
    tell(network.app, update(0, patient("H1")), update(1, patient("H2", birth_date=born)))
    tell(network.app, an_order(2, accession_number="1", patient=unsaid("H1")))
    receive_and_complete(network.app, an_object(accession_number="1", patient=unsaid("H1")))
    assert _ages(network) == {"1": 45}
    assert tell(network.app, merge(10, "H1", patient("H2", birth_date=born))) == [Outcome.APPLIED]
    assert _ages(network) == {"1": None}
    assert {"merged-patients-differ", "birth-date-not-believed"} <= doubts_of(network.app)
    tell(network.app, update(11, patient("H2", birth_date=born)))
    assert _ages(network) == {"1": 14}
    assert doubts_of(network.app) == set()


def test_the_end_of_a_merge_closes_its_exceptions(network: Database) -> None:
    tell(network.app, update(0, patient("H1", sex="M")), update(0, patient("H2", sex="F")), merge(5, "H1", "H2"))
    assert doubts_of(network.app) == {"merged-patients-differ"}
    tell(network.app, unlink(6, "H1", "H2"))
    assert doubts_of(network.app) == set()


def test_one_nhs_number_merges_nobody(network: Database) -> None:
    for number, identifier in enumerate(("H1", "H2"), start=1):
        one = replace(patient(identifier), nhs_number="9990000018")
        receive_and_complete(network.app, an_object(study=number, accession_number=str(number), patient=one))
        tell(network.app, update(number, one))
    assert whose(network.owner) == {"1": "H1", "2": "H2"}
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM patient WHERE merged_into IS NOT NULL")) == 0


def test_images_that_still_arrive_move_with_their_patient(network: Database) -> None:
    receive(network.app, an_object(accession_number="1", patient=patient("H1")))
    tell(network.app, merge(10, "H1", "H2"))
    receive(network.app, an_object(2, accession_number="1", patient=patient("H1")))
    complete_quiet_studies(network.app)
    assert whose(network.owner) == {"1": "H2"}
    assert doubts_of(network.app) == set()


def test_a_merge_that_was_ended_cannot_be_ended_again_nor_one_that_is_another_trusts(network: Database) -> None:
    tell(network.app, merge(10, "H1", "H2"))
    [number] = merge_ids(network)
    with pytest.raises(UnknownMerge):
        end(network, number, trust="RXB")
    end(network, number)
    with pytest.raises(NotStanding):
        end(network, number)


def test_who_said_what_and_when_is_kept(network: Database) -> None:
    tell(network.app, merge(10, "H1", "H2"), unlink(20, "H1", "H2"))
    with network.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, stated_by, message_id, standing, unmerged_by FROM patient_merge ORDER BY id")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("merge", "ris:RIS_A", "A10", False, "ris:RIS_A"),
        ("unlink", "ris:RIS_A", "L20", False, None),
    ]
    assert ("ris:RIS_A", "patient merge") in _audited(network)


def test_events_and_audit_name_no_identifier(network: Database) -> None:
    arrive(network, "Zephyr77", "1", 1)
    tell(network.app, merge(10, "Zephyr77", "Zephyr88"), unlink(11, "Zephyr77", "Zephyr88"))
    with network.owner.connect() as connection:
        told = connection.scalars(
            text("SELECT dimensions::text FROM event UNION ALL SELECT payload FROM audit.entry")
        ).all()
    assert told
    assert not [one for one in told if "Zephyr" in one]
    assert identity("Zephyr77")[1] in str(everything(network.owner))


def _ages(network: Database) -> dict[str, int | None]:
    with network.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT o.accession_number, i.age_years FROM item i JOIN order_identity o ON o.item_id = i.id")
        )
        return {row[0]: row[1] for row in rows}


def _audited(network: Database) -> list[tuple[str, str]]:
    with network.owner.connect() as connection:
        rows = connection.execute(text("SELECT actor, action FROM audit.entry ORDER BY at, lane, sequence"))
        return [(row[0], row[1]) for row in rows]
