"""Bundles by HTTP: whose lists name what else waits of a patient and day, and what a claim goes on with."""

from __future__ import annotations

from typing import Any

from api.permissions import Role
from tests.api.serving import Served
from tests.api.test_claims import act, claim
from tests.builders import arrive, patient_called


def two(api: Served) -> tuple[int, int, int]:
    """A hand and a knee of one patient, and a head of the same that radiographers of limbs may not report."""
    patient = patient_called("Okafor")
    hand, head, knee = (arrive(api.database, exam=exam, patient=patient) for exam in ("XHANL", "CHEAD", "XKNEL"))
    return hand, head, knee


def bundles(answer: Any) -> dict[int, list[int]]:
    return {one["id"]: one["bundle"] for one in answer.json()["items"]}


def test_a_trust_s_list_names_all_of_a_patient_s_day_and_the_network_s_names_no_patient_s(api: Served) -> None:
    hand, head, knee = two(api)
    found = bundles(api.manager("RXA").get("/worklist"))
    assert found == {hand: [head, knee], head: [hand, knee], knee: [hand, head]}
    assert api.manager("RXA").get(f"/items/{head}").json()["bundle"] == [hand, knee]
    assert bundles(api.as_(Role.NETWORK_MANAGER).get("/worklist")) == {hand: [], head: [], knee: []}
    assert api.as_(Role.NETWORK_MANAGER).get(f"/items/{head}").json()["bundle"] == []


def test_a_reporter_s_list_and_claim_name_what_they_may_report_alone(api: Served) -> None:
    hand, _, knee = two(api)
    hart = api.reporter("hart")
    assert bundles(hart.get("/worklist")) == {hand: [knee], knee: [hand]}
    made = claim(api, "hart")
    assert (made["item"]["id"], made["bundle"]) == (hand, [{"item_id": knee, "purpose": "first"}])
    assert hart.get(f"/items/{hand}").json()["bundle"] == [knee]
    again = claim(api, "hart")
    assert (again["item"]["id"], again["bundle"]) == (knee, [])
    assert again["why"][0] == "of the same patient and day as what you had last"


def test_what_is_reported_no_longer_waits_with_the_rest(api: Served) -> None:
    hand, head, knee = two(api)
    act(api, "hart", claim(api, "hart"), "report", status="verified", text="words")
    assert api.manager("RXA").get(f"/items/{head}").json()["bundle"] == [knee]
    assert api.manager("RXA").get(f"/items/{hand}").json()["bundle"] == [head, knee]
