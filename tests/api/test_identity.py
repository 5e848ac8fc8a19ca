"""Who sees who the patient is: their own trust's people and the reporter to whom the reading was offered."""

from __future__ import annotations

import json
from datetime import date, timedelta

import httpx
import pytest
from sqlalchemy import text

from allocation.planner import greedy
from allocation.planner.run import replan
from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.builders import arrive
from tests.conftest import NOW
from worklist.intake.orders import Message, Order, OrderControl, receive_order
from worklist.intake.study import PatientAsSent
from worklist.local_time import LocalTime

PATIENT = PatientAsSent(
    identifier="LOCAL7731",
    issuer="TEST",
    nhs_number="9990000018",
    family_name="Zephyrwood",
    given_name="Quillon",
    birth_date=date(1961, 2, 3),
    sex="M",
)
WORDS = ("LOCAL7731", "9990000018", "Zephyrwood", "ZEPHYRWOOD", "Quillon", "1961-02-03", "ACC0007731")


def test_the_reporter_who_holds_the_claim_sees_the_patient(api: Served) -> None:
    item_id = arrive(api.database, accession="ACC0007731", patient=PATIENT)
    held = api.reporter("hart").post("/claims", json={}).json()
    assert held["item"]["id"] == item_id
    assert held["item"]["patient"] == {
        "identifier": "LOCAL7731",
        "nhs_number": "9990000018",
        "nhs_number_status": "present-untraced",
        "family_name": "Zephyrwood",
        "given_name": "Quillon",
        "birth_date": "1961-02-03",
        "sex": "M",
    }
    assert held["item"]["accession_number"] == "ACC0007731"
    for path in (f"/items/{item_id}", "/claims", "/worklist"):
        assert "Zephyrwood" in api.reporter("hart").get(path).text


def test_the_reporter_who_is_assigned_the_reading_sees_the_patient(api: Served) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    assert replan(api.database.app, greedy.plan, solver="greedy") is not None
    with api.database.owner.connect() as connection:
        code = connection.scalar(
            text("SELECT code FROM reporter JOIN assignment ON reporter_id = reporter.id WHERE item_id = :item"),
            {"item": item_id},
        )
    assert code is not None
    assert "Zephyrwood" in api.reporter(code).get(f"/items/{item_id}").text
    for other in {"reed", "hart", "tran"} - {code}:
        assert_nothing_of_the_patient(api.reporter(other).get(f"/items/{item_id}"))


def test_a_manager_of_the_patients_trust_sees_the_patient(api: Served) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    for path in (f"/items/{item_id}", "/worklist"):
        assert "Zephyrwood" in api.manager("RXA").get(path).text


@pytest.mark.parametrize("role", [Role.NETWORK_MANAGER, Role.ADMINISTRATOR, Role.AUDITOR, Role.PACS_MANAGER])
def test_who_looks_after_the_network_sees_the_work_and_not_the_patient(api: Served, role: Role) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    for path in (f"/items/{item_id}", "/worklist", f"/items/{item_id}/eligibility", "/exceptions"):
        answered = api.as_(role).get(path)
        assert answered.status_code == 200
        assert_nothing_of_the_patient(answered)


def test_who_may_claim_it_sees_the_work_before_and_the_patient_only_with_the_claim(api: Served) -> None:
    item_id = arrive(api.database, accession="ACC0007731", patient=PATIENT)
    hart = api.reporter("hart")
    for path in ("/worklist", f"/items/{item_id}", f"/items/{item_id}/eligibility"):
        answered = hart.get(path)
        assert answered.status_code == 200
        assert_nothing_of_the_patient(answered)


@pytest.mark.parametrize("path", ["/items/{}", "/items/{}/eligibility"])
def test_a_reporter_out_of_whose_scope_it_is_finds_nothing(api: Served, path: str) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    found = assert_problem(api.reporter("cole").get(path.format(item_id)), 404, "unknown-item")
    assert found == {**found, "detail": f"no item {item_id}"}
    assert api.reporter("cole").get("/worklist").json()["items"] == []


@pytest.mark.parametrize("role", [Role.TRUST_MANAGER, Role.PACS_MANAGER, Role.CLINICAL_LEAD, Role.COORDINATOR])
def test_another_trusts_people_get_not_one_byte_of_it(api: Served, role: Role) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    other = api.as_(role, trust="RXB")
    for method, path, body in requests_about(item_id):
        answered = other.request(method, path, json=body)
        if answered.status_code != 403:
            unknown = other.request(method, path.replace(str(item_id), "987654321"), json=body)
            assert_problem(answered, 404, "unknown-item")
            assert answered.text.replace(str(item_id), "987654321") == unknown.text
    assert other.get("/worklist").json() == {"items": [], "next_cursor": None, "quiet_feeds": []}
    assert other.get("/exceptions").json() == {"exceptions": []}
    assert_problem(other.get("/worklist", params={"trust": "RXA"}), 404, "not-found")


def test_another_reporters_claim_is_nobodys(api: Served) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    held = api.reporter("hart").post("/claims", json={}).json()
    for act in ("renew", "release", "skip", "refer", "report"):
        body = {"token": held["token"]}
        body |= {"skip": {"reason": "no-time"}, "report": {"status": "verified"}}.get(act, {})
        answered = api.reporter("reed").post(f"/claims/{held['claim_id']}/{act}", json=body)
        assert_problem(answered, 404, "unknown-claim")
        assert_nothing_of_the_patient(answered)
    assert api.manager("RXA").get(f"/items/{item_id}").json()["state"] == "in_progress"


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE reporter SET suspended_at = radpool_now() WHERE code = 'hart'",
        "UPDATE scope_grant SET suspended_at = radpool_now()",
        "DELETE FROM entitlement",
    ],
    ids=["suspended", "grant suspended", "entitlement gone"],
)
def test_a_reporter_who_lost_the_right_is_shown_nothing_more(api: Served, ended: str) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    hart = api.reporter("hart")
    held = hart.post("/claims", json={}).json()
    with api.database.owner.begin() as connection:
        connection.execute(text(ended))
    for path in ("/worklist", "/claims"):
        assert hart.get(path).json()["items"] == []
    assert_problem(hart.get(f"/items/{item_id}"), 404, "unknown-item")
    body = {"token": held["token"], "status": "verified"}
    found = assert_problem(hart.post(f"/claims/{held['claim_id']}/report", json=body), 403, "not-eligible")
    assert found["reasons"]
    assert hart.post(f"/claims/{held['claim_id']}/release", json={"token": held["token"]}).status_code == 204


def test_a_reading_given_back_takes_the_patient_with_it(api: Served) -> None:
    item_id = arrive(api.database, patient=PATIENT)
    hart = api.reporter("hart")
    held = hart.post("/claims", json={}).json()
    hart.post(f"/claims/{held['claim_id']}/release", json={"token": held["token"]})
    assert_nothing_of_the_patient(hart.get(f"/items/{item_id}"))
    assert_nothing_of_the_patient(hart.get("/worklist"))


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.PACS_MANAGER, Role.CLINICAL_LEAD])
def test_settling_an_item_shows_nobody_a_patient_whom_they_do_not_see(api: Served, role: Role) -> None:
    item_id = arrive(api.database, exam=None, accession=None, patient=PATIENT)
    answered = api.as_(role).post(f"/items/{item_id}/classify", json={"exam_codes": ["XHANL"]})
    assert answered.status_code == 200
    assert_nothing_of_the_patient(answered)
    if role is not Role.CLINICAL_LEAD:
        body = {"accession_number": "NEW1"}
        answered = api.as_(role).post(f"/items/{item_id}/accession", json=body)
        assert answered.status_code == 200
        assert_nothing_of_the_patient(answered)


def test_no_table_but_those_under_row_level_security_holds_an_identity_after_a_days_work(api: Served) -> None:
    arrive(api.database, accession="ACC0007731", patient=PATIENT)
    hart = api.reporter("hart")
    held = hart.post("/claims", json={}, headers={"Idempotency-Key": "one"}).json()
    hart.get("/worklist")
    body = {"token": held["token"], "status": "verified", "text": "Zephyrwood has no fracture", "alerts": ["urgent"]}
    path = f"/claims/{held['claim_id']}/report"
    assert hart.post(path, json=body, headers={"Idempotency-Key": "two"}).status_code == 200
    api.manager("RXA").get("/worklist")
    with api.database.owner.connect() as connection:
        guarded = {
            "kept_message",
            "study_waiting",
            "patient",
            "order_identity",
            "study_identity",
            "item_order",
            "report_text",
            "header_statement",
        }
        for name in connection.scalars(_TABLES).all():
            rows = "\n".join(connection.scalars(text(f"SELECT t::text FROM {name} t")))
            if name.removeprefix("public.") not in guarded:
                assert not [word for word in WORDS if word in rows], name
            elif name == "public.patient":
                assert "Zephyrwood" in rows  # so the search finds what is there


def requests_about(item_id: int) -> list[tuple[str, str, dict[str, object] | None]]:
    return [
        ("GET", f"/items/{item_id}", None),
        ("GET", f"/items/{item_id}/eligibility", None),
        ("POST", f"/items/{item_id}/classify", {"exam_codes": ["XHANL"]}),
        ("POST", f"/items/{item_id}/accession", {"accession_number": "NEW1"}),
    ]


def assert_nothing_of_the_patient(answered: httpx.Response) -> None:
    words = WORDS if "accession_number" not in answered.text else WORDS[:-1]
    assert not [word for word in words if word in answered.text]
    for one in json.loads(answered.text or "{}").get("items", []):
        assert one["patient"] is None


_TABLES = text(
    "SELECT table_schema || '.' || table_name FROM information_schema.tables"
    " WHERE table_schema IN ('public', 'audit') AND table_type = 'BASE TABLE'"
)


def test_what_the_order_says_is_shown_to_those_who_see_the_patient_and_kept_under_no_key(api: Served) -> None:
    item_id = arrive(api.database, accession="ACC0007731", patient=PATIENT)
    made_at = NOW - timedelta(minutes=5)
    needed = LocalTime("x", "UTC", 0, "OBR-27.5", NOW + timedelta(minutes=20))
    order = Order(
        Message("RIS_A", "RXA", made_at, "m1"),
        "ACC0007731",
        OrderControl.NEW,
        PATIENT,
        clinical_question="? fracture",
        requester="Ann Ottershaw",
        call_back="01632 960001",
        needed_by=needed,
        referral_date=date(2026, 5, 20),
    )
    with api.database.app.begin() as connection:
        receive_order(connection, order)
    seen = api.manager("RXA").get(f"/items/{item_id}").json()
    assert seen["order"] == {
        "clinical_question": "? fracture",
        "requester": "Ann Ottershaw",
        "call_back": "01632 960001",
        "needed_by_at": needed.at.isoformat().replace("+00:00", "Z"),
        "referral_date": "2026-05-20",
    }
    assert api.as_(Role.NETWORK_MANAGER).get(f"/items/{item_id}").json()["order"] is None
    body = {"reason": "other"}
    for _ in range(2):
        held = api.as_(Role.COORDINATOR, trust="RXA").post(
            f"/items/{item_id}/hold", json=body, headers={"Idempotency-Key": "k"}
        )
        assert held.json()["order"] == seen["order"]
    assert api.database.count("SELECT count(*) FROM idempotency_key WHERE body::text LIKE '%Ottershaw%'") == 0
