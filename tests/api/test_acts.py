"""What people did with an item, by HTTP: to those who may see it, with the notes for those who see the patient."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from api.permissions import Role
from api.schemas.life import ItemActs
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.api.test_description import assert_exactly
from tests.api.test_life import HOLD, post
from tests.builders import arrive


def acts(client: Any, item_id: int) -> list[dict[str, Any]]:
    answered = client.get(f"/items/{item_id}/acts")
    assert answered.status_code == 200, answered.text
    assert_exactly(ItemActs, answered.json())
    found: list[dict[str, Any]] = answered.json()["acts"]
    return found


def done(api: Served) -> int:
    """Hold an item, offer it again, make it urgent, outsource it and take it back; gives the item."""
    item_id = arrive(api.database)
    body = {"reason": "clinical-request", "urgency": "stroke", "note": "rang"}
    post(api, Role.COORDINATOR, f"/items/{item_id}/hold", **HOLD)
    post(api, Role.COORDINATOR, f"/items/{item_id}/release")
    post(api, Role.CLINICAL_LEAD, f"/items/{item_id}/priority", **body)
    post(api, Role.TRUST_MANAGER, f"/items/{item_id}/outsource", reason="backlog")
    post(api, Role.TRUST_MANAGER, f"/items/{item_id}/take-back")
    return item_id


def test_each_act_is_told_in_order_with_who_and_why(api: Served) -> None:
    found = acts(api.manager("RXA"), done(api))
    assert [(one["act"], one["by"], one["reason"], one["note"]) for one in found] == [
        ("hold", "coordinator-RXA", "awaiting-priors", "Zephyrwood"),
        ("release", "coordinator-RXA", None, None),
        ("change-priority", "clinical_lead-RXA", "clinical-request", "rang"),
        ("outsource", "trust_manager-RXA", "backlog", None),
        ("take back", "trust_manager-RXA", None, None),
    ]
    assert [one["detail"] for one in found] == [None, None, {"urgency": "stroke", "was": "routine"}, None, None]


def test_who_looks_after_the_network_is_told_the_acts_without_the_notes(api: Served) -> None:
    item_id = done(api)
    answered = acts(api.as_(Role.NETWORK_MANAGER), item_id)
    assert answered[0]["act"] == "hold"
    assert {one["note"] for one in answered} == {None}


def test_another_trust_s_item_is_not_there_and_a_reporter_sees_what_they_hold(api: Served) -> None:
    item_id = done(api)
    assert_problem(api.manager("RXB").get(f"/items/{item_id}/acts"), 404, "unknown-item")
    assert_problem(api.reporter("cole").get(f"/items/{item_id}/acts"), 404, "unknown-item")
    claim(api, "hart", item_id=item_id)
    assert acts(api.reporter("hart"), item_id)[0]["note"] == "Zephyrwood"


def test_recalls_statements_acknowledgements_and_completions_are_among_them(api: Served) -> None:
    item_id = arrive(api.database)
    act(api, "reed", claim(api, "reed"), "report", status="verified", text="words", alerts=["critical"])
    [alert] = api.manager("RXA").get("/alerts").json()["alerts"]
    post(api, Role.COORDINATOR, f"/alerts/{alert['id']}/acknowledge", note="told")
    post(api, Role.CLINICAL_LEAD, f"/items/{item_id}/recall", reason="wrong-side")
    act(api, "reed", claim(api, "reed"), "report", status="verified", text="better words")
    post(api, Role.SUPERVISOR, f"/items/{item_id}/discrepancy", discrepancy="material")
    found = acts(api.manager("RXA"), item_id)
    assert [(one["act"], one["reason"]) for one in found] == [
        ("acknowledge alert", "critical"),
        ("recall", "wrong-side"),
        ("state discrepancy", "material"),
    ]


def test_reading_the_acts_is_audited(api: Served) -> None:
    item_id = done(api)
    acts(api.manager("RXA"), item_id)
    acts(api.as_(Role.NETWORK_MANAGER), item_id)
    with api.database.owner.connect() as connection:
        read = connection.execute(text("SELECT items, payload FROM audit.entry WHERE action = 'acts read'")).all()
    assert {_plain(row) for row in read} == {
        ((item_id,), '{"acts":5,"notes":true}'),
        ((item_id,), '{"acts":5,"notes":false}'),
    }


def _plain(row: Any) -> tuple[tuple[int, ...], str]:
    return tuple(row.items), row.payload
