"""The rows that questions look at, read back plainly, and the rules by which oracles count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from insight.filters import Dimension, Filters
from worklist.db.tables.claims import claim, report
from worklist.db.tables.people import reporter, reporting_session
from worklist.db.tables.work import item, reading
from worklist.local_time import LONDON
from worklist.turnaround.span import ends_at
from worklist.turnaround.targets import BACKSTOP


@dataclass(frozen=True)
class Rows:
    """Every row of the tables that the questions look at, as the database has them."""

    items: Sequence[Row[Any]]
    readings: Sequence[Row[Any]]
    claims: Sequence[Row[Any]]
    reports: Sequence[Row[Any]]
    reporters: dict[int, Row[Any]]
    sessions: dict[int, Row[Any]]


def read_rows(connection: Connection) -> Rows:
    def rows(table: Table) -> Sequence[Row[Any]]:
        return connection.execute(select(table)).all()

    return Rows(
        rows(item),
        rows(reading),
        rows(claim),
        rows(report),
        {one.id: one for one in rows(reporter)},
        {one.id: one for one in rows(reporting_session)},
    )


def chosen(one: Row[Any], filters: Filters) -> bool:
    """Whether an item passes the filters, the period left aside."""
    pairs = ((one.trust_ods, filters.trust), (one.modality, filters.modality), (one.setting, filters.setting))
    return all(wanted is None or found == wanted for found, wanted in pairs)


def in_period(at: datetime, filters: Filters) -> bool:
    return (filters.from_at is None or at >= filters.from_at) and (filters.to_at is None or at < filters.to_at)


def over_28_days(start: datetime, at: datetime) -> bool:
    return at > ends_at(BACKSTOP, start, ())


def group_of_item(one: Row[Any], dimension: Dimension) -> str | None:
    names = {Dimension.TRUST: "trust_ods", Dimension.MODALITY: "modality"}
    found: str | None = getattr(one, names.get(dimension, dimension.value))
    return found


def final_of(rows: Rows) -> dict[int, tuple[Row[Any], str]]:
    """The final report of each item that has one here, with its route."""
    purposes = {one.id: one.purpose for one in rows.readings}
    claims = {one.id: one for one in rows.claims}
    found: dict[int, tuple[Row[Any], str]] = {}
    for one in sorted(rows.reports, key=lambda each: each.id, reverse=True):
        if one.status == "verified" and not one.superseded and purposes[one.reading_id] in {"first", "check"}:
            session_id = claims[one.claim_id].session_id
            found[one.item_id] = one, "none" if session_id is None else rows.sessions[session_id].kind
    return found


def group_of_profession(profession: str) -> str:
    return "radiographer" if profession in {"radiographer", "sonographer"} else "radiologist"


def london_day(at: datetime) -> str:
    return at.astimezone(LONDON).date().isoformat()


def order(groups: Sequence[tuple[str | None, ...]]) -> bool:
    """Whether groups stand in order, each once, what is not known last."""
    keys = [tuple((value is None, value or "") for value in group) for group in groups]
    return all(one < other for one, other in pairwise(keys))
