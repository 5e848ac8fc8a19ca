"""Reads reporters and work as the rules see them, and keeps the index of eligibility in step.

The index (`reporter_profile`, `reporter_trust`) finds candidates; it is never the judge. It must
not hold a rule of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text

from allocation.eligibility import Exam, Work, end_of, judge_clinical, judge_trust, standing
from allocation.entitlement import Entitlement
from allocation.reporter import Registration, Reporter
from allocation.scope import Grant, Level, Scope
from worklist.catalogue import exam_group_codes
from worklist.clock import now
from worklist.db.tables.network import profile, profile_indexed, trust
from worklist.db.tables.people import (
    entitlement,
    registration,
    reporter,
    reporter_profile,
    reporter_trust,
    scope_grant,
    scope_of_practice,
)
from worklist.db.tables.work import item
from worklist.local_time import LONDON


class UnknownReporter(LookupError):
    """No reporter of that name or number."""

    def __init__(self, named: object) -> None:
        super().__init__(f"no reporter {named!r}; `GET /api/v1/reporters` lists them")


def load_reporters(connection: Connection, ids: Sequence[int] | None = None) -> dict[int, Reporter]:
    """Give reporters (all, or those asked for) with everything that the rules look at, by id."""

    def rows(table: Any, column: Any) -> Iterable[Row[Any]]:
        statement = select(table)
        return connection.execute(statement if ids is None else statement.where(column.in_(ids)))

    scopes = {row.id: _scope(row) for row in connection.execute(select(scope_of_practice))}
    registrations: dict[int, list[Registration]] = defaultdict(list)
    for row in rows(registration, registration.c.reporter_id):
        registrations[row.reporter_id].append(Registration(row.body, row.valid_until))
    entitled: dict[int, list[Entitlement]] = defaultdict(list)
    for row in rows(entitlement, entitlement.c.reporter_id):
        entitled[row.reporter_id].append(
            Entitlement(
                row.id, row.trust_ods, row.basis, row.operator, row.system_access, row.valid_from, row.valid_until
            )
        )
    grants: dict[int, list[Grant]] = defaultdict(list)
    for row in rows(scope_grant, scope_grant.c.reporter_id):
        grants[row.reporter_id].append(_grant(row, scopes[row.scope_id]))
    return {
        row.id: Reporter(
            row.id,
            row.code,
            row.name,
            row.profession,
            row.grade,
            row.subspecialties,
            tuple(registrations[row.id]),
            tuple(entitled[row.id]),
            tuple(grants[row.id]),
            row.suspended_at,
        )
        for row in rows(reporter, reporter.c.id)
    }


def lock_reporter(connection: Connection, reporter_id: int) -> Reporter:
    """Give a reporter, with the rows that the verdict rests on locked FOR SHARE until the commit.

    A suspension takes them FOR UPDATE, so neither slips past the other.

    Raises
    ------
    UnknownReporter
        If there is none.
    """
    locked = connection.scalar(
        select(reporter.c.id).where(reporter.c.id == reporter_id).with_for_update(read=True)
    )
    if locked is None:
        raise UnknownReporter(reporter_id)
    connection.execute(
        select(scope_grant.c.id).where(scope_grant.c.reporter_id == reporter_id).with_for_update(read=True)
    ).all()
    return load_reporters(connection, [reporter_id])[reporter_id]


def work_of_item(connection: Connection, row: Row[Any]) -> Work:
    """Give an item as the rule sees it: on its own facts, not its profile's."""
    exams = connection.execute(
        text(
            "SELECT ie.exam_code, coalesce(e.ionising, true) AS ionising FROM item_exam ie"
            " LEFT JOIN exam e ON e.code = ie.exam_code WHERE ie.item_id = :item ORDER BY ie.position"
        ),
        {"item": row.id},
    )
    return Work(
        trust=row.trust_ods,
        exams=tuple(Exam(one.exam_code, one.ionising) for one in exams),
        age_years=row.age_years,
        setting=row.setting,
        flags=frozenset(row.flags),
    )


def load_item_row(connection: Connection, item_id: int) -> Row[Any] | None:
    """Give an item's row, or None."""
    return connection.execute(select(item).where(item.c.id == item_id)).one_or_none()


def index_new_profiles(connection: Connection) -> int:
    """Index the profiles that are not indexed yet, and give how many there were."""
    waiting = connection.execute(
        select(profile).where(~select(profile_indexed.c.profile_id).where(profile_indexed.c.profile_id == profile.c.id).exists())
    ).all()
    if waiting:
        _index(connection, load_reporters(connection), waiting)
    return len(waiting)


def rebuild_index(connection: Connection) -> None:
    """Make the whole index anew from reporters and profiles; for after the configuration changed."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INDEX_LOCK})
    for table in (reporter_profile, reporter_trust, profile_indexed):
        connection.execute(delete(table))
    reporters = load_reporters(connection)
    moment = now(connection)
    trusts = connection.scalars(select(trust.c.ods_code)).all()
    rows = [row for one in reporters.values() for row in _trust_rows(one, trusts, moment)]
    if rows:
        connection.execute(insert(reporter_trust), rows)
    _index(connection, reporters, connection.execute(select(profile)).all())


#: Held while the index is written.
INDEX_LOCK = 7223006


def _index(connection: Connection, reporters: dict[int, Reporter], profiles: Sequence[Row[Any]]) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INDEX_LOCK})
    groups = exam_group_codes(connection)
    moment = now(connection)
    rows = []
    for one in profiles:
        connection.execute(
            text("INSERT INTO profile_indexed (profile_id) VALUES (:id) ON CONFLICT DO NOTHING"), {"id": one.id}
        )
        work = _representative(one, groups)
        for each in reporters.values():
            row = _profile_row(each, one.id, work, moment)
            if row:
                rows.append(row)
    if rows:
        connection.execute(delete(reporter_profile).where(reporter_profile.c.profile_id.in_([p.id for p in profiles])))
        connection.execute(insert(reporter_profile), rows)


def _representative(one: Row[Any], groups: dict[int, tuple[str, ...]]) -> Work:
    """Give one piece of work of a profile: all of them get the same verdict, by the way profiles are cut."""
    exams = [Exam(groups[number][0], ionising=False) for number in one.exam_groups]
    if one.unmapped:
        exams.append(Exam(None, ionising=False))
    return Work("", tuple(exams), one.age_from, one.setting, frozenset(one.flags))


def _profile_row(each: Reporter, profile_id: int, work: Work, moment: datetime) -> dict[str, Any] | None:
    """Give the index row of a reporter and a profile that they may ever report, on today's facts."""
    on = moment.astimezone(LONDON).date()
    reasons, level, last_day = judge_clinical(each, work, on)
    registered = [reason for reason in standing(each, on) if not reason.passed]
    if registered or last_day is None or level is None or not all(reason.passed for reason in reasons):
        return None
    return {
        "reporter_id": each.id,
        "profile_id": profile_id,
        "level": level.name.lower(),
        "valid_until": end_of(last_day),
    }


def _trust_rows(each: Reporter, trusts: Sequence[str], moment: datetime) -> Iterable[dict[str, Any]]:
    on: date = moment.astimezone(LONDON).date()
    for ods_code in trusts:
        for ionising in (False, True):
            _, last_day = judge_trust(each, ods_code, ionising=ionising, on=on)
            if last_day is not None:
                yield {
                    "reporter_id": each.id,
                    "trust_ods": ods_code,
                    "ionising": ionising,
                    "valid_until": end_of(last_day),
                }


def _scope(row: Row[Any]) -> Scope:
    return Scope(
        row.code,
        row.version,
        frozenset(row.exam_codes),
        row.min_age_years,
        row.max_age_years,
        None if row.settings is None else frozenset(row.settings),
        frozenset(row.excluded_flags),
        row.classifies_unmapped,
        row.valid_from,
        row.valid_until,
    )


def _grant(row: Row[Any], scope: Scope) -> Grant:
    return Grant(
        row.id,
        scope,
        Level[row.level.upper()],
        row.min_age_years,
        row.max_age_years,
        None if row.settings is None else frozenset(row.settings),
        row.valid_from,
        row.valid_until,
        row.suspended_at,
    )
