"""A claim by HTTP from taking to reporting: its answers, its refusals, and what each leaves behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.api.serving import LEASE_SECONDS, Served, assert_problem
from tests.builders import arrive
from tests.conftest import NOW


def test_a_claim_answers_with_the_item_a_token_a_lease_and_why(api: Served) -> None:
    item_id = arrive(api.database, accession="00042")
    answered = api.reporter("hart").post("/claims", json={})
    held = answered.json()
    assert answered.status_code == 201
    assert held["item"]["id"] == item_id
    assert held["item"]["accession_number"] == "00042"
    assert (held["purpose"], held["level"], held["session_id"]) == ("first", "autonomous", None)
    assert held["token"] == 1
    lease = datetime.fromisoformat(held["expires_at"]) - NOW
    assert timedelta(seconds=LEASE_SECONDS) <= lease < timedelta(seconds=LEASE_SECONDS + 30)
    assert held["why"][0] == "the most urgent that you may report"


def test_the_most_urgent_is_handed_out_first(api: Served) -> None:
    routine = arrive(api.database, service="General Practice")
    emergency = arrive(api.database, service="Emergency Department")
    assert [claim(api, "hart")["item"]["id"] for _ in range(2)] == [emergency, routine]


def test_nothing_eligible_is_204_without_a_body(api: Served) -> None:
    arrive(api.database, exam="CHEAD")  # not for a reporter of hands and knees
    answered = api.reporter("hart").post("/claims", json={})
    assert (answered.status_code, answered.content) == (204, b"")


def test_an_item_out_of_scope_is_403_with_the_reasons(api: Served) -> None:
    item_id = arrive(api.database, exam="CHEAD")
    found = assert_problem(api.reporter("hart").post("/claims", json={"item_id": item_id}), 403, "not-eligible")
    assert {"condition": "scope", "detail": "CHEAD: no scope of theirs covers it"} in found["reasons"]
    assert all(set(reason) == {"condition", "detail"} for reason in found["reasons"])


def test_an_item_that_a_colleague_has_is_409(api: Served) -> None:
    item_id = arrive(api.database)
    claim(api, "hart")
    assert_problem(api.reporter("reed").post("/claims", json={"item_id": item_id}), 409, "not-free")


def test_an_item_that_is_not_there_is_404(api: Served) -> None:
    assert_problem(api.reporter("hart").post("/claims", json={"item_id": 987654321}), 404, "unknown-item")


@pytest.mark.parametrize("session", ["nobodys", "reed-planned"])
def test_a_session_that_is_not_ones_own_is_refused(api: Served, session: str) -> None:
    arrive(api.database)
    assert_problem(api.reporter("hart").post("/claims", json={"session_id": session}), 422, "unknown-session")


def test_a_claim_in_a_session_names_it(api: Served) -> None:
    arrive(api.database)
    assert claim(api, "hart", session_id="hart-insourced")["session_id"] == "hart-insourced"


def test_a_suspended_reporter_is_told_so(api: Served) -> None:
    arrive(api.database)
    run(api, "UPDATE reporter SET suspended_at = radpool_now() WHERE code = 'hart'")
    found = assert_problem(api.reporter("hart").post("/claims", json={}), 403, "not-eligible")
    assert found["detail"] == "suspended"


def test_a_renewed_lease_runs_from_now(api: Served) -> None:
    arrive(api.database)
    held = claim(api, "hart")
    run(api, "UPDATE test_clock SET moved_by = moved_by + interval '10 minutes'")
    answered = act(api, "hart", held, "renew")
    assert answered.status_code == 200
    longer = datetime.fromisoformat(answered.json()["expires_at"]) - datetime.fromisoformat(held["expires_at"])
    assert timedelta(minutes=10) <= longer < timedelta(minutes=10, seconds=30)


@pytest.mark.parametrize(
    ("name", "body"), [("release", {}), ("skip", {"reason": "no-time"}), ("refer", {"note": "please look"})]
)
def test_what_is_given_back_is_free_for_others_at_once(api: Served, name: str, body: dict[str, str]) -> None:
    item_id = arrive(api.database)
    answered = act(api, "hart", claim(api, "hart"), name, **body)
    assert (answered.status_code, answered.content) == (204, b"")
    assert claim(api, "reed")["item"]["id"] == item_id


@pytest.mark.parametrize(("name", "body"), [("skip", {"reason": "no-time"}), ("refer", {})])
def test_what_was_declined_is_not_handed_to_the_same_reporter_again(api: Served, name: str, body: Any) -> None:
    arrive(api.database)
    act(api, "hart", claim(api, "hart"), name, **body)
    assert api.reporter("hart").post("/claims", json={}).status_code == 204


def test_what_was_released_may_be_taken_again(api: Served) -> None:
    item_id = arrive(api.database)
    act(api, "hart", claim(api, "hart"), "release")
    assert claim(api, "hart")["item"]["id"] == item_id


def test_a_skip_needs_a_reason_of_the_list(api: Served) -> None:
    arrive(api.database)
    held = claim(api, "hart")
    for body in ({}, {"reason": "boring"}):
        found = assert_problem(act(api, "hart", held, "skip", **body), 422, "invalid-request")
        assert found["errors"][0]["field"] == "body.reason"


def test_a_verified_report_ends_the_claim_and_the_clock(api: Served) -> None:
    item_id = arrive(api.database)
    answered = act(api, "hart", claim(api, "hart"), "report", status="verified", text="No fracture.")
    assert answered.status_code == 200
    assert answered.json() == {**answered.json(), "item_id": item_id, "status": "verified", "check_needed": False}
    seen = api.manager("RXA").get(f"/items/{item_id}").json()
    assert (seen["state"], seen["reported_at"] is not None) == ("verified", True)
    assert api.reporter("hart").get("/claims").json()["items"] == []


def test_a_trainees_preliminary_report_waits_for_a_check_by_somebody_else(api: Served) -> None:
    item_id = arrive(api.database, exam="MHEAD")
    answered = act(api, "tran", claim(api, "tran"), "report", status="preliminary", text="Probably nothing.")
    assert answered.json()["check_needed"] is True
    seen = api.manager("RXA").get(f"/items/{item_id}").json()
    assert (seen["state"], seen["reported_at"]) == ("preliminary", None)
    assert api.reporter("tran").post("/claims", json={}).status_code == 204
    check = claim(api, "reed")
    assert (check["item"]["id"], check["purpose"]) == (item_id, "check")
    assert act(api, "reed", check, "report", status="verified", text="Nothing.").status_code == 200
    assert api.manager("RXA").get(f"/items/{item_id}").json()["state"] == "verified"


def test_a_trainee_cannot_verify(api: Served) -> None:
    arrive(api.database, exam="MHEAD")
    found = assert_problem(act(api, "tran", claim(api, "tran"), "report", status="verified"), 403, "not-eligible")
    assert [reason["condition"] for reason in found["reasons"]] == ["level"]


def test_an_addendum_leaves_the_clock_where_it_stopped(api: Served) -> None:
    item_id = arrive(api.database)
    held = claim(api, "hart")
    act(api, "hart", held, "report", status="verified", text="No fracture.")
    before = api.manager("RXA").get(f"/items/{item_id}").json()
    run(api, "UPDATE test_clock SET moved_by = moved_by + interval '1 day'")
    assert act(api, "hart", held, "report", status="addendum", text="A fracture after all.").status_code == 200
    after = api.manager("RXA").get(f"/items/{item_id}").json()
    assert (after["state"], after["reported_at"]) == ("addendum", before["reported_at"])


def test_the_same_report_sent_again_is_the_report_that_stands(api: Served) -> None:
    arrive(api.database)
    held = claim(api, "hart")
    answers = [act(api, "hart", held, "report", status="verified", text="No fracture.").json() for _ in range(3)]
    assert [one["repeated"] for one in answers] == [False, True, True]
    assert len({one["report_id"] for one in answers}) == 1
    assert api.database.count("SELECT count(*) FROM report") == 1


@pytest.mark.parametrize(
    ("name", "body"),
    [("renew", {}), ("release", {}), ("skip", {"reason": "other"}), ("refer", {}), ("report", {"status": "verified"})],
)
def test_a_token_that_was_superseded_writes_nothing(api: Served, name: str, body: dict[str, str]) -> None:
    item_id = arrive(api.database)
    stale = claim(api, "hart")
    run(api, f"UPDATE test_clock SET moved_by = moved_by + interval '{LEASE_SECONDS + 1} seconds'")
    current = claim(api, "reed")
    assert current["item"]["id"] == item_id
    assert_problem(act(api, "hart", stale, name, **body), 409, "claim-superseded")
    seen = api.manager("RXA").get(f"/items/{item_id}").json()
    assert (seen["state"], seen["reported_at"]) == ("in_progress", None)
    assert act(api, "reed", current, "report", status="verified").status_code == 200


@pytest.mark.parametrize("name", ["renew", "release", "refer", "skip"])
def test_a_made_up_token_is_409(api: Served, name: str) -> None:
    arrive(api.database)
    held = {**claim(api, "hart"), "token": 2**62}
    body = {"reason": "other"} if name == "skip" else {}
    assert_problem(act(api, "hart", held, name, **body), 409, "claim-superseded")


def test_a_superseded_report_is_kept_and_put_before_a_person(api: Served) -> None:
    item_id = arrive(api.database)
    stale = claim(api, "hart")
    run(api, f"UPDATE test_clock SET moved_by = moved_by + interval '{LEASE_SECONDS + 1} seconds'")
    current = claim(api, "reed")
    body = {"status": "verified", "text": "A fracture of the scaphoid."}
    found = assert_problem(act(api, "hart", stale, "report", **body), 409, "claim-superseded")
    with api.database.owner.connect() as connection:
        kept = connection.execute(
            text("SELECT r.id, r.superseded, t.body FROM report r JOIN report_text t ON t.report_id = r.id")
        ).all()
    assert [tuple(one) for one in kept] == [(found["report_id"], True, "A fracture of the scaphoid.")]
    (doubt,) = api.manager("RXA").get("/exceptions").json()["exceptions"]
    assert (doubt["kind"], doubt["item_id"]) == ("report-under-superseded-claim", item_id)
    again = assert_problem(act(api, "hart", stale, "report", **body), 409, "claim-superseded")
    assert again["report_id"] == found["report_id"]
    assert act(api, "reed", current, "report", status="verified", text="No fracture.").status_code == 200
    assert api.database.count("SELECT count(*) FROM report WHERE NOT superseded") == 1


def test_a_lease_that_ran_out_still_reports_while_nobody_else_claimed(api: Served) -> None:
    item_id = arrive(api.database)
    held = claim(api, "hart")
    run(api, f"UPDATE test_clock SET moved_by = moved_by + interval '{LEASE_SECONDS + 1} seconds'")
    assert act(api, "hart", held, "report", status="verified").status_code == 200
    assert api.manager("RXA").get(f"/items/{item_id}").json()["state"] == "verified"


def test_every_act_on_a_claim_leaves_its_audit_entry(api: Served) -> None:
    arrive(api.database)
    for name, body in (("release", {}), ("skip", {"reason": "other"})):
        act(api, "hart", claim(api, "hart"), name, **body)
    held = claim(api, "reed")
    act(api, "reed", held, "report", status="verified")
    with api.database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT actor, action FROM audit.entry WHERE items <> '{}' AND action NOT LIKE '%read' ORDER BY at")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("reporter-network-hart", "claim"),
        ("reporter-network-hart", "released"),
        ("reporter-network-hart", "claim"),
        ("reporter-network-hart", "skipped"),
        ("reporter-network-reed", "claim"),
        ("reporter-network-reed", "report verified"),
    ]


def test_an_account_with_the_role_but_without_a_reporter_cannot_claim(api: Served) -> None:
    client = api.reporter("hart")
    run(api, "UPDATE app_user SET reporter_id = NULL")
    assert_problem(client.post("/claims", json={}), 403, "not-a-reporter")


def claim(api: Served, reporter: str, **body: object) -> dict[str, Any]:
    answered = api.reporter(reporter).post("/claims", json=body)
    assert answered.status_code == 201, answered.text
    found: dict[str, Any] = answered.json()
    return found


def act(api: Served, reporter: str, held: dict[str, Any], name: str, **body: object) -> httpx.Response:
    path = f"/claims/{held['claim_id']}/{name}"
    return api.reporter(reporter).post(path, json={"token": held["token"], **body})


def run(api: Served, statement: str) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(text(statement))
