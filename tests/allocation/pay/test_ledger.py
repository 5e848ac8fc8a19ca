"""The ledger: exact through deaths and repetitions, beyond change, proved line by line, summed by month of London."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from allocation.pay.ledger import CONSUMER, Difference, post
from allocation.pay.statements import statements
from tests.allocation.pay.earning import (
    INSOURCED,
    REVERSE,
    a_session,
    differences,
    drain,
    paid,
    reported,
    settle,
    slow_price,
    tamper,
)
from tests.builders import arrive, reporter_id
from tests.conftest import NOW, Database, set_clock
from worklist.db import embedded
from worklist.log import events
from worklist.log.events import consume
from worklist.log.sequencer import sequence


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
        assert network.count("SELECT count(*) FROM pay_line") == 0
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: drain(network), range(8)))
    assert network.count("SELECT count(*) FROM pay_line") == 6
    with network.owner.begin() as connection:  # an older checkpoint comes back from somewhere
        connection.execute(text("UPDATE consumer_checkpoint SET position = 0"))
    drain(network)
    assert network.count("SELECT count(*) FROM pay_line") == 6
    assert network.count("SELECT sum(amount_pence) FROM pay_line") == 1800
    assert network.count("SELECT count(*) FROM parked_event") == 0
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
        connection.execute(text(REVERSE), {"amount": amount})
    assert len(differences(network)) == wrong


def test_the_application_can_neither_change_nor_delete_a_line(network: Database) -> None:
    arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    paid(network)
    for statement in ("UPDATE pay_line SET amount_pence = 1", "DELETE FROM pay_line", "TRUNCATE pay_line"):
        for engine in (network.app, network.owner):
            with engine.connect() as connection, pytest.raises(Exception, match=r"denied|forbidden"):
                connection.execute(text(statement))
    assert network.count("SELECT sum(amount_pence) FROM pay_line") == 300


def test_every_price_is_what_a_slow_and_simple_reckoning_gives(network: Database, cluster: embedded.Cluster) -> None:
    """Random exams, purposes and hours of a week, priced again from the rows of the rate card in fractions."""
    rng = random.Random(20260610)
    tamper(network, cluster, "UPDATE rate_card SET additional_exam_percent = 67")
    a_session(network, "reed", "reed-insourced", after=timedelta(days=1), lasting=timedelta(days=6))
    moments = sorted(NOW + timedelta(days=1, minutes=rng.randrange(6 * 24 * 60)) for _ in range(25))
    wanted = {}
    for moment in moments:
        set_clock(network.owner, moment)
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
        set_clock(network.owner, moment)
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
