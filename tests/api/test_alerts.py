"""Alerts by HTTP: who sees which, and who acknowledges."""

from __future__ import annotations

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
