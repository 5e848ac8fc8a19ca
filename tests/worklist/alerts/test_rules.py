"""Alerts: by when each is to be acknowledged, by whom it was, and that nobody has to ask for the escalation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from allocation.reports import ALERTS, ReportGiven
from cli.services.allocator import Allocator
from tests.allocation.claims.claiming import claimed_by, do, let_pass, report
from tests.allocation.configuration.applying import apply_text
from tests.builders import arrive
from tests.conftest import NOW, Database
from tests.worklist.arrivals import doubts_of, events_of
from worklist.alerts.acts import AlertAcknowledged, UnknownAlert, acknowledge, escalate_overdue, list_alerts
from worklist.alerts.rules import AlertKind, AlertTimer, acknowledge_by
from worklist.reading import ReportStatus
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.span import Span

TIMERS = "".join(
    f'[[alert_timer]]\nkind = "{kind}"\nwithin = "{within}"\nvalid_from = 2026-01-01\nsource = "test"\n'
    for kind, within in (("critical", "1 hour"), ("urgent", "24 hours"), ("cancer", "5 working days"))
)


def timer(kind: AlertKind, within: str, trust: str | None = None, first: date = date(2026, 1, 1)) -> AlertTimer:
    return AlertTimer(kind, trust, Span.parse(within), first, date(2026, 12, 31))


RULES = [
    timer(AlertKind.CRITICAL, "1 hour"),
    timer(AlertKind.CRITICAL, "30 minutes", "RXB"),
    timer(AlertKind.CANCER, "5 working days"),
    timer(AlertKind.URGENT, "24 hours", first=date(2026, 7, 1)),
]
FRIDAY = datetime(2026, 5, 22, 9, tzinfo=UTC)  # before the spring bank holiday


@pytest.mark.parametrize(
    ("kind", "trust", "at", "expected"),
    [
        (AlertKind.CRITICAL, "RXA", FRIDAY, FRIDAY + timedelta(hours=1)),
        (AlertKind.CRITICAL, "RXB", FRIDAY, FRIDAY + timedelta(minutes=30)),
        (AlertKind.CANCER, "RXA", FRIDAY, datetime(2026, 6, 1, 9, tzinfo=UTC)),
        (AlertKind.URGENT, "RXA", FRIDAY, FRIDAY),  # no timer yet: at once
        (AlertKind.URGENT, "RXA", datetime(2026, 7, 1, 9, tzinfo=UTC), datetime(2026, 7, 2, 9, tzinfo=UTC)),
        (AlertKind.UNEXPECTED_SIGNIFICANT, "RXA", FRIDAY, FRIDAY),
        (AlertKind.CRITICAL, "RXA", datetime(2027, 1, 1, 9, tzinfo=UTC), datetime(2027, 1, 1, 9, tzinfo=UTC)),
    ],
)
def test_by_when_an_alert_must_be_acknowledged(kind: AlertKind, trust: str, at: datetime, expected: datetime) -> None:
    assert acknowledge_by(kind, trust, at, RULES, england_bank_holidays([2026, 2027])) == expected


def test_a_report_may_alert_to_each_kind() -> None:
    assert set(ALERTS) == {"critical", "urgent", "cancer", "unexpected-significant"}


def alerting(network: Database, *kinds: str, status: ReportStatus = ReportStatus.VERIFIED) -> int:
    """Report an item with these alerts and give the item."""
    item_id = arrive(network)
    report(network, "reed", claimed_by(network, "reed"), ReportGiven(status, "words", kinds))
    return item_id


def listed(network: Database, **wanted: Any) -> list[dict[str, Any]]:
    asked: dict[str, Any] = {"trust": "RXA", "every_trust": False, "open_only": True, "kind": None, "limit": 10}
    with network.app.connect() as connection:
        return list_alerts(connection, **{**asked, **wanted})


def note(network: Database, alert_id: int, by: str = "cora") -> None:
    with network.app.begin() as connection:
        acknowledge(connection, by, alert_id, "told Dr Zephyrwood by telephone")


def test_a_report_raises_its_alerts_each_once_and_the_most_pressing_stands_first(network: Database) -> None:
    apply_text(network, TIMERS)
    item_id = alerting(network, "cancer", "critical", "critical")
    rows = listed(network)
    assert [(row["kind"], row["item_id"], row["overdue"]) for row in rows] == [
        ("critical", item_id, False),
        ("cancer", item_id, False),
    ]
    assert abs(rows[0]["acknowledge_by"] - NOW - timedelta(hours=1)) < timedelta(minutes=1)
    assert events_of(network.app).count("alert.raised") == 2
    assert (listed(network, trust="RXB"), len(listed(network, kind="cancer"))) == ([], 1)


def test_the_same_report_again_raises_nothing_twice(network: Database) -> None:
    arrive(network)
    made, given = claimed_by(network, "reed"), ReportGiven(ReportStatus.VERIFIED, "words", ("critical",))
    report(network, "reed", made, given)
    assert report(network, "reed", made, given).repeated
    assert len(listed(network)) == 1


def test_an_alert_of_a_superseded_report_is_raised_too(network: Database) -> None:
    arrive(network)
    made = claimed_by(network, "reed")
    do(network, "release", "reed", made)
    filed = report(network, "reed", made, ReportGiven(ReportStatus.VERIFIED, "words", ("critical",)))
    assert filed.superseded is not None
    assert [row["kind"] for row in listed(network)] == ["critical"]


def test_what_nobody_acknowledges_in_time_is_escalated_once_by_the_running_service(network: Database) -> None:
    apply_text(network, TIMERS)
    alerting(network, "critical", "urgent")
    allocator = Allocator(network.app, plan_seconds=60)
    allocator.step()
    assert "alert-not-acknowledged" not in doubts_of(network.app)
    let_pass(network, 3601)
    allocator.step()
    allocator.step()
    assert events_of(network.app).count("alert.escalated") == 1
    assert "alert-not-acknowledged" in doubts_of(network.app)
    first, second = listed(network)
    assert (first["overdue"], first["escalated_at"] is None) == (True, False)
    assert (second["overdue"], second["escalated_at"]) == (False, None)
    assert network.count("SELECT count(*) FROM audit.entry WHERE action = 'escalate alert'") == 1


def test_an_alert_without_a_timer_is_escalated_at_once(network: Database) -> None:
    alerting(network, "critical")
    assert escalate_overdue(network.app) == 1


def test_an_acknowledgement_names_who_and_settles_what_was_escalated(network: Database) -> None:
    alerting(network, "critical", "cancer")
    assert escalate_overdue(network.app) == 2
    [first, second] = listed(network)
    note(network, first["id"])
    assert [row["id"] for row in listed(network)] == [second["id"]]
    assert "alert-not-acknowledged" in doubts_of(network.app)  # the other one's
    note(network, second["id"])
    assert "alert-not-acknowledged" not in doubts_of(network.app)
    done = listed(network, open_only=False)
    assert {(row["acknowledged_by"], row["overdue"]) for row in done} == {("cora", False)}
    assert escalate_overdue(network.app) == 0
    with pytest.raises(AlertAcknowledged, match="cora"):
        note(network, first["id"], by="another")
    with pytest.raises(UnknownAlert):
        note(network, 987654321)


def test_the_words_of_an_acknowledgement_stay_under_row_level_security(network: Database) -> None:
    alerting(network, "critical")
    note(network, listed(network)[0]["id"])
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT note FROM item_act")) == "told Dr Zephyrwood by telephone"
        told = str(connection.execute(text("SELECT dimensions FROM event")).all())
        told += str(connection.execute(text("SELECT payload FROM audit.entry")).all())
    assert "Zephyrwood" not in told
    with network.app.begin() as connection:
        assert connection.execute(text("SELECT note FROM item_act")).all() == []


def test_many_that_escalate_at_once_escalate_each_alert_once(network: Database) -> None:
    alerting(network, "critical", "cancer", "urgent")
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: escalate_overdue(network.app), range(4)))
    assert sum(counts) == 3
    assert events_of(network.app).count("alert.escalated") == 3
