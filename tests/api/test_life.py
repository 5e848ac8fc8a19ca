"""What people do with an item by HTTP: who may, what it answers, whose it must be."""

from __future__ import annotations

from typing import Any

import pytest

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive

HOLD = {"reason": "awaiting-priors", "note": "Zephyrwood"}


def post(api: Served, role: Role, path: str, *, trust: str | None = "RXA", **body: Any) -> Any:
    return api.as_(role, trust=trust).post(path, json=body)


@pytest.mark.parametrize(
    ("role", "there", "state", "back"),
    [
        (Role.COORDINATOR, "hold", "on_hold", "release"),
        (Role.CLINICAL_LEAD, "return-to-site", "returned", "corrected"),
        (Role.TRUST_MANAGER, "outsource", "outsourced", "take-back"),
    ],
)
def test_an_item_goes_there_and_back(api: Served, role: Role, there: str, state: str, back: str) -> None:
    item_id = arrive(api.database)
    answered = post(api, role, f"/items/{item_id}/{there}", reason="other", note="Zephyrwood")
    assert answered.status_code == 200, answered.text
    assert (answered.json()["state"], answered.json()["state_reason"]) == (state, "other")
    assert "Zephyrwood" not in answered.text
    returned = post(api, role, f"/items/{item_id}/{back}").json()
    assert (returned["state"], returned["state_reason"]) == ("ready", None)
    assert_problem(post(api, role, f"/items/{item_id}/{back}"), 409, "forbidden-move")


@pytest.mark.parametrize("path", ["hold", "return-to-site", "cancel", "recall", "priority"])
def test_another_trust_s_item_is_not_there(api: Served, path: str) -> None:
    item_id = arrive(api.database)
    body = {"reason": "other"} | ({"urgency": "stroke"} if path == "priority" else {})
    elsewhere = post(api, Role.CLINICAL_LEAD, f"/items/{item_id}/{path}", trust="RXB", **body)
    assert_problem(elsewhere, 404, "unknown-item")


def test_a_reporter_returns_what_they_hold_and_nothing_else(api: Served) -> None:
    item_id = arrive(api.database)
    reed = api.reporter("reed")
    body = {"reason": "wrong-patient"}
    assert_problem(reed.post(f"/items/{item_id}/return-to-site", json=body), 404, "unknown-item")
    held = claim(api, "reed")
    assert reed.post(f"/items/{item_id}/return-to-site", json=body).status_code == 200
    told = assert_problem(act(api, "reed", held, "renew"), 409, "claim-superseded")
    assert "wrong-patient" in told["detail"]


def test_a_reporter_recalls_what_they_reported_and_a_lead_what_anyone_did(api: Served) -> None:
    item_id = arrive(api.database)
    act(api, "reed", claim(api, "reed"), "report", status="verified", text="words")
    body = {"reason": "error-in-report"}
    assert_problem(api.reporter("hart").post(f"/items/{item_id}/recall", json=body), 404, "unknown-item")
    answered = api.reporter("reed").post(f"/items/{item_id}/recall", json=body)
    assert (answered.status_code, answered.json()["state"]) == (200, "recalled")
    held = claim(api, "reed")
    assert held["purpose"] == "amendment"
    assert act(api, "reed", held, "report", status="verified", text="better words").status_code == 200
    assert post(api, Role.CLINICAL_LEAD, f"/items/{item_id}/recall", **body).json()["state"] == "recalled"


def test_a_priority_changes_the_due_time_and_the_same_again_is_409(api: Served) -> None:
    item_id = arrive(api.database)
    before = api.manager("RXA").get(f"/items/{item_id}").json()
    body = {"reason": "clinical-request", "urgency": "stroke"}
    after = post(api, Role.COORDINATOR, f"/items/{item_id}/priority", **body).json()
    assert (after["urgency"], after["clock_start_at"]) == ("stroke", before["clock_start_at"])
    assert_problem(post(api, Role.COORDINATOR, f"/items/{item_id}/priority", **body), 409, "priority-stands")


def test_a_reporter_changes_the_priority_of_what_they_hold(api: Served) -> None:
    item_id = arrive(api.database)
    body = {"reason": "clinical-request", "urgency": "stroke"}
    reed = api.reporter("reed")
    assert_problem(reed.post(f"/items/{item_id}/priority", json=body), 404, "unknown-item")
    claim(api, "reed")
    assert reed.post(f"/items/{item_id}/priority", json=body).status_code == 200


def test_a_reason_comes_from_the_list_and_the_list_is_told(api: Served) -> None:
    item_id = arrive(api.database)
    told = assert_problem(post(api, Role.COORDINATOR, f"/items/{item_id}/hold", reason="whim"), 422, "unknown-reason")
    reasons = api.reporter("reed").get("/reasons").json()["reasons"]
    assert set(reasons) == {"hold", "return-to-site", "recall", "outsource", "cancel", "change-priority"}
    assert all(one in told["detail"] for one in reasons["hold"])
    assert_problem(post(api, Role.COORDINATOR, f"/items/{item_id}/hold", reason="Zephyr 9"), 422, "invalid-request")


def test_without_an_accession_number_it_is_not_offered(api: Served) -> None:
    item_id = arrive(api.database, accession=None)
    assert_problem(post(api, Role.COORDINATOR, f"/items/{item_id}/release"), 409, "accession-missing")


def test_the_same_act_under_one_key_is_done_once(api: Served) -> None:
    item_id = arrive(api.database)
    client, headers = api.as_(Role.COORDINATOR, trust="RXA"), {"Idempotency-Key": "k"}
    first = client.post(f"/items/{item_id}/hold", json=HOLD, headers=headers)
    again = client.post(f"/items/{item_id}/hold", json=HOLD, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert api.database.count("SELECT count(*) FROM item_act") == 1


def test_what_a_check_changed_is_stated_with_the_report_or_after_it(api: Served) -> None:
    item_id = arrive(api.database)
    draft = {"status": "preliminary", "text": "words"}
    trainee = claim(api, "tran")
    told = assert_problem(act(api, "tran", trainee, "report", **draft, discrepancy="none"), 422, "invalid-request")
    assert "discrepancy" in told["detail"]
    assert act(api, "tran", trainee, "report", **draft).json()["discrepancy"] is None
    answered = act(api, "reed", claim(api, "reed"), "report", status="verified", text="others", discrepancy="minor")
    assert answered.json()["discrepancy"] == "minor"
    path, body = f"/items/{item_id}/discrepancy", {"discrepancy": "material"}
    assert_problem(api.reporter("hart").post(path, json=body), 404, "unknown-item")
    assert_problem(api.as_(Role.CLINICAL_LEAD, trust="RXB").post(path, json=body), 404, "unknown-item")
    assert api.reporter("reed").post(path, json=body).status_code == 200
    assert_problem(post(api, Role.SUPERVISOR, path, **body), 409, "discrepancy-stands")
    [alert] = api.manager("RXA").get("/alerts").json()["alerts"]
    assert (alert["kind"], alert["item_id"]) == ("material-change", item_id)


def test_without_a_report_that_went_out_nothing_was_changed(api: Served) -> None:
    item_id = arrive(api.database)
    held = claim(api, "reed")
    first = act(api, "reed", held, "report", status="verified", text="words", discrepancy="none")
    assert_problem(first, 422, "nothing-went-out")
    assert act(api, "reed", held, "report", status="verified", text="words").status_code == 200
    stated = post(api, Role.SUPERVISOR, f"/items/{item_id}/discrepancy", discrepancy="none")
    assert_problem(stated, 422, "nothing-went-out")
