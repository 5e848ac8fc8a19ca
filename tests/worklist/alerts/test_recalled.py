"""Alerts of a report that is recalled: they wait on and say so, who was told is told again, the new report decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allocation.reports import ReportGiven
from tests.allocation.claims.claiming import PRELIMINARY, claimed_by, let_pass, report
from tests.allocation.configuration.applying import apply_text
from tests.builders import arrive, patient_called
from tests.conftest import Database
from tests.worklist.alerts.test_rules import TIMERS, alerting, listed, note
from tests.worklist.arrivals import a_home_report, doubts_of, events_of, take
from worklist.alerts.acts import AlertSettled, escalate_overdue
from worklist.life.recall import recall
from worklist.reading import Discrepancy, ReportStatus

LATE = "alert-not-acknowledged"


def recalled(network: Database, item_id: int) -> None:
    with network.app.begin() as connection:
        recall(connection, "lead", item_id, "error-in-report")


def amended(network: Database, *kinds: str, status: ReportStatus = ReportStatus.VERIFIED, by: str = "reed") -> int:
    made = claimed_by(network, by)
    assert made.purpose in ("amendment", "check")
    return report(network, by, made, ReportGiven(status, "better words", kinds)).report_id


def kinds(network: Database) -> list[str]:
    return [row["kind"] for row in listed(network)]


def test_an_alert_of_a_recalled_report_waits_on_and_says_so(network: Database) -> None:
    apply_text(network, TIMERS)
    item_id = alerting(network, "critical")
    [before] = listed(network)
    recalled(network, item_id)
    [after] = listed(network)
    assert (before["report_recalled_at"], after["report_recalled_at"] is None) == (None, False)
    assert (after["id"], after["acknowledge_by"]) == (before["id"], before["acknowledge_by"])
    let_pass(network, 3601)
    assert escalate_overdue(network.app) == 1
    note(network, after["id"])
    assert (listed(network), LATE in doubts_of(network.app)) == ([], False)


def test_who_acknowledged_an_alert_is_told_that_its_report_was_recalled(network: Database) -> None:
    item_id = alerting(network, "critical", "cancer")
    for row in listed(network):
        note(network, row["id"])
    recalled(network, item_id)
    [told] = listed(network)
    assert (told["kind"], told["report_recalled_at"] is None) == ("report-recalled", False)
    amended(network)
    assert kinds(network) == ["report-recalled"]  # no report can settle that
    note(network, told["id"])
    assert listed(network) == []


def test_a_recall_of_a_report_without_alerts_raises_none(network: Database) -> None:
    recalled(network, alerting(network))
    assert listed(network) == []


def test_what_the_new_report_raises_again_gets_no_new_time(network: Database) -> None:
    apply_text(network, TIMERS)
    item_id = alerting(network, "critical", "urgent")
    by = {row["kind"]: row["acknowledge_by"] for row in listed(network)}
    recalled(network, item_id)
    let_pass(network, 1800)
    new = amended(network, "critical")
    [again] = listed(network)
    assert (again["kind"], again["report_id"], again["report_recalled_at"]) == ("critical", new, None)
    assert again["acknowledge_by"] == by["critical"]
    settled = [row for row in listed(network, open_only=False) if row["settled_at"] is not None]
    assert {(row["kind"], row["settled_by_report_id"]) for row in settled} == {("critical", new), ("urgent", new)}
    assert events_of(network.app).count("alert.settled") == 2
    let_pass(network, 1801)
    assert escalate_overdue(network.app) == 1  # the new one alone
    with pytest.raises(AlertSettled, match=str(new)):
        note(network, settled[0]["id"])


def test_what_was_escalated_and_no_longer_holds_is_nobody_s_exception(network: Database) -> None:
    item_id = alerting(network, "critical")
    assert escalate_overdue(network.app) == 1
    recalled(network, item_id)
    amended(network)
    assert (listed(network), LATE in doubts_of(network.app)) == ([], False)
    assert network.count("SELECT count(*) FROM audit.entry WHERE payload LIKE '%\"alerts_settled\":[1]%'") == 1


def test_a_material_change_that_nobody_was_told_of_stays_whatever_follows(network: Database) -> None:
    item_id = arrive(network)
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    given = ReportGiven(ReportStatus.VERIFIED, "other words", discrepancy=Discrepancy.MATERIAL)
    report(network, "reed", claimed_by(network, "reed"), given)
    recalled(network, item_id)
    amended(network, "urgent")
    assert sorted(kinds(network)) == ["material-change", "urgent"]


def test_a_preliminary_report_in_its_place_settles_nothing_before_it_is_checked(network: Database) -> None:
    item_id = alerting(network, "critical", "urgent")
    recalled(network, item_id)
    amended(network, "critical", status=ReportStatus.PRELIMINARY, by="tran")
    assert sorted(kinds(network)) == ["critical", "critical", "urgent"]
    amended(network, "critical")
    rows = listed(network)
    assert sorted(row["kind"] for row in rows) == ["critical", "critical"]  # the preliminary one's stands as well
    assert {row["report_recalled_at"] for row in rows} == {None}


def test_a_report_of_the_home_ris_settles_nothing_for_nobody_knows_what_it_says(network: Database) -> None:
    item_id = alerting(network, "critical")
    recalled(network, item_id)
    let_pass(network, timedelta(hours=1).total_seconds())
    number = network.count("SELECT substr(accession_number, 2)::int FROM order_identity")
    take(network.app, a_home_report(100, accession_number=f"A{number:06d}", patient=patient_called()))
    assert "item.reported-at-home" in events_of(network.app)
    assert kinds(network) == ["critical"]
