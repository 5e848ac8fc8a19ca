"""The worklist and its items by HTTP: order, filters, pages, what a person settles, what is audited."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from sqlalchemy import text

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive, multiply
from worklist.intake.working_out import CUT_LOCK


def test_an_item_has_what_was_agreed(api: Served) -> None:
    item_id = arrive(api.database, accession="00042", service="Emergency Department")
    found = api.manager("RXA").get(f"/items/{item_id}").json()
    agreed = (
        "id trust accession_number exams modality age_years setting urgency due_at hard_limit_at clock_start_at"
        " clock_start_source state exceptions patient"
    )
    assert set(agreed.split()) <= set(found)
    assert {name: found[name] for name in ("id", "trust", "accession_number", "modality", "age_years", "state")} == {
        "id": item_id,
        "trust": "RXA",
        "accession_number": "00042",
        "modality": "XR",
        "age_years": 56,
        "state": "ready",
    }
    assert found["exams"] == [
        {
            "code": "XHANL",
            "description": "XR Hand Lt",
            "mapped_by": "requested-code",
            "version": 1,
            "mapping_id": None,
            "minutes_by": "network",
        }
    ]
    assert (found["setting"], found["urgency"]) == ("emergency", "emergency")
    assert found["clock_start_at"] == "2026-06-10T09:00:00Z"
    assert found["due_at"] == "2026-06-10T10:00:00Z"
    assert found["hard_limit_at"] == "2026-06-10T21:00:00Z"


def test_pages_walk_every_item_once_the_most_urgent_first(api: Served) -> None:
    first = arrive(api.database, service="Emergency Department")
    wanted = [first, *multiply(api.database, first, 6)]
    # Three of one due time, and one without any: where pages meet nothing may be lost or shown twice.
    alike = multiply(api.database, first, 3)
    run(
        api,
        f"UPDATE item SET due_at = (SELECT max(due_at) FROM item) WHERE id = ANY('{{{ids(alike)}}}')",
    )
    none = multiply(api.database, first, 2)
    run(api, f"UPDATE item SET due_at = NULL WHERE id = ANY('{{{ids(none)}}}')")
    wanted += [*sorted(alike), *sorted(none)]
    for limit in (1, 2, 5, 500):
        assert walk(api, {"limit": limit}) == wanted


def test_a_page_that_ends_with_the_list_has_no_cursor(api: Served) -> None:
    multiply(api.database, arrive(api.database), 3)
    assert api.manager("RXA").get("/worklist", params={"limit": 4}).json()["next_cursor"] is None
    assert api.manager("RXA").get("/worklist", params={"limit": 3}).json()["next_cursor"] is not None


def test_filters_narrow_the_list(api: Served) -> None:
    hand = arrive(api.database, exam="XHANL", service="General Practice")
    head = arrive(api.database, exam="CHEAD", service="Emergency Department")
    other = arrive(api.database, trust="RXB", exam="XHANL", service="General Practice")
    wide = api.as_(Role.NETWORK_MANAGER)
    assert listed(wide.get("/worklist").json()) == [head, hand, other]
    for params, wanted in (
        ({"trust": "RXB"}, [other]),
        ({"modality": "CT"}, [head]),
        ({"setting": "gp"}, [hand, other]),
        ({"setting": "gp", "trust": "RXA"}, [hand]),
        ({"state": "ready"}, [head, hand, other]),
        ({"state": ["verified", "on_hold"]}, []),
        ({"modality": "PT"}, []),
    ):
        assert listed(wide.get("/worklist", params=params).json()) == wanted


def test_filters_narrow_a_reporters_list_too(api: Served) -> None:
    hand = arrive(api.database, exam="XHANL", service="Emergency Department")
    head = arrive(api.database, exam="CHEAD", service="Emergency Department")
    other = arrive(api.database, trust="RXB", exam="XHANL", service="General Practice")
    reed = api.reporter("reed")
    held = claim(api, "reed", item_id=hand)["item"]["id"]
    for params, wanted in (
        ({}, [held, head, other]),
        ({"trust": "RXB"}, [other]),
        ({"modality": "CT"}, [head]),
        ({"setting": "gp"}, [other]),
        ({"state": "in_progress"}, [hand]),
        ({"limit": 2}, [held, head]),
    ):
        assert listed(reed.get("/worklist", params=params).json()) == wanted


def test_a_reporters_list_says_why_each_item_is_on_it(api: Served) -> None:
    item_id = arrive(api.database)
    held = claim(api, "hart")
    waiting = arrive(api.database)
    shown = api.reporter("hart").get("/worklist").json()["items"]
    assert [(one["id"], one["offer"]["holding"]) for one in shown] == [(item_id, "claimed"), (waiting, "open")]
    assert (shown[0]["offer"]["claim_id"], shown[0]["offer"]["token"]) == (held["claim_id"], held["token"])


def test_a_reporter_who_also_leads_sees_both_lists(api: Served) -> None:
    hand, head = arrive(api.database, exam="XHANL"), arrive(api.database, exam="CHEAD")
    both = api.as_(Role.REPORTER, Role.CLINICAL_LEAD, reporter="hart")
    assert listed(both.get("/worklist").json()) == [hand, head]
    assert listed(both.get("/worklist", params={"mine": True}).json()) == [hand]


def test_a_reporter_who_also_approves_pay_sees_what_is_offered_to_a_reporter(api: Served) -> None:
    hand = arrive(api.database, exam="XHANL")
    arrive(api.database, exam="CHEAD")
    both = api.as_(Role.REPORTER, Role.PAY_APPROVER, reporter="hart")
    assert listed(both.get("/worklist").json()) == [hand]


def test_eligibility_gives_every_reporter_with_every_reason(api: Served) -> None:
    item_id = arrive(api.database, exam="CHEAD", service="Emergency Department")
    found = api.manager("RXA").get(f"/items/{item_id}/eligibility").json()
    verdicts = {one["reporter"]: one for one in found["reporters"]}
    assert {name: one["eligible"] for name, one in verdicts.items()} == {
        "cole": True,
        "reed": True,
        "tran": True,
        "hart": False,
    }
    assert [one["reporter"] for one in found["reporters"]] == ["cole", "reed", "tran", "hart"]
    conditions = {reason["condition"]: reason["passed"] for reason in verdicts["hart"]["reasons"]}
    assert conditions == {"suspension": True, "registration": True, "entitlement": True, "scope": False}


@pytest.mark.parametrize("path", ["/worklist", "/items/{}", "/items/{}/eligibility", "/worklist?mine=true"])
def test_every_look_at_a_patients_item_is_audited_by_item_and_person(api: Served, path: str) -> None:
    item_id = arrive(api.database)
    claim(api, "hart")
    reader = api.as_(Role.REPORTER, Role.TRUST_MANAGER, trust="RXA", reporter="hart")
    before = audited(api)
    assert reader.get(path.format(item_id)).status_code == 200
    assert [(one[0], one[2]) for one in audited(api)[len(before) :]] == [("reporter-trust_manager-RXA-hart", [item_id])]


def test_the_list_of_what_one_holds_is_audited(api: Served) -> None:
    item_id = arrive(api.database)
    claim(api, "hart")
    api.reporter("hart").get("/claims")
    assert audited(api)[-1] == ("reporter-network-hart", "claims read", [item_id])


def test_a_read_whose_audit_cannot_be_written_shows_nothing(api: Served) -> None:
    item_id = arrive(api.database)
    manager = api.manager("RXA")
    run(api, "REVOKE EXECUTE ON FUNCTION audit.append(text, text, bigint[], text) FROM radpool_app")
    for path in (f"/items/{item_id}", "/worklist", f"/items/{item_id}/eligibility"):
        answered = manager.get(path)
        assert answered.status_code >= 500
        assert "Rowan" not in answered.text


def test_a_change_whose_audit_cannot_be_written_is_not_made(api: Served) -> None:
    arrive(api.database)
    hart = api.reporter("hart")
    run(api, "REVOKE EXECUTE ON FUNCTION audit.append(text, text, bigint[], text) FROM radpool_app")
    assert hart.post("/claims", json={}).status_code >= 500
    with api.database.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM claim")) == 0


def test_a_pacs_manager_classifies_what_is_unmapped(api: Served) -> None:
    item_id = arrive(api.database, exam=None)
    assert api.reporter("hart").post("/claims", json={}).status_code == 204
    answered = api.as_(Role.PACS_MANAGER, trust="RXA").post(f"/items/{item_id}/classify", json=codes("XHANL"))
    assert answered.status_code == 200
    assert [one["code"] for one in answered.json()["exams"]] == ["XHANL"]
    assert answered.json()["exceptions"] == []
    assert claim(api, "hart")["item"]["id"] == item_id


def test_the_duty_radiologist_classifies_the_unmapped_item_that_they_hold(api: Served) -> None:
    item_id = arrive(api.database, exam=None)
    assert_problem(api.reporter("reed").post(f"/items/{item_id}/classify", json=codes("XHANL")), 404, "unknown-item")
    held = claim(api, "reed")
    answered = api.reporter("reed").post(f"/items/{item_id}/classify", json=codes("XHANL"))
    assert answered.status_code == 200
    assert answered.json()["patient"] is not None
    again = api.reporter("reed").post(f"/items/{item_id}/classify", json=codes("XKNEL"))  # a slip is corrected
    assert [one["code"] for one in again.json()["exams"]] == ["XKNEL"]
    assert act(api, "reed", held, "report", status="verified").status_code == 200


def test_a_reporter_does_not_make_more_of_the_exams_that_they_hold(api: Served) -> None:
    """What a report pays follows from its exams."""
    item_id = arrive(api.database, exam="XHANL")
    claim(api, "reed")
    more = codes("XHANL", "CHEAD", "MHEAD")
    assert_problem(api.reporter("reed").post(f"/items/{item_id}/classify", json=more), 403, "not-permitted")
    exams = api.manager("RXA").get(f"/items/{item_id}").json()["exams"]
    assert [one["code"] for one in exams] == ["XHANL"]


@pytest.mark.parametrize("sent", [[], ["XHANL", "XHANL"], ["XHANL"] * 13, "XHANL", [1], None])
def test_a_classification_names_each_exam_once(api: Served, sent: object) -> None:
    item_id = arrive(api.database, exam=None)
    client = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert_problem(client.post(f"/items/{item_id}/classify", json={"exam_codes": sent}), 422, "invalid-request")


def test_an_exam_outside_the_catalogue_is_refused(api: Served) -> None:
    item_id = arrive(api.database, exam=None)
    client = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert_problem(client.post(f"/items/{item_id}/classify", json=codes("XHANL", "NOSUCH")), 422, "unknown-exam")
    assert api.manager("RXA").get(f"/items/{item_id}").json()["exams"][0]["code"] is None


def test_an_accession_number_releases_the_item_that_waited_for_it(api: Served) -> None:
    item_id = arrive(api.database, accession=None)
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert manager.get(f"/items/{item_id}").json()["state"] == "on_hold"
    assert api.reporter("hart").post("/claims", json={}).status_code == 204
    answered = manager.post(f"/items/{item_id}/accession", json={"accession_number": " 00042 "})
    assert (answered.json()["state"], answered.json()["accession_number"]) == ("ready", "00042")
    assert claim(api, "hart")["item"]["id"] == item_id


def test_an_accession_number_of_another_item_is_refused(api: Served) -> None:
    arrive(api.database, accession="00042")
    item_id = arrive(api.database, accession=None)
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    found = manager.post(f"/items/{item_id}/accession", json={"accession_number": "00042"})
    assert_problem(found, 409, "accession-taken")


def test_an_accession_number_that_stands_is_never_replaced(api: Served) -> None:
    """Else the next image of the accession would open a second item, and it would be reported twice."""
    item_id = arrive(api.database, accession="00042")
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    for number in ("00043", "00042"):
        found = manager.post(f"/items/{item_id}/accession", json={"accession_number": number})
        assert_problem(found, 409, "forbidden-move")
    assert manager.get(f"/items/{item_id}").json()["accession_number"] == "00042"


@pytest.mark.parametrize("number", ["", "   ", "a\\b", "a\nb", "a\x0bb", "\u00e9", "x" * 65])
def test_an_accession_number_is_printable(api: Served, number: str) -> None:
    item_id = arrive(api.database, accession=None)
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    found = manager.post(f"/items/{item_id}/accession", json={"accession_number": number})
    assert_problem(found, 422, "invalid-request")


def test_classifying_does_not_meet_an_import_crosswise(api: Served) -> None:
    """An import holds the profile cut and then locks items; whoever classifies waits for it, holding none."""
    item_id = arrive(api.database, exam=None)
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    with api.database.owner.connect() as importing:
        importing.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
        asked: list[int] = []
        thread = threading.Thread(
            target=lambda: asked.append(manager.post(f"/items/{item_id}/classify", json=codes("XHANL")).status_code)
        )
        thread.start()
        with api.database.owner.connect() as watching:
            while not watching.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                watching.rollback()
        importing.execute(text("SELECT FROM item WHERE id = :id FOR UPDATE NOWAIT"), {"id": item_id})
        importing.rollback()
        thread.join()
    assert asked == [200]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%%%",
        "AAAA",
        "\u00e9",
        "null",
        base64.urlsafe_b64encode(b'["2026-06-10T10:00:00+00:00"]').decode(),
        base64.urlsafe_b64encode(b"[null, Infinity]").decode(),
        base64.urlsafe_b64encode(b'[null, "x"]').decode(),
        base64.urlsafe_b64encode(b'{"a": 1, "b": 2}').decode(),
        base64.urlsafe_b64encode(b"[" * 30000).decode(),
        base64.urlsafe_b64encode(b"[null, " + b"9" * 5000 + b"]").decode(),
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(shared_api: Served, cursor: str) -> None:
    found = shared_api.manager("RXA").get("/worklist", params={"cursor": cursor})
    assert_problem(found, 422, "invalid-request")


def test_a_cursor_holds_no_identity(api: Served) -> None:
    multiply(api.database, arrive(api.database, accession="00042"), 3)
    cursor = api.manager("RXA").get("/worklist", params={"limit": 1}).json()["next_cursor"]
    due_at, item_id = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    assert due_at.startswith("2026-")
    assert isinstance(item_id, int)


@pytest.mark.parametrize("limit", [0, -1, 501, "all", 10**30])
def test_a_limit_out_of_bounds_is_refused(shared_api: Served, limit: object) -> None:
    found = shared_api.manager("RXA").get("/worklist", params={"limit": str(limit)})
    assert assert_problem(found, 422, "invalid-request")["errors"][0]["field"] == "query.limit"


def walk(api: Served, params: dict[str, Any]) -> list[int]:
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.manager("RXA").get("/worklist", params={**params, **cursor}).json()
        assert len(page["items"]) <= params["limit"]
        found += listed(page)
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def listed(page: dict[str, Any]) -> list[int]:
    return [one["id"] for one in page["items"]]


def codes(*exam_codes: str) -> dict[str, list[str]]:
    return {"exam_codes": list(exam_codes)}


def ids(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def run(api: Served, statement: str) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(text(statement))


def audited(api: Served) -> list[tuple[str, str, list[int]]]:
    with api.database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT actor, action, items FROM audit.entry WHERE items <> '{}' ORDER BY at, sequence")
        )
        return [(row.actor, row.action, list(row.items)) for row in rows]
