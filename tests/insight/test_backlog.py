"""The backlog against a plain count of the same rows, and where it must not be silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Row, insert, select, text, update

from insight.backlog import SUPPORTED, WAITING, BacklogRow, backlog
from insight.elapsed import WaitingByAge
from insight.filters import Dimension, Filters
from tests.conftest import NOW, Database
from tests.insight.history import WAITING_STATES, make_history, random_filters
from tests.insight.plain_rows import Rows, chosen, group_of_item, order, over_28_days, read_rows
from worklist.db.tables.claims import item_exclusion
from worklist.db.tables.network import profile, profile_indexed
from worklist.db.tables.people import reporter_profile, reporter_trust
from worklist.db.tables.work import item, item_exam, patient, reading


@pytest.mark.parametrize(
    ("seed", "now"),
    [(1, NOW), (2, datetime(2026, 3, 29, 0, 59, tzinfo=UTC)), (3, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))],
)
def test_every_figure_is_the_plain_count_of_the_rows(network: Database, seed: int, now: datetime) -> None:
    make_history(network, seed, now)
    random = Random(seed)
    with network.app.begin() as connection:
        rows, index = read_rows(connection), Index(connection)
        for _ in range(15):
            filters = random_filters(random, now, SUPPORTED)
            answer = backlog(connection, filters)
            expected = plain_backlog(rows, index, filters, answer.at)
            assert {row.group: row for row in answer.rows} == expected
            assert order([row.group for row in answer.rows])


def test_the_random_rows_exercise_every_figure(network: Database) -> None:
    make_history(network, 1, NOW)
    with network.app.begin() as connection:
        (total,) = backlog(connection, Filters()).rows
    figures = [getattr(total, one.name) for one in fields(total) if one.name not in {"group", "by_age"}]
    assert all(figures)
    assert all(getattr(total.by_age, one.name) for one in fields(total.by_age))
    assert total.without_eligible_reporter < total.items


def test_work_waits_from_its_first_image_until_a_final_report() -> None:
    assert WAITING == WAITING_STATES


def test_a_period_does_not_hide_old_work(network: Database) -> None:
    make_history(network, 4, NOW, items=60)
    with network.app.begin() as connection:
        everything = backlog(connection, Filters()).rows
        assert backlog(connection, Filters(from_at=NOW - timedelta(hours=1))).rows == everything


def test_the_answer_says_as_of_when_in_utc_and_which_states_it_counted(network: Database) -> None:
    with network.app.begin() as connection:
        connection.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
        answer = backlog(connection, Filters())
    assert answer.at.utcoffset() == timedelta(0)
    assert answer.at - NOW < timedelta(minutes=1)
    assert answer.states == WAITING


def test_the_oldest_instant_is_utc_whatever_the_connection_s_time_zone(network: Database) -> None:
    make_history(network, 5, NOW, items=30)
    with network.app.begin() as connection:
        connection.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
        (total,) = backlog(connection, Filters()).rows
    assert total.oldest_clock_start_at is not None
    assert total.oldest_clock_start_at.utcoffset() == timedelta(0)


def test_an_arriving_study_without_clock_start_ages_from_its_first_receipt(network: Database) -> None:
    waiting_item(network, "arriving", clock_start_at=None, created_at=NOW - timedelta(days=40))
    (total,) = ask(network)
    assert total.oldest_clock_start_at == NOW - timedelta(days=40)
    assert total.by_age == WaitingByAge(0, 0, 0, 0, 1)
    assert (total.not_valued, total.minutes, total.eligibility_unknown) == (1, Decimal(0), 1)
    assert total.without_eligible_reporter == 0


def test_what_has_no_images_yet_or_needs_no_report_does_not_wait(network: Database) -> None:
    for state in ("ordered", "cancelled", "verified", "addendum", "reported_elsewhere"):
        waiting_item(network, state)
    (total,) = ask(network)
    assert total.items == 0


def test_unknown_modality_stands_as_a_group_of_its_own_and_comes_last(network: Database) -> None:
    for modality in (None, "XR", "CT"):
        waiting_item(network, "ready", modality=modality)
    assert [row.group for row in ask(network, Filters(by=(Dimension.MODALITY,)))] == [("CT",), ("XR",), (None,)]


def test_work_that_a_reporter_could_be_given_is_not_without_one(network: Database) -> None:
    readable_item(network)
    (total,) = ask(network)
    assert total.without_eligible_reporter == 0


def test_work_that_nobody_could_be_given_is_told(network: Database) -> None:
    readable_item(network)
    changes = (
        "UPDATE reporter_profile SET valid_until = radpool_now() - interval '1 second'",
        "UPDATE reporter_trust SET valid_until = radpool_now() - interval '1 second'",
        "UPDATE reporter SET suspended_at = radpool_now()",
        "DELETE FROM reporter_trust WHERE ionising",
        "UPDATE reading SET purpose = 'check'",
        "UPDATE reading SET for_radiologist = true",
        "UPDATE reading SET state = 'done'",
        "UPDATE reading SET purpose = 'second'",
        "INSERT INTO item_exclusion (item_id, reporter_id, kind)"
        " SELECT i.id, r.id, 'conflict-of-interest' FROM item i, reporter r",
    )
    told = {}
    with network.owner.connect() as connection:
        for change in changes:
            connection.execute(text(change))
            told[change] = backlog(connection, Filters()).rows[0].without_eligible_reporter
            connection.rollback()
    assert told == dict.fromkeys(changes, 1)


def ask(database: Database, filters: Filters | None = None) -> Sequence[BacklogRow]:
    with database.app.begin() as connection:
        return backlog(connection, filters or Filters()).rows


def waiting_item(database: Database, state: str, **values: Any) -> int:
    with database.owner.begin() as connection:
        patient_id = connection.execute(insert(patient).values(trust_ods="RXA").returning(patient.c.id)).scalar_one()
        defaults = {"trust_ods": "RXA", "patient_id": patient_id, "state": state, "clock_start_at": NOW}
        made = insert(item).values({**defaults, **values}).returning(item.c.id)
        return int(connection.execute(made).scalar_one())


def readable_item(database: Database) -> None:
    """One item whose only possible reporter is `hart`, a radiographer under training for it."""
    item_id = waiting_item(database, "ready", due_at=NOW)
    with database.owner.begin() as connection:
        made = insert(profile).values(key="one", exam_groups=[], unmapped=False, ionising=True).returning(profile.c.id)
        profile_id = connection.execute(made).scalar_one()
        connection.execute(update(item).values(profile_id=profile_id))
        connection.execute(insert(profile_indexed).values(profile_id=profile_id))
        connection.execute(
            text(
                "INSERT INTO reporter_profile (reporter_id, profile_id, level, valid_until)"
                " SELECT id, :profile, 'trainee', radpool_now() + interval '1 day' FROM reporter WHERE code = 'hart'"
            ),
            {"profile": profile_id},
        )
        first = {"item_id": item_id, "purpose": "first", "state": "open", "trust_ods": "RXA", "profile_id": profile_id}
        connection.execute(insert(reading).values(**first, due_at=NOW, reporting_minutes=2))


class Index:
    """The index of eligibility and what bars people, as rows."""

    def __init__(self, connection: Connection) -> None:
        self.indexed = set(connection.scalars(select(profile_indexed.c.profile_id)))
        self.ionising = {row.id: row.ionising for row in connection.execute(select(profile))}
        self.clinical = connection.execute(select(reporter_profile)).all()
        self.trusts = connection.execute(select(reporter_trust)).all()
        self.exclusions = connection.execute(select(item_exclusion)).all()
        self.unmapped = set(connection.scalars(select(item_exam.c.item_id).where(item_exam.c.exam_code.is_(None))))


def plain_backlog(rows: Rows, index: Index, filters: Filters, at: datetime) -> dict[tuple[str | None, ...], BacklogRow]:
    groups: dict[tuple[str | None, ...], list[Row[Any]]] = defaultdict(list)
    if not filters.by:
        groups[()] = []
    for one in rows.items:
        if one.state in WAITING_STATES and chosen(one, filters):
            groups[tuple(group_of_item(one, dimension) for dimension in filters.by)].append(one)
    return {group: plain_row(rows, index, group, items, at) for group, items in groups.items()}


def plain_row(
    rows: Rows, index: Index, group: tuple[str | None, ...], items: list[Row[Any]], at: datetime
) -> BacklogRow:
    since = [one.clock_start_at or one.created_at for one in items]
    states = {state: sum(one.state == state for one in items) for state in WAITING_STATES}
    known = [one for one in items if one.profile_id in index.indexed]
    return BacklogRow(
        group=group,
        items=len(items),
        minutes=sum((one.reporting_minutes for one in items if one.reporting_minutes is not None), Decimal(0)),
        not_valued=sum(one.reporting_minutes is None for one in items),
        oldest_clock_start_at=min(since, default=None),
        overdue=sum(one.due_at is not None and one.due_at < at for one in items),
        past_hard_limit=sum(one.hard_limit_at is not None and one.hard_limit_at < at for one in items),
        by_age=plain_ages(since, at),
        **states,
        unmapped=sum(one.id in index.unmapped for one in items),
        without_eligible_reporter=sum(not plain_has_reporter(rows, index, one, at) for one in known),
        eligibility_unknown=len(items) - len(known),
    )


def plain_ages(since: list[datetime], at: datetime) -> WaitingByAge:
    counts = [0, 0, 0, 0, 0]
    for start in since:
        age = at - start
        if over_28_days(start, at):
            counts[4] += 1
        elif age >= timedelta(days=7):
            counts[3] += 1
        elif age >= timedelta(hours=24):
            counts[2] += 1
        else:
            counts[1 if age >= timedelta(hours=4) else 0] += 1
    return WaitingByAge(*counts)


def plain_has_reporter(rows: Rows, index: Index, one: Row[Any], at: datetime) -> bool:
    barred = {each.reporter_id for each in index.exclusions if each.item_id == one.id and each.kind != "skipped"}
    for each in rows.readings:
        if each.item_id != one.id or each.state not in {"open", "held"} or each.purpose not in {"first", "check"}:
            continue
        able = {
            known.reporter_id
            for known in index.clinical
            if known.profile_id == each.profile_id
            and known.valid_until > at
            and (each.purpose == "first" or known.level == "autonomous")
        }
        entitled = {
            known.reporter_id
            for known in index.trusts
            if known.trust_ods == each.trust_ods
            and known.ionising == index.ionising[each.profile_id]
            and known.valid_until > at
        }
        fit = {
            person.id
            for person in rows.reporters.values()
            if person.suspended_at is None and (not each.for_radiologist or person.profession == "radiologist")
        }
        if (able & entitled & fit) - barred:
            return True
    return False
