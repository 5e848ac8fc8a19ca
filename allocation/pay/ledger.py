"""Posts pay lines from the event log, each exactly once; and recomputes the ledger to prove it.

A report verified under a claim made in an insourced session earns what the rate card says. Where
that is in doubt the pay is held with the reason, never the report. Lines are appended, never edited
(docs/decisions/0008-pay-ledger.md). It must not price; `allocation.pay.pricing` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text

from allocation.claims import session_of
from allocation.pay.pricing import NoTariff, PayableWork, Price, PricedExam, price
from allocation.pay.rate_card import (
    AmbiguousRateCard,
    NoRateCard,
    RateCard,
    Tariff,
    TariffUnit,
    Window,
    card_in_force,
)
from worklist import events
from worklist.bank_holidays import england_bank_holidays
from worklist.completion import UNMAPPED_MINUTES
from worklist.db.tables.claims import claim
from worklist.db.tables.pay import held_pay, pay_line, rate_card, rate_window, tariff
from worklist.db.tables.people import engagement, reporting_session
from worklist.db.tables.work import item
from worklist.events import Event
from worklist.item import Move

#: The consumer's name: its checkpoint says up to which position work has been paid.
CONSUMER = "pay"
#: Work claimed in session and verified this long after its end pays without question.
GRACE = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Difference:
    """A report whose lines are not what the events and the rate card say."""

    report_id: int
    expected_pence: int
    posted_pence: int


def post(connection: Connection, one: Event) -> None:
    """Post what a verified report earns; other events and unpaid time earn nothing."""
    due = earnings(connection, one)
    if due is None:
        return
    if isinstance(due.price, str):
        connection.execute(
            insert(held_pay).values(
                report_id=due.report_id,
                reporter_id=due.claim.reporter_id,
                reason=due.price,
                event_position=one.position,
            )
        )
        events.append(connection, "pay.held", dimensions={"report": due.report_id, "reason": due.price})
        return
    connection.execute(insert(pay_line), [_line(due, one, number) for number in range(len(due.price.lines))])
    events.append(
        connection,
        "pay.posted",
        trust=one.trust,
        item_id=one.item_id,
        dimensions={"report": due.report_id, "reporter": due.claim.reporter_id, "pence": due.price.total_pence},
    )


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a verified report earns: its price, or the reason for which it is held."""

    report_id: int
    claim: Row[Any]
    session: Row[Any]
    payer: str
    card_id: int | None
    price: Price | str


def earnings(connection: Connection, one: Event) -> Earnings | None:
    """Work out what an event earns, from what stands in the database; None where nothing is due."""
    if one.kind != Move.VERIFIED.value or one.dimensions.get("session") is None:
        return None
    session = connection.execute(
        select(reporting_session).where(reporting_session.c.id == one.dimensions["session"])
    ).one()
    if not session_of(session).pays_per_report:
        return None
    made = connection.execute(select(claim).where(claim.c.id == one.dimensions["claim"])).one()
    payer = connection.scalar(select(engagement.c.payer).where(engagement.c.id == session.engagement_id)) or ""
    report_id = int(one.dimensions["report"])
    if one.at > session.ends_at + GRACE:
        return Earnings(report_id, made, session, payer, None, "verified more than an hour after the session's end")
    try:
        card = card_in_force(rate_cards(connection), session.starts_at)
        worked = PayableWork(
            purpose=str(one.dimensions["purpose"]),
            exams=_priced_exams(connection, one.item_id),
            first_opened_at=_first_opened(connection, made),
            session_starts_at=session.starts_at,
        )
        year = worked.first_opened_at.year
        priced = price(worked, card, england_bank_holidays((year - 1, year, year + 1)))
    except (NoRateCard, AmbiguousRateCard, NoTariff) as error:
        return Earnings(report_id, made, session, payer, None, str(error))
    return Earnings(report_id, made, session, payer, card.id, priced)


def verify_ledger(connection: Connection) -> tuple[Difference, ...]:
    """Recompute every report's pay from the events and give those whose lines differ."""
    posted: dict[int, int] = {
        row.report_id: int(row.pence)
        for row in connection.execute(
            text("SELECT report_id, sum(amount_pence) AS pence FROM pay_line GROUP BY report_id")
        )
    }
    paid_to = connection.scalar(
        text("SELECT position FROM consumer_checkpoint WHERE consumer = :name"), {"name": CONSUMER}
    )
    expected: dict[int, int] = {}
    position = 0
    while batch := events.read_after(connection, position, limit=1000):
        position = batch[-1].position
        for one in batch:
            due = earnings(connection, one) if one.position <= (paid_to or 0) else None
            if due is not None and isinstance(due.price, Price):
                expected[due.report_id] = due.price.total_pence
    return tuple(
        Difference(report_id, expected.get(report_id, 0), posted.get(report_id, 0))
        for report_id in sorted(posted.keys() | expected.keys())
        if expected.get(report_id, 0) != posted.get(report_id, 0)
    )


def rate_cards(connection: Connection) -> list[RateCard]:
    """Give every version of every rate card."""
    tariffs = connection.execute(select(tariff)).all()
    windows = connection.execute(select(rate_window)).all()
    return [
        RateCard(
            id=card.id,
            code=card.code,
            version=card.version,
            valid_from=card.valid_from,
            valid_to=card.valid_to,
            approved_by=tuple(card.approved_by),
            tariffs=tuple(
                Tariff(
                    one.code,
                    TariffUnit(one.unit),
                    one.amount_pence,
                    frozenset(one.purposes),
                    None if one.exam_codes is None else frozenset(one.exam_codes),
                    None if one.modalities is None else frozenset(one.modalities),
                )
                for one in tariffs
                if one.rate_card_id == card.id
            ),
            windows=tuple(
                Window(one.name, frozenset(one.days), one.starts, one.ends, one.bank_holidays, one.multiplier_percent)
                for one in windows
                if one.rate_card_id == card.id
            ),
            additional_exam_percent=card.additional_exam_percent,
        )
        for card in connection.execute(select(rate_card))
    ]


def _priced_exams(connection: Connection, item_id: int | None) -> tuple[PricedExam, ...]:
    modality = connection.scalar(select(item.c.modality).where(item.c.id == item_id))
    rows = connection.execute(
        text(
            "SELECT e.code, e.modality, e.reporting_minutes FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code"
            " WHERE ie.item_id = :item ORDER BY ie.position"
        ),
        {"item": item_id},
    )
    return tuple(
        PricedExam(row.code, row.modality or modality, row.reporting_minutes or Decimal(UNMAPPED_MINUTES))
        for row in rows
    )


def _first_opened(connection: Connection, made: Row[Any]) -> Any:
    """Give when the reporter first opened the reading in this session: waiting for a better hour gains nothing."""
    return connection.scalar(
        select(claim.c.claimed_at)
        .where(
            claim.c.reading_id == made.reading_id,
            claim.c.reporter_id == made.reporter_id,
            claim.c.session_id == made.session_id,
        )
        .order_by(claim.c.claimed_at)
        .limit(1)
    )


def _line(due: Earnings, one: Event, number: int) -> dict[str, Any]:
    assert isinstance(due.price, Price)
    line = due.price.lines[number]
    return {
        "kind": "earning",
        "reading_id": due.claim.reading_id,
        "report_id": due.report_id,
        "claim_id": due.claim.id,
        "reporter_id": due.claim.reporter_id,
        "session_id": due.session.id,
        "engagement_id": due.session.engagement_id,
        "payer": due.payer,
        "host": one.trust,
        "tariff_code": line.tariff_code,
        "units": line.units,
        "rate_pence": line.rate_pence,
        "multiplier_percent": line.multiplier_percent,
        "window": due.price.window,
        "amount_pence": line.amount_pence,
        "rate_card_id": due.card_id,
        "derivation": list(due.price.derivation),
        "event_position": one.position,
        "earned_at": one.at,
    }
