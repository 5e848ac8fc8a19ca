"""Exclusion flags by HTTP: what is not known is shown to whoever may clear it, and clearing it is one step."""

from __future__ import annotations

from typing import Any

import pytest

from api.permissions import Role
from tests.allocation.configuration.applying import apply_text
from tests.allocation.flagged import LIMITED
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.api.test_life import post
from tests.builders import arrive

CLEARED: dict[str, Any] = {"flags": {"major_trauma": "no", "post_operative": "no"}, "note": "Zephyrwood"}
NOT_KNOWN = [
    {"flag": "major_trauma", "state": "unknown", "by": None},
    {"flag": "post_operative", "state": "unknown", "by": None},
]


@pytest.fixture
def limited(api: Served) -> Served:
    apply_text(api.database, LIMITED)
    return api


def verdict_of(api: Served, item_id: int, reporter: str) -> dict[str, Any]:
    found = api.manager("RXA").get(f"/items/{item_id}/eligibility").json()
    return next(one for one in found["reporters"] if one["reporter"] == reporter)


def test_what_is_not_known_is_shown_and_what_clearing_it_would_open(limited: Served) -> None:
    item_id = arrive(limited.database)
    lead = limited.as_(Role.CLINICAL_LEAD, trust="RXA")
    assert lead.get(f"/items/{item_id}").json()["flags"] == NOT_KNOWN
    assert lead.get(f"/items/{item_id}/eligibility").json()["unknown_flags"] == ["major_trauma", "post_operative"]
    told = verdict_of(limited, item_id, "hart")
    assert (told["eligible"], told["eligible_once_flags_are_cleared"]) == (False, True)
    assert any("whether it is so is not known" in one["detail"] for one in told["reasons"])
    told = verdict_of(limited, item_id, "cole")
    assert (told["eligible"], told["eligible_once_flags_are_cleared"]) == (False, False)


def test_clearing_is_one_step_and_opens_the_item_at_once(limited: Served) -> None:
    item_id = arrive(limited.database)
    assert limited.reporter("hart").post("/claims", json={}).status_code == 204
    answered = post(limited, Role.CLINICAL_LEAD, f"/items/{item_id}/flags", **CLEARED)
    assert answered.status_code == 200, answered.text
    assert [(one["state"], one["by"]) for one in answered.json()["flags"]] == [("no", "person")] * 2
    assert "Zephyrwood" not in answered.text
    assert claim(limited, "hart")["item"]["id"] == item_id
    acts = limited.as_(Role.CLINICAL_LEAD, trust="RXA").get(f"/items/{item_id}/acts").json()["acts"]
    assert [(one["act"], one["note"], one["detail"]) for one in acts] == [
        ("state-flags", "Zephyrwood", CLEARED["flags"])
    ]


def test_a_reporter_says_so_of_what_they_may_report_as_it_stands(limited: Served) -> None:
    item_id = arrive(limited.database)
    assert_problem(limited.reporter("hart").post(f"/items/{item_id}/flags", json=CLEARED), 404, "unknown-item")
    held = claim(limited, "reed")
    assert limited.reporter("reed").post(f"/items/{item_id}/flags", json=CLEARED).status_code == 200
    assert act(limited, "reed", held, "release").status_code == 204
    assert limited.reporter("hart").get(f"/items/{item_id}").status_code == 200


def test_who_does_not_see_the_request_clears_nothing(limited: Served) -> None:
    item_id = arrive(limited.database)
    for who in (limited.as_(Role.CLINICAL_LEAD), limited.reporter("reed")):
        told = assert_problem(who.post(f"/items/{item_id}/flags", json=CLEARED), 403, "not-permitted")
        assert "you do not see its request" in told["detail"]
    assert claim_is_refused(limited, item_id)


def claim_is_refused(api: Served, item_id: int) -> bool:
    return api.reporter("hart").post("/claims", json={"item_id": item_id}).status_code == 403


def test_who_sees_abuse_in_the_request_closes_the_item_in_one_step(limited: Served) -> None:
    item_id = arrive(limited.database)
    post(limited, Role.CLINICAL_LEAD, f"/items/{item_id}/flags", **CLEARED)
    so = {"flags": {"major_trauma": "yes"}}
    claim(limited, "hart")
    assert limited.reporter("hart").post(f"/items/{item_id}/flags", json=so).status_code == 200
    assert limited.reporter("hart").post("/claims", json={}).status_code == 204
    refused = limited.reporter("hart").post("/claims", json={"item_id": item_id})
    assert "it excludes major_trauma" in assert_problem(refused, 403, "not-eligible")["detail"]


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.PACS_MANAGER, Role.TRUST_MANAGER])
def test_who_decides_nothing_clinical_clears_nothing(limited: Served, role: Role) -> None:
    item_id = arrive(limited.database)
    assert_problem(post(limited, role, f"/items/{item_id}/flags", **CLEARED), 403, "not-permitted")


def test_another_trust_s_item_is_not_there(limited: Served) -> None:
    item_id = arrive(limited.database)
    answered = post(limited, Role.CLINICAL_LEAD, f"/items/{item_id}/flags", trust="RXB", **CLEARED)
    assert_problem(answered, 404, "unknown-item")


@pytest.mark.parametrize(
    ("flags", "kind"),
    [({"novel": "no"}, "unknown-flag"), ({"major_trauma": "maybe"}, "invalid-request"), ({}, "invalid-request")],
)
def test_what_cannot_be_said_is_refused(limited: Served, flags: dict[str, str], kind: str) -> None:
    item_id = arrive(limited.database)
    assert_problem(post(limited, Role.CLINICAL_LEAD, f"/items/{item_id}/flags", flags=flags), 422, kind)


def test_what_waits_behind_an_unknown_flag_is_counted_and_listed(limited: Served) -> None:
    hand, chest = arrive(limited.database), arrive(limited.database, exam="XCHES")
    arrive(limited.database, trust="RXB")
    lead = limited.as_(Role.CLINICAL_LEAD, trust="RXA")
    counted = lead.get("/flags/unknown").json()["flags"]
    assert [(one["trust"], one["flag"], one["items"], one["minutes"]) for one in counted] == [
        ("RXA", "major_trauma", 1, 1.5),
        ("RXA", "post_operative", 1, 1.5),
    ]
    assert_problem(lead.get("/flags/unknown?trust=RXB"), 404, "not-found")
    network = limited.as_(Role.CLINICAL_LEAD)
    assert {one["trust"] for one in network.get("/flags/unknown").json()["flags"]} == {"RXA", "RXB"}
    listed = lead.get("/worklist?unknown_flag=major_trauma").json()["items"]
    assert [one["id"] for one in listed] == [hand]
    mine = limited.reporter("reed").get("/worklist?unknown_flag=major_trauma").json()["items"]
    assert {one["trust"] for one in mine} == {"RXA", "RXB"}
    assert chest not in [one["id"] for one in mine]
