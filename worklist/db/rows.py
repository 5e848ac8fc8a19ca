"""Writes many rows of a table in one statement; knows the tables' columns and nothing of what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table, TextClause, text


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, in their order; other columns take their defaults.

    For some rows and more this costs a fraction of `executemany`. Values are what PostgreSQL reads from JSON: plain
    values, lists for arrays, anything for JSON columns, and dates and aware instants.
    """
    if rows:
        connection.execute(_statement(table, tuple(rows[0]), returning=()), {"rows": _packed(rows)})


def insert_rows_returning(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], returning: Sequence[str]
) -> Sequence[Row[Any]]:
    """Insert rows as `insert_rows` does and give these columns of them as they were written, in no order.

    A row that is there already is left as it is, and not given.
    """
    if not rows:
        return []
    statement = _statement(table, tuple(rows[0]), returning=tuple(returning))
    return connection.execute(statement, {"rows": _packed(rows)}).all()


@cache
def _statement(table: Table, columns: tuple[str, ...], *, returning: tuple[str, ...]) -> TextClause:
    """Name columns of the schema only: what comes from outside is in the one parameter."""
    for name in columns + returning:
        assert name in table.c, name
    names = ", ".join(columns)
    statement = (
        f"INSERT INTO {table.fullname} ({names}) SELECT {names}"  # noqa: S608
        f" FROM jsonb_populate_recordset(NULL::{table.fullname}, CAST(:rows AS jsonb))"
    )
    gives = f" ON CONFLICT DO NOTHING RETURNING {', '.join(returning)}"
    return text(statement + gives if returning else statement)


def _packed(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps([dict(row) for row in rows], default=_as_text, separators=(",", ":"))


def _as_text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    msg = f"a {type(value).__name__} cannot be written this way"
    raise TypeError(msg)
