"""Posts pay lines from the event log, each exactly once; and recomputes the ledger to prove it.

A report verified under a claim made in an insourced session earns what the rate card says. Where
that is in doubt the pay is held with the reason, never the report. Lines are appended, never edited
(docs/decisions/0008-pay-ledger.md). It must not price; `allocation.pay.pricing` does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text

from allocation.pay.payable import read_payable
from allocation.pay.pricing import NoTariff, PayableWork, Price, price
from allocation.pay.rate_card import (
    AmbiguousRateCard,
    InvalidRateCard,
    NoRateCard,
    RateCard,
    Tariff,
    TariffUnit,
    Window,
    card_in_force,
)
from allocation.session import SessionKind
from worklist.db.tables.claims import claim
from worklist.db.tables.pay import held_pay, pay_line, rate_card, rate_window, tariff
from worklist.db.tables.people import engagement, reporting_session
from worklist.item import Move
from worklist.log import events
from worklist.log.events import Event
from worklist.reading import Purpose
from worklist.turnaround.bank_holidays import england_bank_holidays

#: The consumer's name: its checkpoint says up to which position work has been paid.
CONSUMER = "pay"
#: The kinds of events on which pay hangs.
KINDS = frozenset({Move.VERIFIED.value, Move.REPORTED_AT_HOME.value})
#: Work claimed in session and verified this long after its end pays without question.
GRACE = timedelta(minutes=60)
_REPORTED_MEANWHILE = "the home RIS reported it while it was being read here"


@dataclass(frozen=True, slots=True)
class Difference:
    """A report whose lines are not what the events and the rate card say."""

    report_id: int
    expected_pence: int
    posted_pence: int


def post(connection: Connection, one: Event) -> None:
    """Post what a verified report earns; other events, unpaid time and what was posted before earn nothing.

    Work that was ended because its item was reported at home is held: a person says what it earns.
    """
    if one.kind == Move.REPORTED_AT_HOME.value:
        _hold_interrupted(connection, one)
        return
    due = earnings(connection, one)
    if due is None or connection.scalar(_DEALT_WITH, {"report": due.report_id}):
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
        events.append(
            connection,
            "pay.held",
            trust=one.trust,
            item_id=one.item_id,
            dimensions={"report": due.report_id, "reporter": due.claim.reporter_id, "reason": due.price},
        )
        return
    connection.execute(insert(pay_line), [_line(due, one, number) for number in range(len(due.price.lines))])
    events.append(
        connection,
        "pay.posted",
        trust=one.trust,
        item_id=one.item_id,
        dimensions={"report": due.report_id, "reporter": due.claim.reporter_id, "pence": due.price.total_pence},
    )


def _hold_interrupted(connection: Connection, one: Event) -> None:
    """Hold the pay of claims in paid sessions that a report of the home RIS ended."""
    for made in connection.execute(_INTERRUPTED, {"claims": list(one.dimensions.get("claims_ended", ()))}):
        if not SessionKind(made.kind).pays_per_report or connection.scalar(_HELD, {"claim": made.id}):
            continue
        values = {"claim_id": made.id, "reporter_id": made.reporter_id, "reason": _REPORTED_MEANWHILE}
        connection.execute(insert(held_pay).values(**values, event_position=one.position))
        dimensions = {"claim": made.id, "reporter": made.reporter_id, "reason": _REPORTED_MEANWHILE}
        events.append(connection, "pay.held", trust=one.trust, item_id=one.item_id, dimensions=dimensions)


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a verified report earns: its price, or the reason for which it is held."""

    report_id: int
    claim: Row[Any]
    engagement: Row[Any]
    card_id: int | None
    price: Price | str


def earnings(connection: Connection, one: Event, cards: Sequence[RateCard] | None = None) -> Earnings | None:
    """Work out what an event earns, from what it took down and the rate cards; None where nothing is due.

    `cards` None reads the rate cards.
    """
    if one.kind != Move.VERIFIED.value or one.dimensions.get("session") is None:
        return None
    worked = read_payable(one.dimensions)
    if worked is None or not worked.session_kind.pays_per_report:
        return None
    made = connection.execute(select(claim).where(claim.c.id == one.dimensions["claim"])).one()
    post = connection.execute(
        select(engagement)
        .join(reporting_session, reporting_session.c.engagement_id == engagement.c.id)
        .where(reporting_session.c.id == made.session_id)
    ).one()
    report_id = int(one.dimensions["report"])
    if one.at > worked.session_ends_at + GRACE:
        return Earnings(report_id, made, post, None, "verified more than an hour after the session's end")
    try:
        card = card_in_force(rate_cards(connection) if cards is None else cards, worked.session_starts_at)
        work = PayableWork(
            purpose=str(one.dimensions["purpose"]),
            exams=worked.exams,
            first_opened_at=worked.first_opened_at,
            session_starts_at=worked.session_starts_at,
        )
        year = worked.first_opened_at.year
        priced = price(work, card, england_bank_holidays((year - 1, year, year + 1)))
    except (NoRateCard, AmbiguousRateCard, NoTariff, ValueError) as error:  # a card or exams that cannot be priced
        # a re-report is paid only where a tariff says so
        unpaid = isinstance(error, NoTariff) and one.dimensions["purpose"] == Purpose.AMENDMENT
        return None if unpaid else Earnings(report_id, made, post, None, str(error))
    return Earnings(report_id, made, post, card.id, priced)


def verify_ledger(connection: Connection) -> tuple[Difference, ...]:
    """Recompute every report's pay from the events and give those whose lines differ in anything that counts.

    A reversal must take back one line whole. Events that were parked have earned nothing yet.
    """
    expected = _expected_lines(connection)
    posted: dict[int, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    pence: Counter[int] = Counter()
    wrong: set[int] = set(connection.scalars(_WRONG_REVERSALS))
    for row in connection.execute(select(pay_line)):
        pence[row.report_id] += row.amount_pence
        if row.kind == "earning":
            posted[row.report_id][row.tariff_code] = tuple(getattr(row, name) for name in _WHAT_COUNTS)
    wrong |= {report_id for report_id in posted.keys() | expected.keys() if posted[report_id] != expected[report_id]}
    column = _WHAT_COUNTS.index("amount_pence")
    return tuple(
        Difference(report_id, sum(line[column] for line in expected[report_id].values()), pence[report_id])
        for report_id in sorted(wrong)
    )


def _expected_lines(connection: Connection) -> dict[int, dict[str, tuple[Any, ...]]]:
    """Give what every report should have earned up to the consumer's checkpoint, by report and tariff."""
    paid_to = connection.scalar(_PAID_TO, {"consumer": CONSUMER}) or 0
    parked = set(connection.scalars(_PARKED, {"consumer": CONSUMER}))
    try:
        cards = rate_cards(connection)
    except InvalidRateCard:
        cards = None  # nothing can be priced by them: whatever is posted is not what they say
    expected: dict[int, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    position = 0
    while batch := events.read_after(connection, position, limit=1000):
        position = batch[-1].position
        for one in batch:
            due = earnings(connection, one, cards) if one.position <= paid_to and one.position not in parked else None
            if due is not None and isinstance(due.price, Price):
                for number in range(len(due.price.lines)):
                    line = _line(due, one, number)
                    expected[due.report_id][line["tariff_code"]] = tuple(line[name] for name in _WHAT_COUNTS)
    return expected


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


def _line(due: Earnings, one: Event, number: int) -> dict[str, Any]:
    assert isinstance(due.price, Price)
    line = due.price.lines[number]
    return {
        "kind": "earning",
        "reading_id": due.claim.reading_id,
        "report_id": due.report_id,
        "claim_id": due.claim.id,
        "reporter_id": due.claim.reporter_id,
        "session_id": due.claim.session_id,
        "engagement_id": due.engagement.id,
        "payer": due.engagement.payer,
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


#: Every column of a line that says who is paid what by whom for which work.
_WHAT_COUNTS = (
    "claim_id",
    "reading_id",
    "reporter_id",
    "session_id",
    "engagement_id",
    "payer",
    "host",
    "units",
    "rate_pence",
    "multiplier_percent",
    "window",
    "amount_pence",
    "rate_card_id",
    "event_position",
    "earned_at",
)
_DEALT_WITH = text(
    "SELECT EXISTS (SELECT FROM pay_line WHERE report_id = :report)"
    " OR EXISTS (SELECT FROM held_pay WHERE report_id = :report)"
)
_INTERRUPTED = text(
    "SELECT c.id, c.reporter_id, s.kind FROM claim c JOIN reporting_session s ON s.id = c.session_id"
    " WHERE c.id = ANY(:claims) ORDER BY c.id"
)
_HELD = text("SELECT EXISTS (SELECT FROM held_pay WHERE claim_id = :claim)")
_PAID_TO = text("SELECT position FROM consumer_checkpoint WHERE consumer = :consumer")
_PARKED = text("SELECT position FROM parked_event WHERE consumer = :consumer")
_WRONG_REVERSALS = text(
    "SELECT r.report_id FROM pay_line r LEFT JOIN pay_line e ON e.id = r.reverses WHERE r.kind = 'reversal' AND"
    " (e.kind, e.report_id, e.reporter_id, e.payer, e.host, e.tariff_code, e.amount_pence) IS DISTINCT FROM"
    " ('earning', r.report_id, r.reporter_id, r.payer, r.host, r.tariff_code, -r.amount_pence)"
)
