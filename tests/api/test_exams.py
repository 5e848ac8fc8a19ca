"""What is not mapped, and mapping it: by role and trust; what sources call exams goes to the trust's own alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.builders import arrive

MAPPING = {"trust": "RXA", "code": "NOVEL", "scheme": "LOCAL", "exam": "XCHES", "reason": "seen in the RIS"}


def unmapped(api: Served, role: Role = Role.PACS_MANAGER, trust: str | None = "RXA", **asked: str) -> Any:
    answered = api.as_(role, trust=trust).get("/exams/unmapped", params=asked)
    assert answered.status_code == 200, answered.text
    return answered.json()["exams"]


def test_a_trust_s_own_staff_see_what_its_sources_call_exams_and_how_many_wait(api: Served) -> None:
    for exam in ("NOVEL", "NOVEL", "OTHER"):
        arrive(api.database, exam=exam)
    arrive(api.database, trust="RXB", exam="NOVEL")
    first, second = unmapped(api)
    assert (first["code"], first["scheme"], first["why"], first["items"]) == ("NOVEL", "LOCAL", "unmapped", 2)
    assert (second["code"], second["items"], second["shown"]) == ("OTHER", 1, True)
    assert first["oldest_due_at"] < "2026-06-25"


@pytest.mark.parametrize("role", [Role.NETWORK_MANAGER, Role.AUDITOR, Role.PACS_MANAGER, Role.ADMINISTRATOR])
def test_who_looks_after_the_network_sees_counts_of_each_trust_and_no_words(api: Served, role: Role) -> None:
    arrive(api.database, exam="NOVEL")
    arrive(api.database, exam="OTHER")
    arrive(api.database, trust="RXB", exam="NOVEL")
    answered = api.as_(role).get("/exams/unmapped")
    assert "NOVEL" not in answered.text
    assert [(one["trust"], one["items"], one["shown"]) for one in answered.json()["exams"]] == [
        ("RXA", 2, False),
        ("RXB", 1, False),
    ]


def test_another_trust_s_list_is_not_found_and_says_nothing(api: Served) -> None:
    arrive(api.database, exam="NOVEL")
    manager = api.as_(Role.PACS_MANAGER, trust="RXB")
    assert unmapped(api, trust="RXB") == []
    for path in ("/exams/unmapped", "/exams/mappings"):
        theirs = assert_problem(manager.get(path, params={"trust": "RXA"}), 404, "not-found")
        nobodys = assert_problem(manager.get(path, params={"trust": "RXZ"}), 404, "not-found")
        assert theirs == nobodys


def test_one_step_maps_from_now_on_and_what_waits_too(api: Served) -> None:
    item_id = arrive(api.database, exam="NOVEL")
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    answered = manager.post("/exams/mappings", json=MAPPING)
    assert answered.status_code == 201
    done = answered.json()
    assert (done["worked_out"], done["still_to_work_out"], done["closed_mapping_id"]) == (1, 0, None)
    (exam,) = manager.get(f"/items/{item_id}").json()["exams"]
    assert exam == {
        "code": "XCHES",
        "description": "XR Chest",
        "mapped_by": "requested-code",
        "version": 1,
        "mapping_id": done["mapping_id"],
        "minutes_by": "network",
    }
    assert unmapped(api) == []
    (mapping,) = manager.get("/exams/mappings").json()["mappings"]
    assert (mapping["value"], mapping["exam_code"], mapping["opened_by"], mapping["reason"]) == (
        "NOVEL",
        "XCHES",
        "pacs_manager-RXA",
        "seen in the RIS",
    )


def test_another_trust_may_not_be_mapped_for_and_nothing_of_it_is_told(api: Served) -> None:
    arrive(api.database, exam="NOVEL")
    lead = api.as_(Role.CLINICAL_LEAD, trust="RXB")
    theirs = assert_problem(lead.post("/exams/mappings", json=MAPPING), 404, "not-found")
    nobodys = assert_problem(lead.post("/exams/mappings", json={**MAPPING, "trust": "RXZ"}), 404, "not-found")
    assert theirs == nobodys
    assert api.database.count("SELECT count(*) FROM exam_alias") == 0
    network_wide = api.as_(Role.CLINICAL_LEAD)
    assert_problem(network_wide.post("/exams/mappings", json={**MAPPING, "trust": "RXZ"}), 404, "not-found")


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"exam": "XNONE"}, 422, "unknown-exam"),
        ({"code": None}, 422, "invalid-request"),
        ({"reason": "  "}, 422, "invalid-request"),
        ({"exception_id": 987654321}, 422, "unknown-exception"),
        ({"minutes": 3}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_words(api: Served, change: Any, status: int, kind: str) -> None:
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert_problem(manager.post("/exams/mappings", json={**MAPPING, **change}), status, kind)
    assert api.database.count("SELECT count(*) FROM exam_alias") == 0


def test_the_same_key_maps_once(api: Served) -> None:
    arrive(api.database, exam="NOVEL")
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    first, again = (
        manager.post("/exams/mappings", json=MAPPING, headers={"Idempotency-Key": "one"}).json() for _ in range(2)
    )
    assert first == again
    assert api.database.count("SELECT count(*) FROM event WHERE kind = 'exam.mapped'") == 1


def test_words_as_sent_stand_in_no_event_and_no_audit_entry(api: Served) -> None:
    arrive(api.database, exam="ADAMSMITH")
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    unmapped(api)
    assert manager.post("/exams/mappings", json={**MAPPING, "code": "ADAMSMITH"}).json()["worked_out"] == 1
    with api.database.owner.connect() as connection:
        told = connection.scalars(
            text("SELECT dimensions::text FROM event UNION ALL SELECT payload FROM audit.entry")
        ).all()
        actions = connection.scalars(text("SELECT action FROM audit.entry WHERE actor LIKE 'pacs%'")).all()
        doubts = connection.scalars(text("SELECT detail FROM worklist_exception")).all()
    assert not any("ADAMSMITH" in (one or "") for one in (*told, *doubts))
    assert {"unmapped exams read", "exam mapped"} <= set(actions)


def test_who_sees_the_item_of_another_trust_sees_no_word_of_its_unmapped_exam(api: Served) -> None:
    item_id = arrive(api.database, exam="ADAMSMITH")
    answered = api.as_(Role.NETWORK_MANAGER).get(f"/items/{item_id}")
    assert answered.status_code == 200
    assert "ADAMSMITH" not in answered.text
    assert "ADAMSMITH" in api.as_(Role.PACS_MANAGER, trust="RXA").get(f"/items/{item_id}").text


def test_an_answer_that_is_kept_holds_no_word_as_sent_and_is_given_whole_again(api: Served) -> None:
    item_id = arrive(api.database, exam="ADAMSMITH", accession=None)
    coordinator = api.as_(Role.COORDINATOR, trust="RXA")
    first, again = (
        coordinator.post(
            f"/items/{item_id}/accession", json={"accession_number": "A77"}, headers={"Idempotency-Key": "one"}
        )
        for _ in range(2)
    )
    assert first.status_code == 200, first.text
    assert "ADAMSMITH" in first.text
    assert first.json() == again.json()
    with api.database.owner.connect() as connection:
        kept = connection.scalars(text("SELECT body::text FROM idempotency_key")).all()
    assert kept
    assert not any("ADAMSMITH" in one for one in kept)
