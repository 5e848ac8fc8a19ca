"""Saying by HTTP that an item's images are complete: who may, what it answers, and what the item shows meanwhile."""

from __future__ import annotations

import pytest

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import claim
from tests.builders import received
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.notices import note_study_at_source
from worklist.intake.objects import Arrival, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import StudyAtSource

REASON = {"reason": "seen-complete"}


def arriving(api: Served, service: str = "Emergency Department", *, trust: str = "RXA") -> int:
    """Begin a study that stays arriving, and give its item."""
    with api.database.app.begin() as connection:
        take_in(connection, [Arrival(Sender(f"PACS_{trust[-1]}", trust, 600), received(service=service))])
    assert complete_quiet_studies(api.database.app) == 0
    [only] = api.as_(Role.COORDINATOR).get("/worklist").json()["items"]
    return int(only["id"])


def test_an_item_says_that_it_arrives_and_then_what_made_it_complete(api: Served) -> None:
    item_id = arriving(api)
    pacs = api.as_(Role.PACS_MANAGER, trust="RXA")
    before = pacs.get(f"/items/{item_id}").json()
    assert (before["state"], before["arriving"], before["completed_by"]) == ("ready", True, None)
    answered = pacs.post(f"/items/{item_id}/complete", json=REASON)
    assert answered.status_code == 200, answered.text
    after = answered.json()
    assert (after["state"], after["arriving"], after["completed_by"]) == ("ready", False, "forced")


def test_an_item_that_waits_for_its_images_says_that_it_arrives(api: Served) -> None:
    found = api.manager("RXA").get(f"/items/{arriving(api, 'Ward 4')}").json()
    assert (found["state"], found["arriving"]) == ("arriving", True)


@pytest.mark.parametrize(
    ("role", "trust"), [(Role.PACS_MANAGER, "RXA"), (Role.COORDINATOR, "RXA"), (Role.COORDINATOR, None)]
)
def test_who_looks_after_the_trust_s_work_may_say_so(api: Served, role: Role, trust: str | None) -> None:
    item_id = arriving(api, "Ward 4")
    assert api.as_(role, trust=trust).post(f"/items/{item_id}/complete", json=REASON).status_code == 200


def test_another_trust_s_item_is_not_there(api: Served) -> None:
    item_id = arriving(api)
    elsewhere = api.as_(Role.PACS_MANAGER, trust="RXB")
    assert_problem(elsewhere.post(f"/items/{item_id}/complete", json=REASON), 404, "unknown-item")


def test_a_reporter_may_say_so_of_what_they_hold_and_then_verify(api: Served) -> None:
    item_id = arriving(api)
    hart = api.reporter("hart")
    assert_problem(hart.post(f"/items/{item_id}/complete", json=REASON), 404, "unknown-item")
    held = claim(api, "hart")
    assert held["item"]["arriving"] is True
    report = {"token": held["token"], "status": "verified", "text": "words"}
    told = assert_problem(hart.post(f"/claims/{held['claim_id']}/report", json=report), 409, "still-arriving")
    assert "preliminary" in told["detail"]
    assert hart.post(f"/items/{item_id}/complete", json=REASON).status_code == 200
    assert hart.post(f"/claims/{held['claim_id']}/report", json=report).status_code == 200


def test_a_reporter_on_duty_may_say_so_of_what_they_may_report(api: Served) -> None:
    item_id = arriving(api)
    reed = api.reporter("reed")
    assert_problem(reed.post(f"/items/{item_id}/complete", json=REASON), 404, "unknown-item")
    with api.database.owner.begin() as connection:
        connection.exec_driver_sql("UPDATE reporting_session SET kind = 'duty' WHERE code = 'reed-planned'")
    assert reed.post(f"/items/{item_id}/complete", json=REASON).status_code == 200


def test_a_study_that_never_came_is_named_to_its_trust_alone_and_that_is_audited(api: Served) -> None:
    never = StudyAtSource("PACS_A", "2.25.404", "000404", instances=3)
    with api.database.app.begin() as connection:
        note_study_at_source(connection, Sender("PACS_A", "RXA", 600), never, tell_if_never_sent=True)

    def told(trust: str | None) -> list[dict[str, str] | None]:
        rows = api.as_(Role.PACS_MANAGER, trust=trust).get("/exceptions").json()["exceptions"]
        return [row["study"] for row in rows if row["kind"] == "study-never-sent"]

    assert told("RXA") == [{"study_instance_uid": "2.25.404", "accession_number": "000404"}]
    assert (told(None), told("RXB")) == ([None], [])
    with api.database.owner.connect() as connection:
        read = "SELECT count(*) FROM audit.entry WHERE action = 'exceptions read'"
        assert connection.exec_driver_sql(read).scalar() == 1


def test_what_is_complete_is_409(api: Served) -> None:
    item_id = arriving(api)
    pacs = api.as_(Role.PACS_MANAGER, trust="RXA")
    pacs.post(f"/items/{item_id}/complete", json=REASON)
    assert_problem(pacs.post(f"/items/{item_id}/complete", json=REASON), 409, "nothing-arriving")


def test_without_a_reason_nothing_happens(api: Served) -> None:
    item_id = arriving(api)
    pacs = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert_problem(pacs.post(f"/items/{item_id}/complete", json={}), 422, "invalid-request")
    assert pacs.get(f"/items/{item_id}").json()["arriving"] is True
