"""Reads reporters and work as the rules see them, and keeps the index of eligibility in step.

The index (`reporter_profile`, `reporter_trust`) finds candidates; it is never the judge. It must
not hold a rule of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text

from allocation.eligibility import Exam, Work, end_of, judge_clinical, judge_trust, next_change, standing
from allocation.entitlement import Entitlement
from allocation.reporter import Registration, Reporter
from allocation.scope import Grant, Level, Scope
from worklist.clock import now
from worklist.db.tables.network import profile, profile_indexed, trust
from worklist.db.tables.people import (
    entitlement,
    registration,
    reporter,
    reporter_indexed,
    reporter_profile,
    reporter_trust,
    scope_grant,
    scope_of_practice,
)
from worklist.db.tables.work import item
from worklist.exams.catalogue import exam_group_codes
from worklist.local_time import LONDON


class UnknownReporter(LookupError):
    """No reporter of that name or number."""

    def __init__(self, named: object) -> None:
        super().__init__(f"no reporter {named!r}; `GET /api/v1/reporters` lists them")


def load_reporters(connection: Connection, ids: Sequence[int] | None = None) -> dict[int, Reporter]:
    """Give reporters (all, or those asked for) with everything that the rules look at, by id."""
    return _load(connection, ids, lock=False)


def lock_reporter(connection: Connection, reporter_id: int) -> Reporter:
    """Give a reporter, with the rows that the verdict rests on locked FOR SHARE until the commit.

    A suspension takes them FOR UPDATE, so neither slips past the other.

    Raises
    ------
    UnknownReporter
        If there is none.
    """
    found = _load(connection, [reporter_id], lock=True)
    if not found:
        raise UnknownReporter(reporter_id)
    return found[reporter_id]


def _load(connection: Connection, ids: Sequence[int] | None, *, lock: bool) -> dict[int, Reporter]:
    """Read reporters and grants first: what is locked with them does not change behind the rest."""

    def rows(table: Any, column: Any, *, locked: bool = False) -> Sequence[Row[Any]]:
        statement = select(table) if ids is None else select(table).where(column.in_(ids))
        return connection.execute(statement.with_for_update(read=True) if locked else statement).all()

    people = rows(reporter, reporter.c.id, locked=lock)
    granted = rows(scope_grant, scope_grant.c.reporter_id, locked=lock)
    named = sorted({row.scope_id for row in granted})
    scopes = {
        row.id: _scope(row)
        for row in connection.execute(select(scope_of_practice).where(scope_of_practice.c.id.in_(named)))
    }
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
    for row in granted:
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
        for row in people
    }


def work_of_item(connection: Connection, row: Row[Any]) -> Work:
    """Give an item as the rule sees it: on its own facts, not its profile's.

    An exam that has no scope group yet and that no scope names is read as unmapped work is, like in profiles
    (`allocation.configuration.recut`): else a new code of the national catalogue would be nobody's.
    """
    exams = connection.execute(
        text(
            "SELECT CASE WHEN known.reached THEN ie.exam_code END AS exam_code,"
            " CASE WHEN known.reached THEN e.ionising ELSE true END AS ionising"
            " FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code"
            " CROSS JOIN LATERAL (SELECT e.code IS NOT NULL AND (e.subspecialty IS NOT NULL OR EXISTS"
            " (SELECT FROM scope_of_practice s WHERE e.code = ANY (s.exam_codes))) AS reached) known"
            " WHERE ie.item_id = :item ORDER BY ie.position"
        ),
        {"item": row.id},
    )
    return Work(
        trust=row.trust_ods,
        exams=tuple(Exam(one.exam_code, one.ionising) for one in exams),
        age_years=row.age_years,
        setting=row.setting,
        flags=frozenset(row.flags),
        cleared_flags=frozenset(row.cleared_flags),
    )


def load_item_row(connection: Connection, item_id: int) -> Row[Any] | None:
    """Give an item's row, or None."""
    return connection.execute(select(item).where(item.c.id == item_id)).one_or_none()


def trusts_of(connection: Connection, reporter_id: int) -> frozenset[str]:
    """Give the trusts that a reporter is entitled for now, by the index."""
    return frozenset(
        connection.scalars(
            select(reporter_trust.c.trust_ods).where(
                reporter_trust.c.reporter_id == reporter_id, reporter_trust.c.valid_until > text("radpool_now()")
            )
        )
    )


def keep_index(connection: Connection, reporter_id: int) -> None:
    """Make sure that the index is good for one reporter now: no new profile, no date passed that matters.

    Cheap where nothing is to be done. What it cannot see is a profile that was added by a transaction
    slower than the one after it; `index_new_profiles` finds that.
    """
    state = connection.execute(_INDEX_STATE, {"reporter": reporter_id}).one()
    if not state.profiles_known:
        index_new_profiles(connection)
    if not state.reporter_known:
        reindex_reporters(connection, [reporter_id])


def index_new_profiles(connection: Connection) -> int:
    """Index the profiles that are not indexed yet, and give how many there were."""
    if not connection.scalar(select(_UNINDEXED.exists())):
        return 0
    hold_index(connection)  # what is read from here on, no other writer of the index changes
    waiting = connection.execute(_UNINDEXED).all()
    if waiting:
        _index(connection, load_reporters(connection), waiting)
        connection.execute(insert(profile_indexed), [{"profile_id": one.id} for one in waiting])
    return len(waiting)


def reindex_reporters(connection: Connection, ids: Sequence[int]) -> None:
    """Make the index of some reporters anew; for after their grants, entitlements or registrations changed.

    Takes the lock on the index; whoever locks reporters FOR UPDATE as well takes that first.
    """
    hold_index(connection)
    connection.execute(delete(reporter_profile).where(reporter_profile.c.reporter_id.in_(ids)))
    connection.execute(delete(reporter_trust).where(reporter_trust.c.reporter_id.in_(ids)))
    connection.execute(delete(reporter_indexed).where(reporter_indexed.c.reporter_id.in_(ids)))
    reporters = load_reporters(connection, ids)
    if not reporters:
        return
    moment = now(connection)
    on = moment.astimezone(LONDON).date()
    trusts = connection.scalars(select(trust.c.ods_code)).all()
    rows = [row for one in reporters.values() for row in _trust_rows(one, trusts, on)]
    if rows:
        connection.execute(insert(reporter_trust), rows)
    indexed = select(profile).join(profile_indexed, profile_indexed.c.profile_id == profile.c.id)
    _index(connection, reporters, connection.execute(indexed).all())
    connection.execute(
        insert(reporter_indexed),
        [{"reporter_id": one.id, "good_until": _good_until(one, on)} for one in reporters.values()],
    )


def rebuild_index(connection: Connection) -> None:
    """Make the whole index anew from reporters and profiles; for after the configuration changed."""
    hold_index(connection)
    connection.execute(delete(profile_indexed))
    connection.execute(insert(profile_indexed).from_select(["profile_id"], select(profile.c.id)))
    reindex_reporters(connection, connection.scalars(select(reporter.c.id)).all())


#: Held while the index is written.
INDEX_LOCK = 7223006


def hold_index(connection: Connection) -> None:
    """Keep others from writing the index until the transaction ends; taken after reporters and before any item.

    A claim that has written the index may wait for an item: in the other order both would wait.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INDEX_LOCK})


def _good_until(each: Reporter, on: date) -> datetime:
    """Give the instant at which a date next changes what a reporter may report."""
    changes = next_change(each, on)
    return end_of(date.max if changes is None else changes - timedelta(days=1))


def _index(connection: Connection, reporters: dict[int, Reporter], profiles: Sequence[Row[Any]]) -> None:
    groups = exam_group_codes(connection)
    on = now(connection).astimezone(LONDON).date()
    rows = []
    for one in profiles:
        work = _representative(one, groups)
        for each in reporters.values():
            row = _profile_row(each, one.id, work, on)
            if row:
                rows.append(row)
    if rows:
        connection.execute(insert(reporter_profile), rows)


def _representative(one: Row[Any], groups: dict[int, tuple[str, ...]]) -> Work:
    """Give one piece of work of a profile: all of them get the same verdict, by the way profiles are cut."""
    exams = [Exam(groups[number][0], ionising=False) for number in one.exam_groups]
    if one.unmapped:
        exams.append(Exam(None, ionising=False))
    return Work("", tuple(exams), one.age_from, one.setting, frozenset(one.flags), frozenset(one.cleared_flags))


def _profile_row(each: Reporter, profile_id: int, work: Work, on: date) -> dict[str, Any] | None:
    """Give the index row of a reporter and a profile that they may report on a date.

    Suspension is left to the judge: it comes and goes at once, and the index follows dates.
    """
    reasons, level, last_day = judge_clinical(each, work, on)
    on_register = [reason.passed for reason in standing(each, on) if reason.condition == "registration"]
    if last_day is None or level is None or not all((*on_register, *(reason.passed for reason in reasons))):
        return None
    return {
        "reporter_id": each.id,
        "profile_id": profile_id,
        "level": level.name.lower(),
        "valid_until": end_of(last_day),
    }


def _trust_rows(each: Reporter, trusts: Sequence[str], on: date) -> Iterable[dict[str, Any]]:
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


_UNINDEXED = select(profile).where(
    ~select(profile_indexed.c.profile_id).where(profile_indexed.c.profile_id == profile.c.id).exists()
)
_INDEX_STATE = text(
    "SELECT (SELECT max(id) FROM profile) IS NOT DISTINCT FROM (SELECT max(profile_id) FROM profile_indexed)"
    " AS profiles_known, EXISTS (SELECT FROM reporter_indexed WHERE reporter_id = :reporter"
    " AND good_until > radpool_now()) AS reporter_known"
)
