"""Takes orders in together that open new items: a statement for each table, however many orders there are.

It leaves what `worklist.intake.orders.receive_order` leaves of each; whatever is not plain is left to that. It must
not parse messages or know their dialects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text, update

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.rows import insert_rows, insert_rows_returning
from worklist.db.tables.work import item, item_order, order_identity, patient
from worklist.intake import order
from worklist.intake.accessions import items_of_accessions, lock_accessions
from worklist.intake.order import Order, OrderControl, said_in
from worklist.intake.orders import Outcome, made_at_of, outcome_of
from worklist.intake.places import lock_named, note_spoken_of
from worklist.item import ItemState
from worklist.life.moves import OF_EVENTS, append_item_events
from worklist.local_time import LONDON
from worklist.log import audit
from worklist.patients.merging import Identity
from worklist.patients.stating import Stated, columns_of, pack, stated_in, together, unpack


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A plain order, where it stands among those given, whom it names, and when it was made as far as believed."""

    place: int
    order: Order
    identity: Identity
    made_at: datetime


def receive_new_orders(connection: Connection, orders: Sequence[Order]) -> list[Outcome | None]:
    """Take the plain ones of these orders in, and repetitions; the caller commits, and takes the others by themselves.

    Gives what became of each, None for those that are left: what is known of their accession or their patient has
    to be weighed, or they say what a person must look at. Of one accession or one patient the first alone is taken.
    """
    moment = now(connection)
    outcomes: list[Outcome | None] = [None] * len(orders)
    plain = [
        _Wanted(place, one, (one.patient.issuer or "", one.patient.identifier or ""), made_at_of(one.message, moment))
        for place, one in enumerate(orders)
        if _is_plain(one, moment.astimezone(LONDON).date())
    ]
    lock_named(connection, {one.order.study_instance_uid for one in plain if one.order.study_instance_uid})
    opened: dict[int, int] = {}
    for trust, several in groupby(sorted(plain, key=_trust_of), key=_trust_of):
        view_as(connection, Viewer(trust=trust))
        wanted = list(several)
        lock_accessions(connection, trust, {one.order.accession_number for one in wanted})
        items = items_of_accessions(connection, trust, {one.order.accession_number for one in wanted})
        for place in _repeated(connection, wanted, items):
            outcomes[place] = Outcome.REPEATED
        fresh = _first_of_each([one for one in wanted if one.order.accession_number not in items])
        opened |= _open(connection, trust, fresh, _patients_of(connection, trust, fresh))
    _write_audit(connection, orders, opened)
    for place in opened:
        outcomes[place] = Outcome.APPLIED
    return outcomes


def _is_plain(one: Order, today: date) -> bool:
    """Whether an order leaves nothing to weigh where its accession is new: all is said, and nothing is doubtful."""
    born = one.patient.birth_date
    return (
        one.control is not OrderControl.CANCEL
        and one.patient.identifier is not None
        and one.exam_ended is None
        and not one.faults
        and not one.cleared
        and not one.patient.cleared
        and (born is None or born <= today)
    )


def _trust_of(one: _Wanted) -> str:
    return one.order.message.trust


def _first_of_each(wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """Give one order of each accession and of each patient; what follows of the same is weighed against it."""
    accessions, identities = set[str](), set[Identity]()
    found = []
    for one in wanted:
        if one.order.accession_number not in accessions and one.identity not in identities:
            found.append(one)
        accessions.add(one.order.accession_number)
        identities.add(one.identity)
    return found


def _repeated(connection: Connection, wanted: Sequence[_Wanted], items: Mapping[str, int]) -> list[int]:
    """Give the places of the messages that have been taken before."""
    if not items:
        return []
    rows = connection.execute(
        select(item_order.c.item_id, item_order.c.stated).where(item_order.c.item_id.in_(items.values()))
    )
    stated = {row.item_id: order.unpack(row.stated) for row in rows}
    found = []
    for one in wanted:
        known = stated.get(items.get(one.order.accession_number, 0), {})
        said = said_in(one.order, one.made_at, ())
        news = order.together(known, said)
        if news == known and outcome_of(known, said, news) is Outcome.REPEATED:
            found.append(one.place)
    return found


def _patients_of(connection: Connection, trust: str, wanted: Sequence[_Wanted]) -> dict[Identity, int]:
    """Give the records of those whom orders name and who are known as stated, or not at all; they are locked.

    Of a record that is merged with another, or of which something else is said now, more than itself may change.
    """
    if not wanted:
        return {}
    said = {one.identity: stated_in(one.order.patient, one.made_at, one.order.message.control_id) for one in wanted}
    known = _lock_records(connection, trust, said)
    found: dict[Identity, int] = {}
    restated = []
    for row in known:
        identity = (row.issuer, row.identifier)
        before = unpack(row.stated)
        newest = together(before, said[identity])
        if row.merged_into is not None or row.is_survivor or not _says_the_same(before, newest):
            continue
        found[identity] = row.id
        if newest != before:
            restated.append({"id": row.id, "stated": pack(newest)})
    _write_stated(connection, restated)
    missing = said.keys() - {(row.issuer, row.identifier) for row in known}
    rows = [
        {
            "trust_ods": trust,
            "issuer": issuer,
            "identifier": identifier,
            **columns_of(said[issuer, identifier], ()),
            "stated": pack(said[issuer, identifier]),
        }
        for issuer, identifier in sorted(missing)
    ]
    made = insert_rows_returning(connection, patient, rows, ("id", "issuer", "identifier"))
    return found | {(row.issuer, row.identifier): row.id for row in made}


def _lock_records(connection: Connection, trust: str, identities: Collection[Identity]) -> Sequence[Row[Any]]:
    issuers, identifiers = zip(*sorted(identities), strict=True)
    named = {"trust": trust, "issuers": list(issuers), "identifiers": list(identifiers)}
    return connection.execute(_LOCK_RECORDS, named).all()


def _says_the_same(before: Mapping[str, Stated], newest: Mapping[str, Stated]) -> bool:
    return {column: one.value for column, one in before.items()} == {
        column: one.value for column, one in newest.items()
    }


def _write_stated(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write that the same was stated again, by a newer message."""
    if rows:
        values = {"stated": bindparam("said"), "updated_at": func.radpool_now()}
        statement = update(patient).where(patient.c.id == bindparam("record")).values(values)
        connection.execute(statement, [{"record": row["id"], "said": row["stated"]} for row in rows])


def _open(
    connection: Connection, trust: str, wanted: Sequence[_Wanted], patients: Mapping[Identity, int]
) -> dict[int, int]:
    """Open the items of orders whose patients are at hand; gives the item of each order, by the order's place."""
    orders = {patients[one.identity]: one for one in wanted if one.identity in patients}
    opened = insert_rows_returning(
        connection,
        item,
        [{"trust_ods": trust, "state": ItemState.ORDERED.value, "patient_id": patient_id} for patient_id in orders],
        ("id", "patient_id", *OF_EVENTS),
    )
    rows = {row.id: (row, orders[row.patient_id]) for row in sorted(opened, key=lambda row: int(row.id))}
    insert_rows(
        connection,
        order_identity,
        [
            {
                "item_id": row.id,
                "trust_ods": trust,
                "accession_number": one.order.accession_number,
                "placer_order_number": one.order.placer_order_number,
                "study_instance_uid": one.order.study_instance_uid,
            }
            for row, one in rows.values()
        ],
    )
    insert_rows(
        connection,
        item_order,
        [
            {
                "item_id": row.id,
                "trust_ods": trust,
                **_values(one, row.patient_id),
            }
            for row, one in rows.values()
        ],
    )
    uids = {one.order.study_instance_uid for _, one in rows.values() if one.order.study_instance_uid}
    note_spoken_of(connection, trust, [one.order.accession_number for _, one in rows.values()], uids)
    append_item_events(
        connection,
        [
            told
            for row, one in rows.values()
            for told in (
                (row, "item.opened", {}),
                (row, "item.order-taken", {"control": one.order.control.value}),
            )
        ],
    )
    return {one.place: item_id for item_id, (_, one) in rows.items()}


def _values(one: _Wanted, patient_id: int) -> dict[str, Any]:
    said = said_in(one.order, one.made_at, ())
    return {**order.columns_of(said), "patient_id": patient_id, "stated": order.pack(said)}


def _write_audit(connection: Connection, orders: Sequence[Order], opened: Mapping[int, int]) -> None:
    """Write one entry of what each RIS ordered by each kind of message."""
    acts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, item_id in opened.items():
        acts[orders[place].message.facility, orders[place].control.value].append(item_id)
    for (facility, control), items in sorted(acts.items()):
        audit.append(connection, f"ris:{facility}", f"order {control}", items=sorted(items))


_LOCK_RECORDS = text(
    "SELECT p.id, p.issuer, p.identifier, p.stated, p.merged_into,"
    " EXISTS (SELECT FROM patient r WHERE r.merged_into = p.id) AS is_survivor"
    " FROM patient p JOIN unnest(CAST(:issuers AS text[]), CAST(:identifiers AS text[])) AS n (issuer, identifier)"
    " ON p.issuer = n.issuer AND p.identifier = n.identifier"
    " WHERE p.trust_ods = :trust ORDER BY p.id FOR NO KEY UPDATE OF p"
)
