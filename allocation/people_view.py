"""Reads the workforce for people to see: reporters, scopes, grants, entitlements, sessions, rate cards.

Plain rows as mappings, instants aware UTC. It must not judge; `eligibility` does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from worklist.db.tables.pay import rate_card, rate_window, tariff
from worklist.db.tables.people import (
    engagement,
    entitlement,
    registration,
    reporter,
    reporting_session,
    scope_grant,
    scope_of_practice,
)

Rows = list[dict[str, Any]]


def reporters(connection: Connection) -> Rows:
    """Give every reporter with registrations and engagements."""
    registrations = _rows(connection, select(registration))
    engagements = _rows(connection, select(engagement))
    return [
        {
            **_without(row, "id", "code"),
            "id": row["code"],
            "registrations": [_without(one, "reporter_id") for one in registrations if one["reporter_id"] == row["id"]],
            "engagements": [
                _without(one, "id", "reporter_id") for one in engagements if one["reporter_id"] == row["id"]
            ],
        }
        for row in _rows(connection, select(reporter).order_by(reporter.c.code))
    ]


def scopes(connection: Connection) -> Rows:
    """Give every version of every standard scope of practice."""
    return _rows(connection, select(scope_of_practice).order_by(scope_of_practice.c.code, scope_of_practice.c.version))


def grants(connection: Connection) -> Rows:
    """Give every grant, with the names of its reporter and scope."""
    return _rows(
        connection,
        select(
            scope_grant,
            reporter.c.code.label("reporter"),
            scope_of_practice.c.code.label("scope"),
            scope_of_practice.c.version.label("scope_version"),
        )
        .join(reporter, reporter.c.id == scope_grant.c.reporter_id)
        .join(scope_of_practice, scope_of_practice.c.id == scope_grant.c.scope_id)
        .order_by(reporter.c.code, scope_of_practice.c.code),
    )


def entitlements(connection: Connection) -> Rows:
    """Give every entitlement, with the name of its reporter."""
    return _rows(
        connection,
        select(entitlement, reporter.c.code.label("reporter"))
        .join(reporter, reporter.c.id == entitlement.c.reporter_id)
        .order_by(reporter.c.code, entitlement.c.trust_ods),
    )


def sessions(
    connection: Connection,
    *,
    reporter_id: int | None = None,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    limit: int = 500,
) -> Rows:
    """Give sessions in order of their start: of one reporter, or all; that overlap a period, or any."""
    statement = (
        select(reporting_session, reporter.c.code.label("reporter"), engagement.c.code.label("engagement"))
        .join(reporter, reporter.c.id == reporting_session.c.reporter_id)
        .join(engagement, engagement.c.id == reporting_session.c.engagement_id)
        .where(reporting_session.c.cancelled_at.is_(None))
        .order_by(reporting_session.c.starts_at, reporting_session.c.id)
        .limit(limit)
    )
    if reporter_id is not None:
        statement = statement.where(reporting_session.c.reporter_id == reporter_id)
    if from_at is not None:
        statement = statement.where(reporting_session.c.ends_at > from_at)
    if to_at is not None:
        statement = statement.where(reporting_session.c.starts_at < to_at)
    hidden = ("id", "code", "reporter_id", "engagement_id", "cancelled_at")
    return [{"id": row["code"], **_without(row, *hidden)} for row in _rows(connection, statement)]


def rate_cards(connection: Connection) -> Rows:
    """Give every version of every rate card with its tariffs and windows."""
    tariffs, windows = _rows(connection, select(tariff)), _rows(connection, select(rate_window))
    return [
        {
            **row,
            "tariffs": [_without(one, "rate_card_id") for one in tariffs if one["rate_card_id"] == row["id"]],
            "windows": [_without(one, "rate_card_id") for one in windows if one["rate_card_id"] == row["id"]],
        }
        for row in _rows(
            connection, select(rate_card).order_by(rate_card.c.valid_from.desc(), rate_card.c.version.desc())
        )
    ]


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
