"""The skill mix against a plain count of the same rows, and whose report a report is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Row

from insight.filters import Dimension, Filters
from insight.skill_mix import SUPPORTED, Reference, SkillMixRow, skill_mix
from tests.conftest import NOW, Database
from tests.insight.history import REPORTED_STATES, make_history, random_filters
from tests.insight.plain_rows import (
    Rows,
    chosen,
    final_of,
    group_of_item,
    group_of_profession,
    in_period,
    london_day,
    order,
    read_rows,
)
from tests.insight.worked_study import Worked
from worklist.reading import ReportStatus

TEST_REFERENCES = (Reference(40, "test"), Reference(50, "test"))

#: Of each group: how many of (reporter group, profession, modality, route).
Plain = dict[tuple[str | None, ...], Counter[tuple[str | None, str | None, str | None, str]]]


@pytest.mark.parametrize(("seed", "now"), [(21, NOW), (22, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))])
def test_every_count_and_share_is_that_of_the_plain_rows(network: Database, seed: int, now: datetime) -> None:
    make_history(network, seed, now)
    random = Random(seed)
    with network.app.begin() as connection:
        rows = read_rows(connection)
        for _ in range(15):
            filters = random_filters(random, now, SUPPORTED)
            answer = skill_mix(connection, filters, TEST_REFERENCES)
            expected = plain_mix(rows, filters)
            assert {row.group for row in answer.rows} == set(expected)
            assert order([row.group for row in answer.rows])
            for row in answer.rows:
                agree(row, expected[row.group])


def test_the_random_rows_hold_every_route_and_both_groups(network: Database) -> None:
    make_history(network, 21, NOW)
    (row,) = ask(network)
    assert {one.route.value for one in row.counts} == {"job_planned", "insourced", "on_call", "duty", "none", "home"}
    assert {one.reporter_group for one in row.counts} == {"radiologist", "radiographer", None}
    assert 0 < row.xrays_by_radiographers < row.xrays_reported_here
    assert row.xrays_reported_at_home


def test_a_share_is_compared_with_each_reference_in_whole_reports(network: Database) -> None:
    work_xrays(network, radiographer=2, radiologist=3)
    (row,) = ask(network)
    assert row.percent_xrays_by_radiographers == 40
    assert [(one.reference.percent, one.met, one.reports_short) for one in row.comparisons] == [
        (40, True, 0),
        (50, False, 1),
    ]


def test_without_x_rays_there_is_no_share_and_nothing_is_met_or_missed(network: Database) -> None:
    worked = Worked(network)
    worked.study("CHEAD", "CT", ended_at=NOW)
    worked.report("reed", ReportStatus.VERIFIED)
    (row,) = ask(network)
    assert (row.reported_here, row.percent_xrays_by_radiographers) == (1, None)
    assert [(one.met, one.reports_short) for one in row.comparisons] == [(None, 0), (None, 0)]


def test_a_checked_report_counts_for_the_one_who_verified_it(network: Database) -> None:
    worked = Worked(network)
    worked.study("XHANL", "DX", ended_at=NOW)
    worked.report("tran", ReportStatus.PRELIMINARY)
    worked.report("hart", ReportStatus.VERIFIED, "hart-insourced")
    (row,) = ask(network)
    (one,) = row.counts
    assert (one.reporter_group, one.profession, one.modality, one.route.value, one.reports) == (
        "radiographer",
        "radiographer",
        "XR",
        "insourced",
        1,
    )


def test_the_answer_says_of_what_the_share_is_one(network: Database) -> None:
    with network.app.begin() as connection:
        scope = skill_mix(connection, Filters()).scope
    assert "reported here, by a known reporter" in scope
    assert "counted apart" in scope


def ask(database: Database) -> Sequence[SkillMixRow]:
    with database.app.begin() as connection:
        return skill_mix(connection, Filters()).rows


def work_xrays(database: Database, *, radiographer: int, radiologist: int) -> None:
    worked = Worked(database)
    for reporter in ["hart"] * radiographer + ["reed"] * radiologist:
        worked.study("XHANL", "DX", ended_at=NOW - timedelta(minutes=5))
        worked.report(reporter, ReportStatus.VERIFIED)


def plain_mix(rows: Rows, filters: Filters) -> Plain:
    finals = final_of(rows)
    found: Plain = {} if filters.by else {(): Counter()}
    for one in rows.items:
        if one.state not in REPORTED_STATES or not chosen(one, filters) or not in_period(one.reported_at, filters):
            continue
        group = tuple(
            london_day(one.reported_at) if dimension is Dimension.DAY else group_of_item(one, dimension)
            for dimension in filters.by
        )
        found.setdefault(group, Counter())[kind_of(rows, finals, one)] += 1
    return found


def kind_of(
    rows: Rows, finals: dict[int, tuple[Row[Any], str]], one: Row[Any]
) -> tuple[str | None, str | None, str | None, str]:
    if one.id not in finals:
        return None, None, one.modality, "home"
    final, route = finals[one.id]
    profession = rows.reporters[final.reporter_id].profession
    return group_of_profession(profession), profession, one.modality, route


def agree(row: SkillMixRow, expected: Counter[tuple[str | None, str | None, str | None, str]]) -> None:
    counts = {(one.reporter_group, one.profession, one.modality, one.route.value): one.reports for one in row.counts}
    assert counts == dict(expected)
    here = {kind: number for kind, number in expected.items() if kind[3] != "home"}
    xrays = sum(number for kind, number in here.items() if kind[2] == "XR")
    by_radiographers = sum(number for kind, number in here.items() if kind[2] == "XR" and kind[0] == "radiographer")
    assert (row.reported_here, row.reported_at_home) == (sum(here.values()), expected.total() - sum(here.values()))
    assert (row.xrays_reported_here, row.xrays_by_radiographers) == (xrays, by_radiographers)
    assert row.xrays_reported_at_home == expected[(None, None, "XR", "home")]
    share = 100 * by_radiographers / xrays if xrays else None
    assert row.percent_xrays_by_radiographers == share
    for one in row.comparisons:
        assert one.met == (None if share is None else share >= one.reference.percent)
        missing = one.reports_short
        assert 100 * (by_radiographers + missing) >= one.reference.percent * xrays
        assert missing == 0 or 100 * (by_radiographers + missing - 1) < one.reference.percent * xrays
