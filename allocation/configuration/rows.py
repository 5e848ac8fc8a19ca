"""Writes rows of a configuration under their names; knows no table and no rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert


def put_rows(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows or bring those with the same key up to date."""
    for values in rows:
        changes = {name: value for name, value in values.items() if name not in keys}
        connection.execute(insert(table).values(values).on_conflict_do_update(index_elements=list(keys), set_=changes))


def words(values: Sequence[Any] | None) -> list[str] | None:
    """Give a list of plain texts for a column; None stays None."""
    return None if values is None else [str(value) for value in values]
