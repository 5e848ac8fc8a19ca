"""Finds and opens the item of an accession; images and orders meet here, in either order.

It must not judge what an item needs. Accession numbers are text: leading zeros are significant.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, case, func, insert, literal, select, text, update

from worklist.db.tables.work import item, order_identity, patient
from worklist.item import ItemState
from worklist.life.moves import append_item_event


def lock_accession(connection: Connection, trust: str, accession_number: str) -> None:
    """Hold an accession number of a trust until the transaction ends, whether or not it has an item yet.

    Taken before any row of a patient or an item: who comes second finds what the first one made.
    """
    connection.execute(_LOCK, {"key": _key(trust, accession_number)})


def lock_accessions(connection: Connection, trust: str, accession_numbers: Collection[str]) -> None:
    """Hold several accession numbers of a trust, in one order for everybody (see `lock_accession`)."""
    if accession_numbers:
        connection.execute(_LOCK_ALL, {"keys": [_key(trust, number) for number in accession_numbers]})


def item_of_accession(connection: Connection, trust: str, accession_number: str) -> int | None:
    """Give the item of an accession, which the caller has locked; None before anything came of it.

    The transaction sees the trust's identities (`view_as`).
    """
    return connection.scalar(
        select(order_identity.c.item_id).where(
            order_identity.c.trust_ods == trust, order_identity.c.accession_number == accession_number
        )
    )


def items_of_accessions(connection: Connection, trust: str, accession_numbers: Collection[str]) -> dict[str, int]:
    """Give the items of accessions that the caller has locked, by number (see `item_of_accession`)."""
    if not accession_numbers:
        return {}
    rows = connection.execute(_ITEMS_OF, {"trust": trust, "numbers": sorted(accession_numbers)})
    return {row.accession_number: row.item_id for row in rows}


def name_item(connection: Connection, item_id: int, accession_number: str | None) -> None:
    """Give a locked item another accession number, or none; the caller has locked it and nobody else's item has it."""
    connection.execute(
        update(order_identity).where(order_identity.c.item_id == item_id).values(accession_number=accession_number)
    )


def open_item(
    connection: Connection, trust: str, patient_id: int, accession_number: str | None, state: ItemState
) -> int:
    """Open an item, with its event, and give its id; without an accession number a person must find one.

    The caller has locked the patient whom it names; the item is of whom that one was merged into, if anybody.
    """
    made = connection.execute(
        insert(item)
        .from_select(
            ["trust_ods", "state", "patient_id", "merged_from_id"],
            select(
                literal(trust),
                literal(state.value),
                func.coalesce(patient.c.merged_into, patient.c.id),
                case((patient.c.merged_into.is_not(None), patient.c.id)),
            ).where(patient.c.id == patient_id),
        )
        .returning(item)
    ).one()
    connection.execute(
        insert(order_identity).values(item_id=made.id, trust_ods=trust, accession_number=accession_number or None)
    )
    append_item_event(connection, made, "item.opened")
    return int(made.id)


def _key(trust: str, accession_number: str) -> str:
    return f"{trust}\x1f{accession_number}"


_LOCK = text("SELECT pg_advisory_xact_lock(7223004, hashtext(:key))")
_LOCK_ALL = text(
    "SELECT pg_advisory_xact_lock(7223004, h.key)"
    " FROM (SELECT DISTINCT hashtext(k.key) AS key FROM unnest(CAST(:keys AS text[])) AS k (key) ORDER BY 1) h"
)
_ITEMS_OF = text(
    "SELECT accession_number, item_id FROM order_identity"
    " WHERE trust_ods = :trust AND accession_number = ANY (:numbers)"
)
