"""Reads the ledger for people to see: lines with their derivation, and a month's statement per reporter.

Months are calendar months of Europe/London by when the work was verified. It must not post.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from worklist.db.tables.claims import claim, report
from worklist.db.tables.pay import held_pay, pay_line, rate_card
from worklist.db.tables.people import engagement, reporter, reporting_session
from worklist.db.tables.work import item


def lines(
    connection: Connection,
    *,
    reporter_id: int | None = None,
    trust: str | None = None,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    after: int = 0,
    limit: int = 500,
) -> list[dict[str, Any]]:
    """Give pay lines in order of posting: of one reporter, of one payer or host trust, or all."""
    statement = (
        select(
            pay_line,
            reporter.c.code.label("reporter"),
            reporting_session.c.code.label("session"),
            engagement.c.code.label("engagement"),
            engagement.c.assignment_number,
            rate_card.c.code.label("rate_card"),
            rate_card.c.version.label("rate_card_version"),
        )
        .join(reporter, reporter.c.id == pay_line.c.reporter_id)
        .join(reporting_session, reporting_session.c.id == pay_line.c.session_id)
        .join(engagement, engagement.c.id == pay_line.c.engagement_id)
        .join(rate_card, rate_card.c.id == pay_line.c.rate_card_id)
        .where(pay_line.c.id > after)
        .order_by(pay_line.c.id)
        .limit(limit)
    )
    if reporter_id is not None:
        statement = statement.where(pay_line.c.reporter_id == reporter_id)
    if trust is not None:
        statement = statement.where((pay_line.c.payer == trust) | (pay_line.c.host == trust))
    if from_at is not None:
        statement = statement.where(pay_line.c.earned_at >= from_at)
    if to_at is not None:
        statement = statement.where(pay_line.c.earned_at < to_at)
    hidden = {"reporter_id", "session_id", "engagement_id", "rate_card_id"}
    return [
        {name: value for name, value in row.items() if name not in hidden}
        for row in connection.execute(statement).mappings()
    ]


def statements(
    connection: Connection, *, reporter_id: int | None = None, trust: str | None = None
) -> list[dict[str, Any]]:
    """Give each reporter's months: lines, pence in all and by tariff, and what is held; they sum to the ledger."""
    month = func.to_char(func.timezone("Europe/London", pay_line.c.earned_at), text("'YYYY-MM'"))
    statement = (
        select(
            reporter.c.code.label("reporter"),
            month.label("month"),
            pay_line.c.payer,
            pay_line.c.tariff_code,
            func.count().label("lines"),
            func.sum(pay_line.c.amount_pence).label("pence"),
        )
        .join(reporter, reporter.c.id == pay_line.c.reporter_id)
        .group_by(reporter.c.code, text("2"), pay_line.c.payer, pay_line.c.tariff_code)
        .order_by(reporter.c.code, text("2"), pay_line.c.payer, pay_line.c.tariff_code)
    )
    if reporter_id is not None:
        statement = statement.where(pay_line.c.reporter_id == reporter_id)
    if trust is not None:
        statement = statement.where((pay_line.c.payer == trust) | (pay_line.c.host == trust))
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in connection.execute(statement):
        one = found.setdefault(
            (row.reporter, row.month, row.payer),
            {
                "reporter": row.reporter,
                "month": row.month,
                "payer": row.payer,
                "lines": 0,
                "total_pence": 0,
                "by_tariff": {},
            },
        )
        one["lines"] += row.lines
        one["total_pence"] += int(row.pence)
        one["by_tariff"][row.tariff_code] = int(row.pence)
    return list(found.values())


def held(connection: Connection, *, reporter_id: int | None = None, trust: str | None = None) -> list[dict[str, Any]]:
    """Give work whose pay is in doubt, the oldest first, with the reason: of one reporter, of one trust, or all."""
    statement = (
        select(held_pay.c.id, reporter.c.code.label("reporter"), held_pay.c.reason, held_pay.c.held_at)
        .join(reporter, reporter.c.id == held_pay.c.reporter_id)
        .outerjoin(report, report.c.id == held_pay.c.report_id)
        .join(claim, claim.c.id == func.coalesce(held_pay.c.claim_id, report.c.claim_id))
        .join(item, item.c.id == claim.c.item_id)
        .join(reporting_session, reporting_session.c.id == claim.c.session_id)
        .join(engagement, engagement.c.id == reporting_session.c.engagement_id)
        .where(held_pay.c.settled_at.is_(None))
        .order_by(held_pay.c.held_at, held_pay.c.id)
    )
    if reporter_id is not None:
        statement = statement.where(held_pay.c.reporter_id == reporter_id)
    if trust is not None:
        statement = statement.where((engagement.c.payer == trust) | (item.c.trust_ods == trust))
    return [dict(row) for row in connection.execute(statement).mappings()]
