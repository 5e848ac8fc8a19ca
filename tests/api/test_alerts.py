"""Alerts by HTTP: who sees which, and who acknowledges."""

from __future__ import annotations

from sqlalchemy import text

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive


def raised(api: Served) -> int:
    arrive(api.database)
    held = claim(api, "reed")
    assert act(api, "reed", held, "report", status="verified", text="words", alerts=["critical"]).status_code == 200
    [only] = api.as_(Role.COORDINATOR).get("/alerts").json()["alerts"]
    return int(only["id"])


def test_alerts_are_listed_to_their_trust_and_to_the_network_and_reading_them_is_audited(api: Served) -> None:
    raised(api)
    assert len(api.manager("RXA").get("/alerts").json()["alerts"]) == 1
    assert api.manager("RXB").get("/alerts").json()["alerts"] == []
    read = "SELECT count(*) FROM audit.entry WHERE action = 'alerts read' AND items <> '{}'"
    assert api.database.count(read) == 2


def test_who_asked_is_named_to_those_who_may_see_the_patient(api: Served) -> None:
    raised(api)
    with api.database.owner.begin() as connection:
        connection.execute(_ORDERED)
    [own] = api.manager("RXA").get("/alerts").json()["alerts"]
    [of_network] = api.as_(Role.COORDINATOR).get("/alerts").json()["alerts"]
    assert (own["requester"], own["call_back"]) == ("Dr Zephyrwood", "bleep 77")
    assert (of_network["requester"], of_network["call_back"]) == (None, None)


def test_an_alert_of_a_recalled_report_says_so_and_one_that_was_settled_is_not_acknowledged(api: Served) -> None:
    alert_id = raised(api)
    lead, path = api.as_(Role.CLINICAL_LEAD, trust="RXA"), f"/alerts/{alert_id}/acknowledge"
    [found] = lead.get("/alerts").json()["alerts"]
    assert lead.post(f"/items/{found['item_id']}/recall", json={"reason": "other"}).status_code == 200
    [found] = lead.get("/alerts").json()["alerts"]
    assert found["report_recalled_at"] is not None
    held = claim(api, "reed")
    answered = act(api, "reed", held, "report", status="verified", text="better words").json()
    assert lead.get("/alerts").json()["alerts"] == []
    [found] = lead.get("/alerts", params={"acknowledged": True}).json()["alerts"]
    assert found["settled_by_report_id"] == answered["report_id"]
    assert_problem(lead.post(path, json={"note": "told"}), 409, "alert-settled")


def test_an_alert_is_acknowledged_once_with_words_that_nobody_is_told(api: Served) -> None:
    alert_id = raised(api)
    cora = api.as_(Role.COORDINATOR, trust="RXA")
    path, body = f"/alerts/{alert_id}/acknowledge", {"note": "Dr Zephyrwood was told"}
    assert_problem(cora.post(path, json={"note": " "}), 422, "invalid-request")
    assert_problem(api.as_(Role.COORDINATOR, trust="RXB").post(path, json=body), 404, "unknown-alert")
    assert cora.post(path, json=body).status_code == 204
    assert_problem(cora.post(path, json=body), 409, "alert-acknowledged")
    assert cora.get("/alerts").json()["alerts"] == []
    answered = cora.get("/alerts", params={"acknowledged": True})
    assert [row["acknowledged_by"] is not None for row in answered.json()["alerts"]] == [True]
    assert "Zephyrwood" not in answered.text


_ORDERED = text(
    "INSERT INTO item_order (item_id, trust_ods, patient_id, control, requester, call_back, message_at, stated)"
    " SELECT id, trust_ods, patient_id, 'new', 'Dr Zephyrwood', 'bleep 77', radpool_now(), '{}' FROM item"
)
