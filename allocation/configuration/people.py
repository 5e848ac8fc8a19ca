"""Brings reporters, what they hold, and their sessions in step with a configuration.

It must not judge who may report; it only records what was signed.
"""

from __future__ import annotations

from datetime import UTC

from psycopg.errors import ExclusionViolation
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from allocation.configuration.document import Reporter, Session
from allocation.configuration.read import Fault, ReadNetwork
from allocation.configuration.rows import put_rows, words
from worklist.db.tables.people import (
    engagement,
    entitlement,
    registration,
    reporter,
    reporting_session,
    scope_grant,
    scope_of_practice,
)


def put_reporter(connection: Connection, row: Reporter) -> None:
    """Write a reporter; registrations, entitlements and grants become exactly those of the row."""
    reporter_id = connection.execute(
        upsert(reporter)
        .values(
            code=row.id,
            name=row.name,
            profession=row.profession,
            grade=row.grade,
            subspecialties=row.subspecialties,
        )
        .on_conflict_do_update(
            index_elements=["code"],
            set_={
                "name": row.name,
                "profession": row.profession,
                "grade": row.grade,
                "subspecialties": row.subspecialties,
            },
        )
        .returning(reporter.c.id)
    ).scalar_one()
    for table in (registration, entitlement):
        connection.execute(delete(table).where(table.c.reporter_id == reporter_id))
    connection.execute(
        insert(registration), [{"reporter_id": reporter_id, **one.model_dump()} for one in row.registrations]
    )
    if row.entitlements:
        connection.execute(
            insert(entitlement),
            [
                {"reporter_id": reporter_id, "trust_ods": one.trust, **one.model_dump(exclude={"trust"})}
                for one in row.entitlements
            ],
        )
    put_rows(
        connection, engagement, ["code"], [{"reporter_id": reporter_id, **one.model_dump()} for one in row.engagements]
    )
    _grants(connection, reporter_id, row)


def put_sessions(connection: Connection, read: ReadNetwork) -> list[Fault]:
    """Write sessions and give those that overlap another one of the same reporter.

    The sessions named are set aside first: among themselves only what they are afterwards counts.
    """
    named = [row.id for row in read.network.session]
    set_aside = frozenset(
        connection.scalars(
            update(reporting_session)
            .where(reporting_session.c.code.in_(named), reporting_session.c.cancelled_at.is_(None))
            .values(cancelled_at=func.radpool_now())
            .returning(reporting_session.c.code)
        )
    )
    faults = []
    for place, row in enumerate(read.network.session):
        try:
            with connection.begin_nested():
                _put_session(connection, row, revive=row.id in set_aside)
        except IntegrityError as error:
            if not isinstance(error.orig, ExclusionViolation):
                raise
            faults.append(read.fault(("session", place, "starts"), f"overlaps another session of {row.reporter}"))
    return faults


def _grants(connection: Connection, reporter_id: int, row: Reporter) -> None:
    """Bring grants in step: each names a scope by code and means its newest version.

    A suspended grant stays suspended when its scope gets a new version.
    """
    newest = {
        one.code: one.id
        for one in connection.execute(
            select(scope_of_practice.c.code, scope_of_practice.c.id).order_by(scope_of_practice.c.version)
        )
    }
    suspended = {
        one.code: one.suspended_at
        for one in connection.execute(
            select(scope_of_practice.c.code, scope_grant.c.suspended_at)
            .join(scope_grant, scope_grant.c.scope_id == scope_of_practice.c.id)
            .where(scope_grant.c.reporter_id == reporter_id, scope_grant.c.suspended_at.is_not(None))
        )
    }
    wanted = [newest[one.scope] for one in row.grants]
    connection.execute(
        delete(scope_grant).where(scope_grant.c.reporter_id == reporter_id, scope_grant.c.scope_id.not_in(wanted))
    )
    put_rows(
        connection,
        scope_grant,
        ["reporter_id", "scope_id"],
        [
            {
                "reporter_id": reporter_id,
                "scope_id": newest[one.scope],
                **one.model_dump(exclude={"scope", "settings"}),
                "settings": words(one.settings),
                "suspended_at": suspended.get(one.scope),
            }
            for one in row.grants
        ],
    )


def _put_session(connection: Connection, row: Session, *, revive: bool) -> None:
    own = connection.execute(
        select(reporter.c.id, engagement.c.id.label("engagement_id"))
        .join(engagement, engagement.c.reporter_id == reporter.c.id)
        .where(reporter.c.code == row.reporter, engagement.c.code == row.engagement)
    ).one()
    values = {
        "reporter_id": own.id,
        "engagement_id": own.engagement_id,
        "kind": row.kind,
        "starts_at": row.starts.astimezone(UTC),
        "ends_at": row.ends.astimezone(UTC),
        "location": row.location,
        "trusts": words(row.trusts),
        "modalities": words(row.modalities),
        "outside_job_plan_attested": row.outside_job_plan,
        **({"cancelled_at": None} if revive else {}),
    }
    connection.execute(
        upsert(reporting_session)
        .values(code=row.id, **values)
        .on_conflict_do_update(index_elements=["code"], set_=values)
    )
