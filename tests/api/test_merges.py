"""The history of an item's patient by HTTP, who may read it, and who may end a merge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from api.permissions import Role
from api.schemas.merges import Merges
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import claim
from tests.api.test_description import assert_exactly
from tests.builders import arrive
from tests.worklist.arrivals import an_order
from tests.worklist.patients.persons import merge, patient, tell, update, whose
from worklist.patients.merging import Kind


def merged(api: Served) -> int:
    """An item of the retired patient, after the merge."""
    item_id = arrive(api.database, accession="000123", patient=patient("H100"))
    tell(api.database.app, merge(10, "H100", "H200"))
    return item_id


def test_the_history_tells_who_was_merged_by_whom_and_when_and_what_became_of_it(api: Served) -> None:
    item_id = merged(api)
    pacs = api.as_(Role.PACS_MANAGER, trust="RXA")
    found = pacs.get(f"/items/{item_id}/merges").json()
    assert_exactly(Merges, found)
    [one] = found["merges"]
    assert {name: value for name, value in one.items() if name not in ("id", "recorded_at")} == {
        "kind": "merge",
        "retired_identifier": "H100",
        "retired_issuer": "RXA",
        "surviving_identifier": "H200",
        "surviving_issuer": "RXA",
        "said_at": "2026-06-10T09:10:00Z",
        "stated_by": "ris:RIS_A",
        "message_id": "A10",
        "standing": True,
        "unmerged_at": None,
        "unmerged_by": None,
    }
    assert pacs.post(f"/merges/{one['id']}/unmerge", json={"note": "two people"}).json() == {"merge_id": one["id"]}
    [ended] = pacs.get(f"/items/{item_id}/merges").json()["merges"]
    assert (ended["id"], ended["standing"], ended["unmerged_by"]) == (one["id"], False, "pacs_manager-RXA")
    assert TypeAdapter(datetime).validate_python(ended["unmerged_at"]) >= datetime(2026, 6, 10, 10, tzinfo=UTC)


def test_an_unmerge_gives_the_item_back_and_is_audited(api: Served) -> None:
    item_id = merged(api)
    coordinator = api.as_(Role.COORDINATOR, trust="RXA")
    assert coordinator.get(f"/items/{item_id}").json()["patient"]["identifier"] == "H200"
    answered = coordinator.post(f"/merges/{merge_id(api)}/unmerge", json={})
    assert answered.status_code == 200
    assert coordinator.get(f"/items/{item_id}").json()["patient"]["identifier"] == "H100"
    assert audited(api, "patient unmerge") == [("coordinator-RXA", [item_id])]


def test_the_history_is_read_by_those_who_look_after_the_trusts_patients_and_each_reading_is_audited(
    api: Served,
) -> None:
    item_id = merged(api)
    for role in (Role.TRUST_MANAGER, Role.SUPERVISOR, Role.CLINICAL_LEAD, Role.PACS_MANAGER, Role.COORDINATOR):
        assert api.as_(role, trust="RXA").get(f"/items/{item_id}/merges").status_code == 200
    assert len(audited(api, "merges read")) == 5
    assert_problem(api.manager("RXB").get(f"/items/{item_id}/merges"), 404, "unknown-item")
    wide = api.as_(Role.PACS_MANAGER)
    assert_problem(wide.get(f"/items/{item_id}/merges"), 403, "not-permitted")
    claim(api, "reed", item_id=item_id)
    assert_problem(api.reporter("reed").get(f"/items/{item_id}/merges"), 403, "not-permitted")
    assert len(audited(api, "merges read")) == 5


def test_a_reporter_who_holds_an_item_of_a_retired_patient_is_shown_the_surviving_one(api: Served) -> None:
    item_id = merged(api)
    tell(api.database.app, update(11, patient("H200", family_name="Survivor")))
    held = claim(api, "reed", item_id=item_id)
    assert (held["item"]["patient"]["identifier"], held["item"]["patient"]["family_name"]) == ("H200", "Survivor")
    assert [one["kind"] for one in held["item"]["exceptions"]] == ["patient-stated-otherwise"]


@pytest.mark.parametrize("role", [Role.TRUST_MANAGER, Role.CLINICAL_LEAD, Role.SUPERVISOR, Role.ADMINISTRATOR])
def test_a_merge_is_ended_by_the_pacs_manager_or_coordinator_of_the_trust_and_by_nobody_else(
    api: Served, role: Role
) -> None:
    merged(api)
    path = f"/merges/{merge_id(api)}/unmerge"
    assert_problem(api.as_(role, trust="RXA").post(path, json={}), 403, "not-permitted")
    assert_problem(api.as_(Role.PACS_MANAGER, trust="RXB").post(path, json={}), 404, "unknown-merge")
    assert_problem(api.as_(Role.PACS_MANAGER).post(path, json={}), 404, "unknown-merge")
    assert whose(api.database.owner) == {"000123": "H200"}


def test_a_merge_is_ended_once_and_a_repeated_request_is_answered_alike(api: Served) -> None:
    merged(api)
    pacs, path = api.as_(Role.PACS_MANAGER, trust="RXA"), f"/merges/{merge_id(api)}/unmerge"
    first = pacs.post(path, json={}, headers={"Idempotency-Key": "k"})
    again = pacs.post(path, json={}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.json()) == (200, first.json())
    assert_problem(pacs.post(path, json={}), 409, "not-standing")


def test_an_item_shows_whether_its_patients_nhs_number_was_verified(api: Served) -> None:
    item_id = arrive(api.database, patient=replace(patient("H100"), nhs_number="9990000018"))
    assert nhs_number_status(api, item_id) == "present-untraced"
    tell(api.database.app, update(0, replace(patient("H100"), nhs_number="9990000018", nhs_number_trace="01")))
    assert nhs_number_status(api, item_id) == "verified"


def test_the_history_of_a_chain_is_told_whole(api: Served) -> None:
    item_id = merged(api)
    tell(api.database.app, merge(20, "H200", "H300", Kind.CHANGE), an_order(accession_number="9"))
    found = api.manager("RXA").get(f"/items/{item_id}/merges").json()["merges"]
    told = [(one["kind"], one["retired_identifier"], one["surviving_identifier"]) for one in found]
    assert told == [("change", "H200", "H300"), ("merge", "H100", "H200")]


def nhs_number_status(api: Served, item_id: int) -> str:
    return str(api.manager("RXA").get(f"/items/{item_id}").json()["patient"]["nhs_number_status"])


def merge_id(api: Served) -> int:
    return api.database.count("SELECT max(id) FROM patient_merge WHERE standing")


def audited(api: Served, action: str) -> list[tuple[str, list[int]]]:
    with api.database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT actor, items FROM audit.entry WHERE action = :action ORDER BY at"), {"action": action}
        )
        return [(row.actor, row.items) for row in rows]
