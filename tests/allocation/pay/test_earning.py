"""What earns a pay line and what does not: once per report and tariff, held where it is in doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from allocation.configuration.apply import apply
from allocation.configuration.read import InvalidConfiguration, read_files
from tests.allocation.pay.earning import (
    INSOURCED,
    a_session,
    differences,
    doubted,
    file,
    give_back,
    paid,
    reported,
    settle,
    take,
    tamper,
)
from tests.builders import arrive
from tests.conftest import NETWORK, NOW, Database, set_clock
from worklist.db import embedded
from worklist.reading import ReportStatus


def test_a_report_verified_in_an_insourced_session_earns_one_line_per_tariff(network: Database) -> None:
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    (line,) = paid(network)
    assert {name: line[name] for name in line if name not in ("id", "posted_at", "earned_at", "derivation")} == {
        "kind": "earning",
        "reading_id": line["reading_id"],
        "report_id": line["report_id"],
        "claim_id": line["claim_id"],
        "reporter": "hart",
        "session": "hart-insourced",
        "engagement": "hart-rxa",
        "assignment_number": "A-2",
        "payer": "RXA",
        "host": "RXA",
        "tariff_code": "xr",
        "units": Decimal(1),
        "rate_pence": 300,
        "multiplier_percent": 100,
        "window": "standard",
        "amount_pence": 300,
        "rate_card": "network",
        "rate_card_version": 1,
        "event_position": line["event_position"],
        "reverses": None,
    }
    assert line["derivation"][-1] == "Total: 300p"


def test_two_tariffs_of_one_report_are_two_lines(network: Database) -> None:
    a_session(network, "reed", "reed-insourced")
    item_id = arrive(network, exam="XHANL")
    settle(network, item_id, "XHANL", "CHEAD", "MHEAD")
    reported(network, "reed", "reed-insourced")
    assert {one["tariff_code"]: one["amount_pence"] for one in paid(network)} == {
        "xr": 300,
        "ct-head": 1500,
        "ct-mr": 4000,
    }


def test_the_hosts_work_is_paid_by_the_reporters_employer(network: Database) -> None:
    arrive(network, trust="RXB", exam="XHANL")
    reported(network, "hart", INSOURCED)
    assert [(one["payer"], one["host"]) for one in paid(network)] == [("RXA", "RXB")]


@pytest.mark.parametrize("session", [None, "reed-planned"], ids=["no session", "job-planned"])
def test_work_in_ones_own_time_or_the_job_plan_earns_nothing(network: Database, session: str | None) -> None:
    arrive(network, exam="XHANL")
    reported(network, "reed", session)
    assert paid(network) == []
    assert doubted(network) == []


def test_a_preliminary_report_earns_nothing_and_its_check_earns_its_own_tariff(network: Database) -> None:
    a_session(network, "tran", "tran-insourced", after=timedelta(hours=3))
    a_session(network, "reed", "reed-insourced")
    arrive(network, exam="MHEAD")
    set_clock(network.owner, NOW + timedelta(hours=3))
    reported(network, "tran", "tran-insourced", ReportStatus.PRELIMINARY)
    assert paid(network) == []
    reported(network, "reed", "reed-insourced")
    # The check pays its own tariff by the minutes valued for the exam.
    assert [(one["reporter"], one["tariff_code"], one["amount_pence"]) for one in paid(network)] == [
        ("reed", "check", 1500)
    ]


def test_a_preliminary_report_verified_later_by_the_same_reader_is_paid_once(network: Database) -> None:
    arrive(network, exam="XHANL")
    made = take(network, "hart", INSOURCED)
    file(network, "hart", made, ReportStatus.PRELIMINARY)
    assert paid(network) == []
    file(network, "hart", made, ReportStatus.VERIFIED)
    assert len(paid(network)) == 1


def test_an_addendum_and_a_repeated_report_earn_nothing_more(network: Database) -> None:
    arrive(network, exam="XHANL")
    made = reported(network, "hart", INSOURCED)
    file(network, "hart", made, ReportStatus.VERIFIED)
    file(network, "hart", made, ReportStatus.ADDENDUM)
    assert len(paid(network)) == 1


def test_a_report_under_a_superseded_claim_earns_nothing_and_who_reported_is_paid(network: Database) -> None:
    a_session(network, "reed", "reed-insourced")
    arrive(network, exam="XHANL")
    stale = take(network, "hart", INSOURCED)
    set_clock(network.owner, NOW + timedelta(minutes=20))
    current = take(network, "reed", "reed-insourced")
    file(network, "hart", stale, ReportStatus.VERIFIED)
    assert paid(network) == []
    file(network, "reed", current, ReportStatus.VERIFIED)
    assert [one["reporter"] for one in paid(network)] == ["reed"]


@pytest.mark.parametrize(("minutes", "is_paid"), [(59, True), (61, False)])
def test_work_verified_over_an_hour_after_the_session_is_held_with_the_reason(
    network: Database, minutes: int, is_paid: bool
) -> None:
    arrive(network, exam="XHANL")
    made = take(network, "hart", INSOURCED)
    set_clock(network.owner, datetime(2026, 6, 10, 13, 0, tzinfo=UTC) + timedelta(minutes=minutes))
    file(network, "hart", made, ReportStatus.VERIFIED)
    assert (len(paid(network)) == 1) is is_paid
    reasons = [] if is_paid else ["verified more than an hour after the session's end"]
    assert [one["reason"] for one in doubted(network)] == reasons


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM tariff", "rate card network version 1 has no tariff for purpose first, exam XHANL, modality XR"),
        ("UPDATE rate_card SET valid_from = '2027-01-01'", "no rate card is in force on 2026-06-10"),
        (
            "INSERT INTO rate_card (code, version, name, valid_from, approved_by, additional_exam_percent)"
            " VALUES ('other', 1, 'x', '2026-01-01', '{a,b}', 100)",
            "several rate cards are in force on 2026-06-10: network, other",
        ),
        (
            "INSERT INTO tariff SELECT rate_card_id, 'xr2', unit, 1, purposes, exam_codes, modalities FROM tariff"
            " WHERE code = 'xr'",
            "tariffs xr and xr2 would pay the same exam",
        ),
    ],
    ids=["no tariff", "no card", "two cards", "a card that contradicts itself"],
)
def test_work_that_cannot_be_priced_is_held_with_the_reason_and_not_lost(
    network: Database, cluster: embedded.Cluster, statement: str, reason: str
) -> None:
    tamper(network, cluster, statement)
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    assert paid(network) == []
    (one,) = doubted(network)
    assert (one["reporter"], one["reason"]) in {("hart", reason), ("hart", reason.replace("xr and xr2", "xr2 and xr"))}
    assert network.count("SELECT count(*) FROM parked_event") == 0
    assert differences(network) == ()


def test_a_rate_card_that_contradicts_itself_is_never_taken(network: Database, tmp_path: Path) -> None:
    """It could not be edited afterwards, and no report would be priced while it stands."""
    words = NETWORK.read_text().split("[[rate_card]]")[1].split("[[outsource_price]]")[0]
    again = words.replace("version = 1", "version = 2") + words[words.index("[[rate_card.tariffs]]") :].split(
        "[[rate_card.tariffs]]"
    )[1].join(["[[rate_card.tariffs]]", ""]).replace('"xr"', '"xr2"')
    file = tmp_path / "card.toml"
    file.write_text("[[rate_card]]" + again)
    with network.app.connect() as connection, pytest.raises(InvalidConfiguration, match="tariffs xr and xr2 would pay"):
        apply(connection, read_files([file]), by="test")


def test_opening_early_and_verifying_in_a_dearer_hour_gains_nothing(network: Database) -> None:
    a_session(network, "reed", "reed-insourced", lasting=timedelta(hours=12))
    arrive(network, exam="XHANL")
    made = take(network, "reed", "reed-insourced")
    give_back(network, made)
    set_clock(network.owner, datetime(2026, 6, 10, 18, 30, tzinfo=UTC))  # 19:30 in London: the evening window
    reported(network, "reed", "reed-insourced")
    assert [(one["window"], one["amount_pence"]) for one in paid(network)] == [("standard", 300)]


def test_what_is_first_opened_in_the_evening_pays_the_evening(network: Database) -> None:
    a_session(network, "reed", "reed-insourced", lasting=timedelta(hours=12))
    arrive(network, exam="XHANL")
    set_clock(network.owner, datetime(2026, 6, 10, 18, 30, tzinfo=UTC))
    reported(network, "reed", "reed-insourced")
    assert [(one["window"], one["amount_pence"]) for one in paid(network)] == [("evening", 375)]
