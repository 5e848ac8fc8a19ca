"""Suspension by HTTP: who may, what it takes back, and what a suspended reporter is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive

CONCERN = {"reason": "concern"}


def lead(api: Served) -> httpx.Client:
    return api.as_(Role.CLINICAL_LEAD)


def grant_of(api: Served, reporter: str, scope: str) -> int:
    found = lead(api).get("/grants").json()["grants"]
    return next(int(one["id"]) for one in found if (one["reporter"], one["scope"]) == (reporter, scope))


def test_a_suspended_reporter_loses_what_they_hold_and_is_told_why(api: Served) -> None:
    item = arrive(api.database)
    held = claim(api, "hart")
    answered = lead(api).post("/reporters/hart/suspend", json=CONCERN)
    assert (answered.status_code, answered.json()) == (200, {"items": [item]})
    told = assert_problem(act(api, "hart", held, "renew"), 409, "claim-superseded")
    assert "you may not report it any more: suspended" in told["detail"]
    assert_problem(act(api, "hart", held, "report", status="verified", text="words"), 409, "claim-superseded")
    assert_problem(api.reporter("hart").post("/claims", json={}), 403, "not-eligible")
    assert api.reporter("hart").get("/worklist").json()["items"] == []
    assert claim(api, "reed")["item"]["id"] == item
    found = lead(api).get("/reporters").json()["reporters"]
    assert [one["id"] for one in found if one["suspended_at"] is not None] == ["hart"]


def test_a_resumed_reporter_goes_on(api: Served) -> None:
    item = arrive(api.database)
    lead(api).post("/reporters/hart/suspend", json=CONCERN)
    assert lead(api).post("/reporters/hart/resume").status_code == 204
    assert claim(api, "hart")["item"]["id"] == item


def test_one_scope_is_suspended_and_resumed(api: Served) -> None:
    item = arrive(api.database)
    claim(api, "hart")
    grant = grant_of(api, "hart", "msk-xr")
    assert lead(api).post(f"/grants/{grant}/suspend", json=CONCERN).json() == {"items": [item]}
    assert_problem(lead(api).post(f"/grants/{grant}/suspend", json=CONCERN), 409, "suspension-stands")
    refused = api.reporter("hart").post("/claims", json={"item_id": item})
    assert "the grant is suspended" in assert_problem(refused, 403, "not-eligible")["detail"]
    assert lead(api).post(f"/grants/{grant}/resume").status_code == 204
    assert_problem(lead(api).post(f"/grants/{grant}/resume"), 409, "suspension-stands")
    assert claim(api, "hart")["item"]["id"] == item


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/reporters/nobody/suspend", CONCERN, 404, "unknown-reporter"),
        ("/grants/987654/suspend", CONCERN, 404, "unknown-grant"),
        ("/reporters/hart/resume", None, 409, "suspension-stands"),
        ("/reporters/hart/suspend", {"reason": "whim"}, 422, "invalid-request"),
        ("/reporters/hart/suspend", {}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_suspended(api: Served, path: str, body: Any, status: int, kind: str) -> None:
    assert_problem(lead(api).post(path, json=body), status, kind)


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMINISTRATOR, Role.NETWORK_MANAGER])
def test_only_a_clinical_lead_suspends(api: Served, role: Role) -> None:
    assert_problem(api.as_(role).post("/reporters/hart/suspend", json=CONCERN), 403, "not-permitted")


def test_a_trust_s_own_lead_suspends_nobody_of_the_network(api: Served) -> None:
    own = api.as_(Role.CLINICAL_LEAD, trust="RXA")
    assert_problem(own.post("/reporters/hart/suspend", json=CONCERN), 403, "not-permitted")


def test_the_same_act_under_one_key_is_done_once(api: Served) -> None:
    headers = {"Idempotency-Key": "k"}
    first = lead(api).post("/reporters/hart/suspend", json=CONCERN, headers=headers)
    again = lead(api).post("/reporters/hart/suspend", json=CONCERN, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    with api.database.owner.connect() as connection:
        kinds = connection.scalars(text("SELECT kind FROM event WHERE kind LIKE 'reporter.%'")).all()
    assert kinds == ["reporter.suspended"]
