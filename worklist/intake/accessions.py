"""Finds and opens the item of an accession; images and orders meet here, in either order.

It must not judge what an item needs. Accession numbers are text: leading zeros are significant.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, text, update

from worklist.db.tables.work import item, order_identity
from worklist.item import ItemState
from worklist.moves import append_item_event


def lock_accession(connection: Connection, trust: str, accession_number: str) -> None:
    """Hold an accession number of a trust until the transaction ends, whether or not it has an item yet.

    Taken before any row of a patient or an item: who comes second finds what the first one made.
    """
    connection.execute(_LOCK, {"key": f"{trust}\x1f{accession_number}"})


def item_of_accession(connection: Connection, trust: str, accession_number: str) -> int | None:
    """Give the item of an accession, which the caller has locked; None before anything came of it.

    The transaction sees the trust's identities (`view_as`).
    """
    return connection.scalar(
        select(order_identity.c.item_id).where(
            order_identity.c.trust_ods == trust, order_identity.c.accession_number == accession_number
        )
    )


def name_item(connection: Connection, trust: str, item_id: int, accession_number: str) -> bool:
    """Give an item without accession number the one that a later object states, if no other item has it."""
    lock_accession(connection, trust, accession_number)
    if item_of_accession(connection, trust, accession_number) is not None:
        return False
    named = connection.execute(
        update(order_identity)
        .where(order_identity.c.item_id == item_id, order_identity.c.accession_number.is_(None))
        .values(accession_number=accession_number)
    )
    return named.rowcount == 1


def open_item(
    connection: Connection, trust: str, patient_id: int, accession_number: str | None, state: ItemState
) -> int:
    """Open an item, with its event, and give its id; without an accession number a person must find one."""
    made = connection.execute(
        insert(item).values(trust_ods=trust, patient_id=patient_id, state=state.value).returning(item)
    ).one()
    connection.execute(
        insert(order_identity).values(item_id=made.id, trust_ods=trust, accession_number=accession_number or None)
    )
    append_item_event(connection, made, "item.opened")
    return int(made.id)


_LOCK = text("SELECT pg_advisory_xact_lock(7223004, hashtext(:key))")
