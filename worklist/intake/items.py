"""Joins studies with images to the items of their accessions, and tells people of images that nobody will read.

The caller has locked the studies and the accession numbers. It must not judge completeness or due times, nor
what headers are worth.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, text, update

from worklist.db.tables.log import event
from worklist.db.tables.work import item, item_order, item_study, order_identity
from worklist.doubts import open_doubt
from worklist.intake.accessions import items_of_accessions, name_item, open_item
from worklist.intake.patients import drop_nameless
from worklist.intake.studies import Taken
from worklist.intake.study import ReceivedObject
from worklist.item import REPORTED, ItemState, Move
from worklist.moves import make_move
from worklist.withdrawal import withdraw_readings


@dataclass(frozen=True, slots=True)
class Link:
    """An item of a study and the accession number that it has now."""

    item_id: int
    accession_number: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a study's item: before and after, each None where there is none.

    A study of several items has the first of them here, and stays with all. `opened` says that the item
    was opened for this study.
    """

    taken: Taken
    before: Link | None
    after: Link | None
    opened: bool = False


#: Without images an item in one of these states is as it was before they came.
_LEFT_AS_IT_WAS = frozenset({ItemState.ARRIVING, ItemState.CANCELLED, ItemState.REPORTED_ELSEWHERE})


def links_of(connection: Connection, study_ids: Collection[int]) -> dict[int, list[Link]]:
    """Give the items of locked studies, by study."""
    links: dict[int, list[Link]] = {one: [] for one in study_ids}
    if not links:
        return links
    for row in connection.execute(
        select(item_study.c.study_id, item_study.c.item_id, order_identity.c.accession_number)
        .join(order_identity, order_identity.c.item_id == item_study.c.item_id)
        .where(item_study.c.study_id.in_(study_ids))
        .order_by(item_study.c.study_id, item_study.c.item_id)
    ):
        links[row.study_id].append(Link(row.item_id, row.accession_number))
    return links


def accessions_in_question(links: Sequence[Link], *, accession_number: str | None, completed: bool) -> set[str]:
    """Give the accession numbers to lock before a study that states this one joins an item or leaves it."""
    if not links:
        return {accession_number} if accession_number else set()
    if not _is_to_move(links, accession_number=accession_number, completed=completed):
        return set()
    return {number for number in (accession_number, links[0].accession_number) if number}


def join_items(
    connection: Connection,
    trust: str,
    studies: Sequence[Taken],
    links: Mapping[int, Sequence[Link]],
    patients: Mapping[int, int],
) -> list[Joined]:
    """Give each study with images its item, in the order given; `patients` are those of the studies, by id.

    A study follows the accession number that counts until it is complete, so that the order of objects does
    not matter. After that, and where somebody has begun to read, it stays where it is.
    """
    with_images = [one for one in studies if one.after.has_image]
    asked = {number for one in with_images if (number := _number_to_find(one, links.get(one.row.id, ())))}
    known = items_of_accessions(connection, trust, asked)
    current = {link.item_id for one in with_images for link in links.get(one.row.id, ())}
    rows = _lock_items(connection, current | set(known.values()))
    existing = current | set(known.values())
    joined = []
    for one in studies:
        before = list(links.get(one.row.id, ()))
        after = before
        if one.after.has_image:
            after = [_place(connection, trust, one, before, known, rows, patients[one.row.id])]
            after += before[1:]
            for link in after:
                _note_arrival(connection, rows, link.item_id, one, moved=bool(before) and link not in before)
        first, now = next(iter(before), None), next(iter(after), None)
        opened = first is None and now is not None and now.item_id not in existing
        joined.append(Joined(one, first, now, opened))
        existing |= {now.item_id} if now else set()
    return joined


def settle_item_patients(connection: Connection, item_ids: Collection[int]) -> None:
    """Give items that name nobody else the patient of the first of their studies by UID.

    Those are items that images opened, while they still arrive, and those whose orders or reports name nobody.
    """
    if item_ids:
        for left in connection.scalars(_SETTLE_PATIENTS, {"items": sorted(item_ids)}).all():
            if left is not None:
                drop_nameless(connection, left)


def _number_to_find(one: Taken, links: Sequence[Link]) -> str | None:
    """Give the accession number by which a study is to find its item; None where it has one and stays with it."""
    number, completed = one.after.accession_number, one.row.completed_at is not None
    return number if not links or _is_to_move(links, accession_number=number, completed=completed) else None


def _is_to_move(links: Sequence[Link], *, accession_number: str | None, completed: bool) -> bool:
    settled = completed or len(links) > 1  # a study of several items is so by somebody's decision
    return not settled and accession_number is not None and accession_number != links[0].accession_number


def _place(
    connection: Connection,
    trust: str,
    one: Taken,
    links: Sequence[Link],
    known: dict[str, int],
    rows: dict[int, Row[Any]],
    patient_id: int,
) -> Link:
    number = one.after.accession_number
    if links and not _is_to_move(links, accession_number=number, completed=one.row.completed_at is not None):
        return links[0]
    target = known.get(number) if number else None
    held = rows[links[0].item_id] if links else None
    alone = held is not None and _is_alone(connection, one.row.id, held.id)
    if held is not None and alone and held.state not in _LEFT_AS_IT_WAS:
        return links[0]
    if held is not None and alone and target is None and _is_opened_by_images(connection, held):
        name_item(connection, held.id, number)
        target = held.id
        known.pop(links[0].accession_number or "", None)
    else:
        if target is None:
            target = open_item(connection, trust, patient_id, number, ItemState.ARRIVING)
        if held is None:
            connection.execute(insert(item_study).values(item_id=target, study_id=one.row.id))
        else:
            moved = update(item_study).where(item_study.c.study_id == one.row.id, item_study.c.item_id == held.id)
            connection.execute(moved.values(item_id=target))
        if held is not None and alone and held.state == ItemState.ARRIVING:
            if _is_opened_by_images(connection, held):
                _end(connection, held, target)
                known.pop(links[0].accession_number or "", None)
                rows.pop(held.id)
            else:  # it was ordered, and goes on waiting for its own images
                rows[held.id] = make_move(connection, held, Move.IMAGES_LEFT, dimensions={"joined_to": target})
    if number:
        known[number] = target
    return Link(target, number)


def _end(connection: Connection, row: Row[Any], target: int) -> None:
    """End an item that nothing but the images opened, which have gone to another."""
    withdraw_readings(connection, row.id)
    name_item(connection, row.id, None)
    make_move(connection, row, Move.CANCELLED, dimensions={"joined_to": target})


def _is_alone(connection: Connection, study_id: int, item_id: int) -> bool:
    others = exists().where(item_study.c.item_id == item_id, item_study.c.study_id != study_id)
    return not connection.scalar(select(others))


def _is_opened_by_images(connection: Connection, row: Row[Any]) -> bool:
    """Whether an item is there because of images alone: no order and no report of the home RIS opened it."""
    opened = exists().where(
        event.c.item_id == row.id,
        event.c.kind == "item.opened",
        event.c.dimensions["state"].astext == ItemState.ARRIVING.value,
    )
    return bool(connection.scalar(select(opened & ~exists().where(item_order.c.item_id == row.id))))


def _lock_items(connection: Connection, item_ids: Collection[int]) -> dict[int, Row[Any]]:
    if not item_ids:
        return {}
    statement = select(item).where(item.c.id.in_(item_ids)).order_by(item.c.id).with_for_update(key_share=True)
    return {row.id: row for row in connection.execute(statement)}


def _note_arrival(connection: Connection, rows: dict[int, Row[Any]], item_id: int, one: Taken, *, moved: bool) -> None:
    """Move an ordered item on, and tell people of images that nobody will read."""
    images = len(one.recorded.new_images)
    if moved:
        images = sum(stating.objects for stating in one.recorded.after if stating.is_image)
    row = rows.get(item_id)
    if row is None or not images:  # an item that this batch opened is arriving
        return
    if row.state == ItemState.ORDERED:
        rows[item_id] = make_move(connection, row, Move.IMAGES_ARRIVED)
    elif row.state == ItemState.CANCELLED:
        open_doubt(
            connection,
            "images-of-cancelled-order",
            trust=row.trust_ods,
            item_id=item_id,
            detail="the order was cancelled and there are images",
            occurrences=images,
        )
    elif row.state in REPORTED:
        late = images if moved else sum(1 for each in one.recorded.new_images if not _is_covered(row, each))
        if late:
            open_doubt(
                connection,
                "late-images",
                trust=row.trust_ods,
                source=one.after.source_ae_title,
                item_id=item_id,
                detail="images arrived after the report",
                occurrences=late,
            )


def _is_covered(row: Row[Any], received: ReceivedObject) -> bool:
    """Whether the home RIS reported after this was acquired: then its report covers it, however late it comes."""
    ended = received.acquisition_ended
    if row.state != ItemState.REPORTED_ELSEWHERE or row.reported_at is None or ended is None:
        return False
    return bool(ended.at <= row.reported_at)


_SETTLE_PATIENTS = text(
    "UPDATE item i SET patient_id = v.patient_id, merged_from_id = v.merged_from_id FROM ("
    " SELECT DISTINCT ON (l.item_id) l.item_id, coalesce(p.merged_into, p.id) AS patient_id,"
    " CASE WHEN p.merged_into IS NOT NULL THEN p.id END AS merged_from_id,"
    " b.patient_id AS left_id, n.identifier IS NULL AS nameless"
    " FROM item_study l JOIN study s ON s.id = l.study_id JOIN patient p ON p.id = s.patient_id"
    " JOIN item b ON b.id = l.item_id JOIN patient n ON n.id = b.patient_id"
    " JOIN study_identity d ON d.study_id = l.study_id WHERE l.item_id = ANY (:items)"
    ' ORDER BY l.item_id, d.study_instance_uid COLLATE "C") v'
    " WHERE i.id = v.item_id AND (i.patient_id, i.merged_from_id) IS DISTINCT FROM (v.patient_id, v.merged_from_id)"
    " AND i.state NOT IN ('verified', 'addendum', 'reported_elsewhere')"
    " AND NOT EXISTS (SELECT FROM item_order o WHERE o.item_id = i.id AND o.patient_id IS NOT NULL)"
    " AND (v.nameless OR i.state = 'arriving' AND (EXISTS (SELECT FROM item_order o WHERE o.item_id = i.id)"
    " OR EXISTS (SELECT FROM event e WHERE e.item_id = i.id AND e.kind = 'item.opened'"
    " AND e.dimensions ->> 'state' = 'arriving')))"
    " RETURNING CASE WHEN v.nameless THEN v.left_id END"
)
