"""When a clinic or meeting needs the report: due by then where that is earlier; list, plan and claim say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from allocation.offered import Offered, offered_to
from allocation.planner import greedy
from allocation.planner.run import replan
from tests.allocation.claims.claiming import claim_as, claimed_by
from tests.builders import arrive, patient_called, reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import acquired, an_object, an_order, receive_and_complete, take
from worklist.turnaround.targets import Setting, Urgency

CLINIC = datetime(2026, 6, 12, 8, 0, tzinfo=UTC)
NEEDED = "due 2026-06-12 08:00 UTC, when a clinic or meeting needs it"


def needed(network: Database, at: datetime) -> int:
    """Give a routine chest X-ray of which the report is needed at an instant."""
    take(network.app, an_order(needed_by=acquired(at), urgency=Urgency.ROUTINE, setting=Setting.GP))
    receive_and_complete(network.app, an_object(requesting_service="General Practice"))
    return network.count("SELECT item_id FROM order_identity WHERE accession_number = '000123'")


def listed(network: Database) -> list[Offered]:
    with network.app.begin() as connection:
        return offered_to(connection, reporter_id(network, "reed"))


def test_a_claim_and_a_list_say_that_a_clinic_needs_it(network: Database) -> None:
    item_id = needed(network, CLINIC)
    other = arrive(network, patient=patient_called("Other"))
    assert [(one.item_id, one.why) for one in listed(network)] == [(item_id, NEEDED), (other, None)]
    made = claimed_by(network, "reed")
    assert (made.item_id, made.why[1]) == (item_id, NEEDED)


def test_the_plan_is_made_by_it_and_says_so(network: Database) -> None:
    other = arrive(network, exam="XCHES", patient=patient_called("Other"))
    item_id = needed(network, CLINIC)
    assert replan(network.app, greedy.plan, solver="greedy") is not None
    planned = {one.item_id: one.why or "" for one in listed(network) if one.holding == "assigned"}
    assert "due when a clinic or meeting needs it" in planned[item_id]
    assert "clinic" not in planned.get(other, "")


@pytest.mark.parametrize("at", [CLINIC + timedelta(days=100), datetime(2026, 6, 1, tzinfo=UTC)])
def test_a_clinic_after_the_target_or_before_the_exam_changes_nothing(network: Database, at: datetime) -> None:
    needed(network, at)
    made = claim_as(network, reporter_id(network, "reed"))
    assert made is not None
    assert made.why[1] == "due 2026-06-24 08:00 UTC"
