"""What verified work earns: exactly once, as the rate card says, provable from the events ever after."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Row, text

from allocation.claims import Claimed, Wish, claim_reading
from allocation.configuration.apply import apply
from allocation.configuration.read import InvalidConfiguration, read_files
from allocation.leases import release
from allocation.pay import ledger
from allocation.pay.ledger import CONSUMER, Difference, post, verify_ledger
from allocation.pay.statements import held, lines, statements
from allocation.reports import ReportGiven, file_report
from tests.builders import arrive, reporter_id
from tests.conftest import NETWORK, NOW, Database
from worklist import events
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.events import consume
from worklist.local_time import LONDON
from worklist.reading import ReportStatus
from worklist.sequencer import sequence
from worklist.settle import classify

INSOURCED = "hart-insourced"


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
    set_clock(network, NOW + timedelta(hours=3))
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
    set_clock(network, NOW + timedelta(minutes=20))
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
    set_clock(network, datetime(2026, 6, 10, 13, 0, tzinfo=UTC) + timedelta(minutes=minutes))
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
    assert count(network, "SELECT count(*) FROM parked_event") == 0
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
    set_clock(network, datetime(2026, 6, 10, 18, 30, tzinfo=UTC))  # 19:30 in London: the evening window
    reported(network, "reed", "reed-insourced")
    assert [(one["window"], one["amount_pence"]) for one in paid(network)] == [("standard", 300)]


def test_what_is_first_opened_in_the_evening_pays_the_evening(network: Database) -> None:
    a_session(network, "reed", "reed-insourced", lasting=timedelta(hours=12))
    arrive(network, exam="XHANL")
    set_clock(network, datetime(2026, 6, 10, 18, 30, tzinfo=UTC))
    reported(network, "reed", "reed-insourced")
    assert [(one["window"], one["amount_pence"]) for one in paid(network)] == [("evening", 375)]


def test_a_consumer_that_dies_half_way_and_one_that_runs_twice_pay_exactly_once(
    network: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        arrive(network, exam="XHANL")
        reported(network, "hart", INSOURCED)
    sequence(network.app)
    for survived in range(6):
        posted = 0

        def dies(connection: Connection, one: events.Event, *, after: int = survived) -> None:
            nonlocal posted
            post(connection, one)
            posted += one.kind == "item.verified"
            if posted > after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            consume(network.app, CONSUMER, dies)
        assert count(network, "SELECT count(*) FROM pay_line") == 0
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: drain(network), range(8)))
    assert count(network, "SELECT count(*) FROM pay_line") == 6
    with network.owner.begin() as connection:  # an older checkpoint comes back from somewhere
        connection.execute(text("UPDATE consumer_checkpoint SET position = 0"))
    drain(network)
    assert count(network, "SELECT count(*) FROM pay_line") == 6
    assert count(network, "SELECT sum(amount_pence) FROM pay_line") == 1800
    assert count(network, "SELECT count(*) FROM parked_event") == 0
    assert differences(network) == ()


def test_later_corrections_change_neither_the_pay_nor_its_proof(network: Database) -> None:
    """Exams, catalogue and session are corrected after the report, before and after it is posted."""
    for _ in range(2):
        item_id = arrive(network, exam="XHANL")
        reported(network, "hart", INSOURCED)
        settle(network, item_id, "MHEAD", "CHEAD")
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE exam SET reporting_minutes = 99"))
        connection.execute(text("UPDATE reporting_session SET kind = 'job_planned', ends_at = starts_at + '1 minute'"))
    assert [one["amount_pence"] for one in paid(network)] == [300, 300]
    assert differences(network) == ()


def test_a_ledger_that_is_whole_shows_no_difference(network: Database) -> None:
    for _ in range(3):
        arrive(network, exam="XHANL")
        reported(network, "hart", INSOURCED)
    assert len(paid(network)) == 3
    assert differences(network) == ()


@pytest.mark.parametrize(
    ("statement", "expected", "posted"),
    [
        ("UPDATE pay_line SET amount_pence = 301 WHERE id = 1", 300, 301),
        ("DELETE FROM pay_line WHERE id = 1", 300, 0),
        ("UPDATE pay_line SET reporter_id = (SELECT id FROM reporter WHERE code = 'reed') WHERE id = 1", 300, 300),
        ("UPDATE pay_line SET payer = 'RXB' WHERE id = 1", 300, 300),
        ("UPDATE pay_line SET earned_at = earned_at - interval '1 month' WHERE id = 1", 300, 300),
        (
            "INSERT INTO pay_line (kind, reading_id, report_id, claim_id, reporter_id, session_id, engagement_id,"
            ' payer, host, tariff_code, units, rate_pence, multiplier_percent, "window", amount_pence, rate_card_id,'
            " derivation, event_position, earned_at) SELECT kind, reading_id, report_id, claim_id, reporter_id,"
            " session_id, engagement_id, payer, host, 'bonus', units, rate_pence, multiplier_percent, \"window\", 5000,"
            " rate_card_id, derivation, event_position, earned_at FROM pay_line WHERE id = 1",
            300,
            5300,
        ),
    ],
    ids=["amount", "deleted", "diverted", "other payer", "other month", "invented"],
)
def test_a_line_that_somebody_tampered_with_is_found(
    network: Database, cluster: embedded.Cluster, statement: str, expected: int, posted: int
) -> None:
    for _ in range(2):
        arrive(network, exam="XHANL")
        reported(network, "hart", INSOURCED)
    first = paid(network)[0]
    tamper(network, cluster, statement)
    assert differences(network) == (Difference(first["report_id"], expected, posted),)


@pytest.mark.parametrize(("amount", "wrong"), [(-300, 0), (-299, 1), (300, 1)])
def test_a_reversal_takes_back_one_line_whole(network: Database, amount: int, wrong: int) -> None:
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    paid(network)
    with network.app.begin() as connection:
        connection.execute(text(_REVERSE), {"amount": amount})
    assert len(differences(network)) == wrong


def test_the_application_can_neither_change_nor_delete_a_line(network: Database) -> None:
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    paid(network)
    for statement in ("UPDATE pay_line SET amount_pence = 1", "DELETE FROM pay_line", "TRUNCATE pay_line"):
        for engine in (network.app, network.owner):
            with engine.connect() as connection, pytest.raises(Exception, match=r"denied|forbidden"):
                connection.execute(text(statement))
    assert count(network, "SELECT sum(amount_pence) FROM pay_line") == 300


def test_every_price_is_what_a_slow_and_simple_reckoning_gives(network: Database, cluster: embedded.Cluster) -> None:
    """Random exams, purposes and hours of a week, priced again from the rows of the rate card in fractions."""
    rng = random.Random(20260610)
    tamper(network, cluster, "UPDATE rate_card SET additional_exam_percent = 67")
    a_session(network, "reed", "reed-insourced", after=timedelta(days=1), lasting=timedelta(days=6))
    moments = sorted(NOW + timedelta(days=1, minutes=rng.randrange(6 * 24 * 60)) for _ in range(25))
    wanted = {}
    for moment in moments:
        set_clock(network, moment)
        item_id = arrive(network, exam="XHANL", ended_at=moment - timedelta(hours=1))
        settle(network, item_id, *rng.sample(["XHANL", "XKNEL", "XCHES", "CHEAD", "MHEAD"], rng.randrange(1, 5)))
        made = reported(network, "reed", "reed-insourced", item_id=item_id)
        with network.owner.connect() as connection:
            wanted[made.claim_id] = slow_price(connection, item_id, "first", moment)
    found: dict[int, int] = {}
    for one in paid(network):
        found[one["claim_id"]] = found.get(one["claim_id"], 0) + one["amount_pence"]
    assert found == wanted
    assert len(set(wanted.values())) > 8
    assert differences(network) == ()


def test_statements_sum_to_the_ledger_by_month_of_london(network: Database) -> None:
    """Half an hour before midnight in London on 30 June, and half an hour after: UTC says June to both."""
    a_session(network, "reed", "reed-insourced", lasting=timedelta(days=40))
    for moment in (NOW, datetime(2026, 6, 30, 22, 30, tzinfo=UTC), datetime(2026, 6, 30, 23, 30, tzinfo=UTC)):
        set_clock(network, moment)
        arrive(network, exam="XHANL", ended_at=moment - timedelta(hours=1))
        arrive(network, trust="RXB", exam="CHEAD", ended_at=moment - timedelta(hours=1))
        for _ in range(2):
            reported(network, "reed", "reed-insourced")
    ledger_lines = paid(network)
    with network.app.connect() as connection:
        found = statements(connection)
        of_trust = statements(connection, trust="RXB")
    assert [(one["month"], one["lines"]) for one in found] == [("2026-06", 4), ("2026-07", 2)]
    assert sum(one["total_pence"] for one in found) == sum(one["amount_pence"] for one in ledger_lines)
    for one in found:
        assert sum(one["by_tariff"].values()) == one["total_pence"]
    hosted = [one["amount_pence"] for one in ledger_lines if one["host"] == "RXB"]
    assert sum(one["total_pence"] for one in of_trust) == sum(hosted) > 0


def test_pay_news_is_for_the_reporter_concerned(network: Database) -> None:
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    paid(network)
    sequence(network.app)
    with network.app.connect() as connection:
        (news,) = [one for one in events.read_after(connection, 0) if one.kind == "pay.posted"]
    assert (news.trust, news.dimensions["reporter"], news.dimensions["pence"]) == (
        "RXA",
        reporter_id(network, "hart"),
        300,
    )


def slow_price(connection: Connection, item_id: int, purpose: str, opened_at: datetime) -> int:
    """Price a report by reading the card's rows, one exam after the other, rounding each tariff's sum once."""
    tariffs = connection.execute(text("SELECT * FROM tariff")).all()
    percent = connection.scalar(text("SELECT additional_exam_percent FROM rate_card"))
    exams = connection.execute(text(_EXAMS), {"item": item_id}).all()
    charged = []
    for exam in exams:
        tariff = most_specific(tariffs, purpose, exam)
        units = Fraction(1) if tariff.unit == "per_exam" else Fraction(exam.reporting_minutes)
        charged.append((units * tariff.amount_pence, tariff.code))
    charged.sort(key=lambda one: (-one[0], one[1]))
    sums: dict[str, Fraction] = {}
    for number, (pence, code) in enumerate(charged):
        share = Fraction(1) if number == 0 else Fraction(percent, 100)
        sums[code] = sums.get(code, Fraction(0)) + pence * share
    local = opened_at.astimezone(LONDON)
    evening = local.weekday() < 5 and 19 <= local.hour < 23
    return sum(int(one * (125 if evening else 100) / 100 + Fraction(1, 2)) for one in sums.values())


def most_specific(tariffs: Sequence[Row[Any]], purpose: str, exam: Row[Any]) -> Row[Any]:
    named = [one for one in tariffs if purpose in one.purposes and exam.code in (one.exam_codes or ())]
    by_modality = [
        one
        for one in tariffs
        if purpose in one.purposes and one.exam_codes is None and exam.modality in (one.modalities or ())
    ]
    return [*named, *by_modality][0]


def a_session(
    network: Database,
    code: str,
    session: str,
    *,
    after: timedelta = timedelta(0),
    lasting: timedelta = timedelta(hours=4),
) -> None:
    """Give a reporter an insourced session in place of all others of theirs."""
    with network.owner.begin() as connection:
        connection.execute(
            text("UPDATE reporting_session SET cancelled_at = radpool_now() WHERE reporter_id = :id"),
            {"id": reporter_id(network, code)},
        )
        connection.execute(
            text(
                "INSERT INTO reporting_session (code, reporter_id, engagement_id, kind, starts_at, ends_at, location,"
                " outside_job_plan_attested) SELECT :session, r.id, e.id, 'insourced', :starts, :ends, 'home', true"
                " FROM reporter r JOIN engagement e ON e.reporter_id = r.id WHERE r.code = :code"
            ),
            {"session": session, "code": code, "starts": NOW + after, "ends": NOW + after + lasting},
        )


def take(network: Database, code: str, session: str | None, item_id: int | None = None) -> Claimed:
    with network.app.begin() as connection:
        wish = Wish(session_code=session, item_id=item_id)
        made = claim_reading(connection, code, reporter_id(network, code), wish, lease_seconds=900)
    assert made is not None
    return made


def file(network: Database, code: str, made: Claimed, status: ReportStatus) -> None:
    with network.app.begin() as connection:
        given = ReportGiven(status, "No fracture.")
        file_report(connection, code, reporter_id(network, code), made.claim_id, made.token, given)


def reported(
    network: Database,
    code: str,
    session: str | None,
    status: ReportStatus = ReportStatus.VERIFIED,
    *,
    item_id: int | None = None,
) -> Claimed:
    made = take(network, code, session, item_id)
    file(network, code, made, status)
    return made


def give_back(network: Database, made: Claimed) -> None:
    with network.app.begin() as connection:
        release(connection, "reed", reporter_id(network, "reed"), made.claim_id, made.token)


def settle(network: Database, item_id: int, *codes: str) -> None:
    with network.app.begin() as connection:
        classify(connection, "pacs", item_id, codes)


def drain(network: Database) -> None:
    while consume(network.app, CONSUMER, ledger.post):
        pass


def paid(network: Database) -> list[dict[str, Any]]:
    """Post what is due and give all lines."""
    sequence(network.app)
    drain(network)
    with network.app.connect() as connection:
        return lines(connection)


def doubted(network: Database) -> list[dict[str, Any]]:
    with network.app.connect() as connection:
        return held(connection)


def differences(network: Database) -> tuple[Difference, ...]:
    with network.app.connect() as connection:
        return verify_ledger(connection)


def set_clock(network: Database, to: datetime) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = :now - clock_timestamp()"), {"now": to})


def count(network: Database, statement: str) -> int:
    with network.owner.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


def tamper(network: Database, cluster: embedded.Cluster, statement: str) -> None:
    """Do as the superuser what nobody else may, with the triggers that forbid it out of the way."""
    superuser = make_engine(cluster.url("superuser", network.app.url.database or ""))
    with superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    superuser.dispose()


_EXAMS = (
    "SELECT e.code, e.modality, e.reporting_minutes FROM item_exam i JOIN exam e ON e.code = i.exam_code"
    " WHERE i.item_id = :item"
)
_REVERSE = (
    "INSERT INTO pay_line (kind, reading_id, report_id, claim_id, reporter_id, session_id, engagement_id, payer, host,"
    ' tariff_code, units, rate_pence, multiplier_percent, "window", amount_pence, rate_card_id, derivation,'
    " event_position, reverses, earned_at) SELECT 'reversal', reading_id, report_id, claim_id, reporter_id, session_id,"
    ' engagement_id, payer, host, tariff_code, units, rate_pence, multiplier_percent, "window", :amount, rate_card_id,'
    " derivation, event_position, id, earned_at FROM pay_line"
)
