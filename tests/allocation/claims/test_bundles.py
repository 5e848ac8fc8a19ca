"""Work of one patient and day is offered as one: the next claim goes on with it where nothing presses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from allocation.bundles import Waiting, goes_on
from allocation.offered import Offered, bundle_of, offered_to
from tests.allocation.claims.claiming import VERIFIED, assign, claim_as, claimed_by, do, report
from tests.builders import arrive, multiply, patient_called, reporter_id
from tests.conftest import NOW, Database
from worklist.reading import Purpose
from worklist.turnaround.targets import Urgency

GOING_ON = "of the same patient and day as what you had last"
AT = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


def due(minutes: float, urgency: Urgency | None = Urgency.ROUTINE) -> Waiting:
    return Waiting(AT + timedelta(minutes=minutes), 10, urgency)


@pytest.mark.parametrize(
    ("mate", "other", "expected"),
    [
        (due(1000), None, True),
        (due(1000), due(2000), True),
        (due(1000), due(1000), True),
        (due(1000), due(500), True),
        (due(1000), due(20), True),  # there is time for both
        (due(1000), due(19), False),  # it would become late meanwhile
        (due(1000), due(0), True),  # it is late already: ten minutes more change nothing
        (due(1000), due(-500), True),
        (due(1000), due(500, Urgency.EMERGENCY), False),
        (due(1000), due(-500, Urgency.STROKE), False),
        (due(1000), due(500, None), False),  # unknown is not harmless
        (due(10), due(500, Urgency.EMERGENCY), True),  # it is itself due before
    ],
)
def test_the_patient_s_other_work_comes_first_where_nothing_presses(
    mate: Waiting, other: Waiting | None, expected: bool
) -> None:
    assert goes_on(mate, other, AT) is expected


def three(network: Database) -> tuple[int, int, int]:
    """A patient's two exams, and between them somebody else's; each due later than the one before."""
    items = []
    for exam, name, hours in (("XHANL", "Okafor", 3), ("XHANL", "Other", 2), ("XKNEL", "Okafor", 1)):
        at = NOW - timedelta(hours=hours)
        items.append(arrive(network, exam=exam, patient=patient_called(name), ended_at=at))
    return items[0], items[1], items[2]


@pytest.mark.parametrize("how", ["held", "reported"])
def test_the_next_claim_goes_on_with_the_patient_of_the_last(network: Database, how: str) -> None:
    first, other, second = three(network)
    made = claimed_by(network, "hart")
    if how == "reported":
        report(network, "hart", made, VERIFIED)
    again = claimed_by(network, "hart")
    assert (made.item_id, again.item_id, claimed_by(network, "hart").item_id) == (first, second, other)
    assert again.why[0] == GOING_ON


def test_what_was_given_back_or_another_had_is_not_gone_on_with(network: Database) -> None:
    first, other, _ = three(network)
    do(network, "skip", "hart", claimed_by(network, "hart"))
    assert claimed_by(network, "reed").item_id == first
    assert claimed_by(network, "hart").item_id == other


def test_an_emergency_of_somebody_else_comes_first(network: Database) -> None:
    _, _, second = three(network)
    claimed_by(network, "hart")
    urgent = arrive(network, patient=patient_called("Urgent"), service="Emergency Department")
    found = claimed_by(network, "hart")
    assert (found.item_id, found.why[0]) == (urgent, "the most urgent that you may report")
    assert second not in [one.item_id for one in bundled(network, "hart", urgent)]


def test_what_is_planned_for_a_colleague_is_left_to_them(network: Database) -> None:
    _, other, second = three(network)
    assign(network, second, "reed", rank=1)
    claimed_by(network, "hart")
    assert claimed_by(network, "hart").item_id == other


def test_a_session_s_limits_a_purpose_and_another_day_hold_for_it_too(network: Database) -> None:
    hart = reporter_id(network, "hart")
    first = arrive(network, ended_at=NOW - timedelta(days=1), patient=patient_called("Okafor"))
    second = arrive(network, patient=patient_called("Okafor"))
    assert claimed_by(network, "hart").item_id == first
    assert bundled(network, "hart", first) == []
    third = arrive(network, exam="XKNEL", patient=patient_called("Okafor"))
    made = claim_as(network, hart, item_id=second)
    assert made is not None
    assert [one.item_id for one in bundled(network, "hart", second)] == [third]
    assert claim_as(network, hart, purpose=Purpose.CHECK) is None
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE reporting_session SET modalities = '{CT}'"))
    assert claim_as(network, hart, session_code="hart-insourced") is None


def test_nobody_is_told_of_or_given_what_they_may_not_report(network: Database) -> None:
    hand = arrive(network, patient=patient_called("Okafor"))
    for exam, trust in (("CHEAD", "RXA"), ("XCHES", "RXA")):
        arrive(network, exam=exam, trust=trust, patient=patient_called("Okafor"))
    knee = arrive(network, exam="XKNEL", patient=patient_called("Okafor"))
    assert claimed_by(network, "hart").item_id == hand
    assert [one.item_id for one in bundled(network, "hart", hand)] == [knee]
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE scope_grant SET suspended_at = radpool_now()"))
    assert bundled(network, "hart", hand) == []  # the index still gives it, the rule does not


def test_the_same_number_of_another_trust_is_another_patient(network: Database) -> None:
    hand = arrive(network, patient=patient_called("Okafor"))
    arrive(network, exam="XKNEL", trust="RXB", patient=patient_called("Okafor"))
    assert claimed_by(network, "hart").item_id == hand
    assert bundled(network, "hart", hand) == []


def test_a_list_keeps_one_patient_s_work_together_and_names_it(network: Database) -> None:
    first, other, second = three(network)
    with network.app.begin() as connection:
        found = offered_to(connection, reporter_id(network, "hart"))
    assert [(one.item_id, one.bundle) for one in found] == [(first, (second,)), (second, (first,)), (other, ())]
    claimed_by(network, "hart")
    with network.app.begin() as connection:
        found = offered_to(connection, reporter_id(network, "hart"), limit=2)
    assert [(one.item_id, one.holding) for one in found] == [(first, "claimed"), (second, "open")]


def test_what_lies_beyond_the_list_s_end_is_brought_forward_with_its_patient(network: Database) -> None:
    first, _, second = three(network)
    with network.app.begin() as connection:
        found = offered_to(connection, reporter_id(network, "hart"), limit=2)
    assert [one.item_id for one in found] == [first, second]


def test_a_phantom_s_thousand_exams_cost_no_more_than_fifty(network: Database) -> None:
    multiply(network, arrive(network), 300)
    with network.app.begin() as connection:
        found = offered_to(connection, reporter_id(network, "hart"), limit=10)
        assert len(found) == 10
    assert len(bundled(network, "hart", found[0].item_id)) <= 12
    assert claimed_by(network, "hart").item_id == found[0].item_id


def bundled(network: Database, code: str, item_id: int) -> list[Offered]:
    with network.app.begin() as connection:
        return bundle_of(connection, reporter_id(network, code), item_id)
