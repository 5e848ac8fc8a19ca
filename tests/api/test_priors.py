"""What came before of an item's patient: to whom it is shown, what the trust's PACS add, what the audit says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.permissions import Role
from api.schemas.sources import Priors
from dicom_listener.client.query_address import QueryAddress
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import claim
from tests.api.test_description import assert_exactly
from tests.api.test_sources import configure, stated
from tests.builders import arrive, patient_called
from tests.conftest import NOW
from tests.dicom_listener.client.pacs_peers import archived, dcmqrscp
from tests.free_ports import free_port
from worklist.intake.orders import Message
from worklist.intake.study import PatientAsSent
from worklist.patients.merges import Merge, receive_merges
from worklist.patients.merging import Kind

# pynetdicom leaves the socket of a refused connection to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

#: The patient of `archived(8)`.
AT_PACS = PatientAsSent(identifier="P0008", family_name="Probe", given_name="Anna")


def test_the_same_patients_items_of_the_trust_are_listed_the_newest_first(api: Served) -> None:
    long_ago = arrive(api.database, ended_at=NOW - timedelta(days=400), exam="XKNEL")
    item_id = arrive(api.database, accession="NOW1")
    lately = arrive(api.database, ended_at=NOW - timedelta(days=3), accession="LATE1")
    arrive(api.database, patient=patient_called("Other"))
    arrive(api.database, trust="RXB")  # of the same name and number: nobody says that it is one person
    found = api.manager("RXA").get(f"/items/{item_id}/priors").json()
    assert_exactly(Priors, found)
    assert [one["item_id"] for one in found["priors"]] == [lately, long_ago]
    assert found["priors"][0] == {
        "item_id": lately,
        "accession_number": "LATE1",
        "exam_date": "2026-06-07",
        "exams": [
            {
                "code": "XHANL",
                "description": "XR Hand Lt",
                "mapped_by": "requested-code",
                "version": 1,
                "mapping_id": None,
                "minutes_by": "network",
            }
        ],
        "modality": "XR",
        "state": "ready",
        "reported_at": None,
    }
    assert found["asked"] == []


def test_what_was_cancelled_is_no_prior(api: Served) -> None:
    cancelled, item_id = arrive(api.database), arrive(api.database)
    with api.database.owner.begin() as connection:
        connection.execute(text("UPDATE item SET state = 'cancelled' WHERE id = :id"), {"id": cancelled})
    assert api.manager("RXA").get(f"/items/{item_id}/priors").json()["priors"] == []


def test_a_reporter_sees_the_priors_of_whom_they_hold_and_of_nobody_else(api: Served) -> None:
    prior = arrive(api.database, ended_at=NOW - timedelta(days=3), exam="CHEAD")
    item_id = arrive(api.database, exam="XHANL")
    assert_problem(api.reporter("hart").get(f"/items/{item_id}/priors"), 403, "not-permitted")
    claim(api, "hart", item_id=item_id)
    (found,) = api.reporter("hart").get(f"/items/{item_id}/priors").json()["priors"]
    assert (found["item_id"], found["exams"][0]["code"]) == (prior, "CHEAD")
    assert found["accession_number"] is None  # that order was never offered to them


def test_another_trust_s_item_is_unknown_and_who_looks_after_the_network_sees_no_patient(api: Served) -> None:
    item_id = arrive(api.database)
    assert_problem(api.manager("RXB").get(f"/items/{item_id}/priors"), 404, "unknown-item")
    for role in (Role.NETWORK_MANAGER, Role.ADMINISTRATOR, Role.AUDITOR):
        assert_problem(api.as_(role).get(f"/items/{item_id}/priors"), 403, "not-permitted")


def test_dcmtk_s_archive_adds_what_it_holds_of_the_patient_and_the_audit_says_whom_we_asked(
    api: Served, tmp_path: Path
) -> None:
    item_id = arrive(api.database, patient=AT_PACS)
    with dcmqrscp(tmp_path, archived(8), archived(9)) as address:
        configure(api, "PACS_A", query=stated(address))
        found = api.manager("RXA").get(f"/items/{item_id}/priors", params={"ask": True}).json()
    assert_exactly(Priors, found)
    (asked,) = found["asked"]
    assert (asked["source"], asked["why"]) == ("PACS_A", None)
    (study,) = asked["studies"]
    assert (study["accession_number"], study["study_date"], study["description"]) == ("A0008", "2024-01-05", "CT Head")
    assert read_of(api) == ([item_id], '{"asked":["PACS_A"]}')


def test_after_a_merge_what_came_under_the_earlier_identifier_is_listed_and_pacs_are_asked_by_both(
    api: Served, tmp_path: Path
) -> None:
    of_retired = replace(AT_PACS, identifier="P0009")
    item_id = arrive(api.database, patient=AT_PACS)
    prior = arrive(api.database, patient=of_retired, ended_at=NOW - timedelta(days=3))
    with api.database.app.begin() as connection:
        message = Message("RIS_A", "RXA", NOW, "A1")
        receive_merges(connection, [Merge(message, Kind.MERGE, AT_PACS, (("", "P0009"),))])
    with dcmqrscp(tmp_path, archived(8), archived(9)) as address:
        configure(api, "PACS_A", query=stated(address))
        for one, other in ((item_id, prior), (prior, item_id)):
            found = api.manager("RXA").get(f"/items/{one}/priors", params={"ask": True}).json()
            assert [each["item_id"] for each in found["priors"]] == [other]
            (asked,) = found["asked"]
            assert [study["accession_number"] for study in asked["studies"]] == ["A0008", "A0009"]
            assert (asked["why"], asked["whole"]) == (None, True)


def test_only_the_trust_s_own_pacs_are_asked_and_one_that_is_away_says_so(api: Served) -> None:
    item_id = arrive(api.database, patient=AT_PACS)
    for ae_title in ("PACS_A", "PACS_B"):
        configure(api, ae_title, query=stated(QueryAddress(ae_title, "127.0.0.1", free_port(), "QR")))
    found = api.manager("RXA").get(f"/items/{item_id}/priors", params={"ask": True}).json()
    assert [(one["source"], one["why"], one["studies"]) for one in found["asked"]] == [("PACS_A", "no-connection", [])]


@pytest.mark.parametrize("identifier", [None, "P*"])
def test_a_patient_who_cannot_be_asked_about_is_told_from_one_without_priors(
    api: Served, identifier: str | None
) -> None:
    item_id = arrive(api.database, patient=PatientAsSent(identifier=identifier, family_name="Probe"))
    configure(api, "PACS_A", query=stated(QueryAddress("PACS_A", "127.0.0.1", free_port(), "QR")))
    (asked,) = api.manager("RXA").get(f"/items/{item_id}/priors", params={"ask": True}).json()["asked"]
    assert asked["why"] == "no-identifier"


def test_every_prior_that_was_shown_is_in_the_audit(api: Served) -> None:
    prior, item_id = arrive(api.database, ended_at=NOW - timedelta(days=3)), arrive(api.database)
    api.manager("RXA").get(f"/items/{item_id}/priors")
    assert read_of(api) == ([item_id, prior], '{"asked":[]}')


def read_of(api: Served) -> tuple[list[int], Any]:
    """Give the one entry of the audit that tells of priors."""
    with api.database.owner.connect() as connection:
        row = connection.execute(text("SELECT items, payload FROM audit.entry WHERE action = 'priors read'")).one()
        return row.items, row.payload
