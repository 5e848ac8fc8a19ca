"""Work done in sessions for the tests of pay, and a reading of ledger and prices that is slow and simple."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, text

from allocation.claims import Claimed, Wish, claim_reading
from allocation.leases import release
from allocation.pay import ledger
from allocation.pay.ledger import CONSUMER, Difference, verify_ledger
from allocation.pay.statements import held, lines
from allocation.reports import ReportGiven, file_report
from tests.builders import reporter_id
from tests.conftest import NOW, Database
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.life.settle import classify
from worklist.local_time import LONDON
from worklist.log.events import consume
from worklist.log.sequencer import sequence
from worklist.reading import ReportStatus

INSOURCED = "hart-insourced"


def slow_price(connection: Connection, item_id: int, purpose: str, opened_at: datetime) -> int:
    """Price a report by reading the card's rows, one exam after the other, rounding each tariff's sum once."""
    tariffs = connection.execute(text("SELECT * FROM tariff")).all()
    percent = connection.scalar(text("SELECT additional_exam_percent FROM rate_card"))
    exams = connection.execute(text(EXAMS), {"item": item_id}).all()
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


def tamper(network: Database, cluster: embedded.Cluster, statement: str) -> None:
    """Do as the superuser what nobody else may, with the triggers that forbid it out of the way."""
    superuser = make_engine(cluster.url("superuser", network.app.url.database or ""))
    with superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    superuser.dispose()


EXAMS = (
    "SELECT e.code, e.modality, e.reporting_minutes FROM item_exam i JOIN exam e ON e.code = i.exam_code"
    " WHERE i.item_id = :item"
)
REVERSE = (
    "INSERT INTO pay_line (kind, reading_id, report_id, claim_id, reporter_id, session_id, engagement_id, payer, host,"
    ' tariff_code, units, rate_pence, multiplier_percent, "window", amount_pence, rate_card_id, derivation,'
    " event_position, reverses, earned_at) SELECT 'reversal', reading_id, report_id, claim_id, reporter_id, session_id,"
    ' engagement_id, payer, host, tariff_code, units, rate_pence, multiplier_percent, "window", :amount, rate_card_id,'
    " derivation, event_position, id, earned_at FROM pay_line"
)
