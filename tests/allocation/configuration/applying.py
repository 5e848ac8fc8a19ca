"""Imports of the tests' network, changed here and there, and what they leave in the database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from allocation.configuration.apply import Applied, apply
from allocation.configuration.read import Fault, InvalidConfiguration, read_texts
from tests.builders import reporter_id
from tests.conftest import NETWORK, Database

WHOLE = NETWORK.read_text()
#: What an import writes down each time, and what it makes anew to the same content.
KEPT = {"config_version", "event", "event_position", "entitlement", "rules_version"}
HAND_SCOPE = """
[[scope]]
code = "hand-xr"
version = 1
name = "Hands"
exam_codes = ["XHANL"]
signed_by = "Lead"
valid_from = 2025-01-01
valid_until = 2030-12-31
"""
SESSION = """
[[session]]
id = "{id}"
reporter = "{reporter}"
engagement = "{reporter}-rxa"
kind = "job_planned"
starts = 2026-06-12T{starts}:00
ends = 2026-06-12T{ends}:00
"""


def session(code: str, starts: str, ends: str, *, reporter: str = "reed") -> str:
    return SESSION.format(id=code, reporter=reporter, starts=starts, ends=ends)


def apply_text(database: Database, text_: str) -> Applied:
    with database.app.begin() as connection:
        return apply(connection, read_texts([("a.toml", text_)]), by="test")


def refused_text(database: Database, text_: str) -> tuple[Fault, ...]:
    with pytest.raises(InvalidConfiguration) as refusal, database.app.begin() as connection:
        apply(connection, read_texts([("a.toml", text_)]), by="test")
    assert all(fault.file == "a.toml" for fault in refusal.value.faults)
    return refusal.value.faults


def everything(database: Database, *, keep: frozenset[str] = frozenset(KEPT)) -> dict[str, list[str]]:
    """Give the content of every table of the public schema, but for what `keep` names."""
    with database.owner.connect() as connection:
        tables = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
            )
        ).all()
        rows: dict[str, Any] = {
            table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
            for table in tables
            if table not in keep
        }
    return rows


def profiles(database: Database) -> dict[int, int]:
    """Give each item's profile, having seen that its reading has the same."""
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT i.id, i.profile_id, r.profile_id AS of_reading, r.state FROM item i JOIN reading r"
                 " ON r.item_id = i.id")
        ).all()  # fmt: skip
    assert all(row.profile_id == row.of_reading for row in rows if row.state == "open")
    return {row.id: row.profile_id for row in rows}


def held_by(database: Database, code: str) -> tuple[int, int]:
    """Give how many grants and entitlements a reporter has."""
    who = reporter_id(database, code)
    with database.owner.connect() as connection:
        grants, entitlements = (
            connection.scalar(text(f"SELECT count(*) FROM {table} WHERE reporter_id = :who"), {"who": who}) or 0
            for table in ("scope_grant", "entitlement")
        )
    return grants, entitlements


VERSIONS_OF_HART = text(
    "SELECT s.code, s.version FROM scope_grant g JOIN scope_of_practice s ON s.id = g.scope_id"
    " JOIN reporter r ON r.id = g.reporter_id WHERE r.code = 'hart'"
)
