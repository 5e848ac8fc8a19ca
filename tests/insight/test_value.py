"""The value of insourcing against a plain sum over the same ledger, and what is compared with what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Row, insert, select, text

from insight.filters import Dimension, Filters
from insight.value import SUPPORTED, ValueRow, value
from tests.conftest import NOW, Database
from tests.insight.history import make_history, random_filters
from tests.insight.plain_rows import (
    Rows,
    chosen,
    group_of_item,
    group_of_profession,
    in_period,
    london_day,
    order,
    read_rows,
)
from tests.insight.worked_study import Worked
from worklist.db.tables.pay import outsource_price, pay_line
from worklist.reading import ReportStatus


@pytest.mark.parametrize(("seed", "now"), [(31, NOW), (32, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))])
def test_every_figure_is_the_plain_sum_over_the_ledger(network: Database, seed: int, now: datetime) -> None:
    make_history(network, seed, now)
    random = Random(seed)
    with network.app.begin() as connection:
        rows, ledger = read_rows(connection), Ledger(connection)
        for _ in range(15):
            filters = random_filters(random, now, SUPPORTED)
            answer = value(connection, filters)
            assert {row.group: row for row in answer.rows} == plain_value(rows, ledger, filters)
            assert order([row.group for row in answer.rows])


def test_the_random_ledger_exercises_every_figure(network: Database) -> None:
    make_history(network, 31, NOW)
    (total,) = ask(network)
    assert all(getattr(total, name) for name in ValueRow.__dataclass_fields__ if name != "group")
    assert total.compared_pay_pence < total.pay_pence


def test_an_insourced_report_saves_the_reference_price_less_what_it_paid(network: Database) -> None:
    work_hand(network, "hart", "hart-insourced")
    assert ask(network) == (ValueRow((), 1, 0, 300, 0, 300, 550, 250),)


@pytest.mark.parametrize("session", ["reed-planned", None])
def test_a_report_in_job_planned_time_or_outside_any_session_has_no_value(
    network: Database, session: str | None
) -> None:
    work_hand(network, "reed", session)
    assert ask(network) == (ValueRow((), 0, 0, 0, 0, 0, 0, 0),)


def test_a_reversed_report_is_neither_paid_nor_compared(network: Database) -> None:
    work_hand(network, "hart", "hart-insourced")
    with network.owner.begin() as connection:
        line = connection.execute(select(pay_line)).one()._asdict()
        back = {**line, "kind": "reversal", "amount_pence": -line["amount_pence"], "reverses": line["id"]}
        connection.execute(insert(pay_line).values({key: back[key] for key in back if key != "id"}))
    assert ask(network) == (ValueRow((), 0, 0, 0, 0, 0, 0, 0),)


def test_a_check_is_paid_but_not_compared_with_a_report_bought_outside(network: Database) -> None:
    worked = Worked(network)
    worked.study("XHANL", "DX", ended_at=NOW)
    worked.report("tran", ReportStatus.PRELIMINARY)
    worked.report("hart", ReportStatus.VERIFIED, "hart-insourced")
    worked.pay()
    (total,) = ask(network)
    assert (total.reports, total.other_readings, total.outsourced_pence) == (0, 1, 0)
    assert total.pay_pence > total.compared_pay_pence == 0


def test_without_a_reference_price_a_report_is_counted_and_saves_nothing(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("DELETE FROM outsource_price WHERE modality = 'XR'"))
    work_hand(network, "hart", "hart-insourced")
    assert ask(network) == (ValueRow((), 1, 0, 300, 1, 0, 0, 0),)


@pytest.mark.parametrize(
    ("valid_from", "expected"),
    [("2026-06-11", 550), ("2026-06-10", 700)],
)
def test_the_price_is_the_newest_in_force_on_the_london_date_of_the_report(
    network: Database, valid_from: str, expected: int
) -> None:
    with network.owner.begin() as connection:
        price = {"modality": "XR", "valid_from": date.fromisoformat(valid_from), "amount_pence": 700, "source": "test"}
        connection.execute(insert(outsource_price).values(price))
    work_hand(network, "hart", "hart-insourced")
    (total,) = ask(network)
    assert total.outsourced_pence == expected


def test_a_report_after_midnight_in_london_takes_that_day_s_price_though_utc_is_a_day_behind(
    network: Database,
) -> None:
    work_hand(network, "hart", "hart-insourced")
    with network.owner.begin() as connection:
        at = datetime(2026, 6, 10, 23, 30, tzinfo=UTC)
        connection.execute(text("UPDATE report SET received_at = :at"), {"at": at})
        price = {"modality": "XR", "valid_from": date(2026, 6, 11), "amount_pence": 700, "source": "test"}
        connection.execute(insert(outsource_price).values(price))
    (row,) = ask(network, Filters(by=(Dimension.DAY,)))
    assert (row.group, row.outsourced_pence) == (("2026-06-11",), 700)


def ask(database: Database, filters: Filters | None = None) -> Sequence[ValueRow]:
    with database.app.begin() as connection:
        return value(connection, filters or Filters()).rows


def work_hand(database: Database, reporter: str, session: str | None) -> None:
    worked = Worked(database)
    worked.study("XHANL", "DX", ended_at=NOW - timedelta(minutes=5))
    worked.report(reporter, ReportStatus.VERIFIED, session)
    worked.pay()


class Ledger:
    """The ledger and the reference prices, as rows."""

    def __init__(self, connection: Connection) -> None:
        self.lines: dict[int, list[Row[Any]]] = defaultdict(list)
        for line in connection.execute(select(pay_line)):
            self.lines[line.report_id].append(line)
        self.prices = connection.execute(select(outsource_price)).all()

    def stands(self, report_id: int) -> bool:
        gone = {line.reverses for line in self.lines[report_id]}
        return any(line.kind == "earning" and line.id not in gone for line in self.lines[report_id])

    def price(self, modality: str | None, day: str) -> int | None:
        known = [one for one in self.prices if one.modality == modality and one.valid_from.isoformat() <= day]
        newest = max(known, key=lambda one: one.valid_from, default=None)
        return None if newest is None else int(newest.amount_pence)


def plain_value(rows: Rows, ledger: Ledger, filters: Filters) -> dict[tuple[str | None, ...], ValueRow]:
    items = {one.id: one for one in rows.items}
    purposes = {one.id: one.purpose for one in rows.readings}
    groups: dict[tuple[str | None, ...], list[int]] = {} if filters.by else {(): [0] * 6}
    for one in rows.reports:
        work = items[one.item_id]
        if one.id not in ledger.lines or not chosen(work, filters) or not in_period(one.received_at, filters):
            continue
        day = london_day(one.received_at)
        values = {
            Dimension.DAY: day,
            Dimension.REPORTER_GROUP: group_of_profession(rows.reporters[one.reporter_id].profession),
        }
        group = tuple(values.get(each) or group_of_item(work, each) for each in filters.by)
        sums = groups.setdefault(group, [0] * 6)
        pay = sum(line.amount_pence for line in ledger.lines[one.id])
        sums[2] += pay
        if not ledger.stands(one.id):
            continue
        if purposes[one.reading_id] != "first":
            sums[1] += 1
            continue
        sums[0] += 1
        price = ledger.price(work.modality, day)
        if price is None:
            sums[3] += 1
        else:
            sums[4] += pay
            sums[5] += price
    return {group: plain_row(group, sums) for group, sums in groups.items()}


def plain_row(group: tuple[str | None, ...], sums: list[int]) -> ValueRow:
    reports, other, pay, unpriced, compared, outside = sums
    return ValueRow(group, reports, other, pay, unpriced, compared, outside, outside - compared)
