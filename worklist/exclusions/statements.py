"""Keeps what people said of an item's exclusion flags; it must not judge who may say so."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.exclusions import item_flag
from worklist.exclusions.flags import FlagState, Statement


def statements_of(connection: Connection, item_id: int, looked_at: str) -> dict[str, Statement]:
    """Give what people said of an item by flag, held against what they would look at now (`flags.looked_at`)."""
    rows = connection.execute(select(item_flag).where(item_flag.c.item_id == item_id))
    return {row.flag: Statement(FlagState(row.state), row.looked_at == looked_at) for row in rows}


def write_statements(
    connection: Connection,
    trust: str,
    item_id: int,
    actor: str,
    stated: Mapping[str, FlagState],
    looked_at: str,
) -> None:
    """Write down what a person says of a locked item's flags, in place of what was said; unknown takes it back."""
    for flag, state in stated.items():
        if state is FlagState.UNKNOWN:
            connection.execute(delete(item_flag).where(item_flag.c.item_id == item_id, item_flag.c.flag == flag))
            continue
        values = {"state": state.value, "looked_at": looked_at, "stated_by": actor, "stated_at": func.radpool_now()}
        connection.execute(
            insert(item_flag)
            .values(item_id=item_id, trust_ods=trust, flag=flag, **values)
            .on_conflict_do_update(index_elements=["item_id", "flag"], set_=values)
        )
