"""Joins studies with images to the items of their accessions, and tells people of images that nobody will read.

The caller has locked the studies and the accession numbers. It must not judge completeness or due times, nor
what headers are worth.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, text, update

from worklist.db.tables.log import event
from worklist.db.tables.work import item, item_order, item_study, order_identity
from worklist.doubts import hold_doubt_open, open_doubt
from worklist.intake.accessions import items_of_accessions, name_item, open_item
from worklist.intake.header_truth import Truth, patient_of
from worklist.intake.patients import can_be_patient_of, drop_nameless
from worklist.intake.studies import Taken
from worklist.intake.study import ReceivedObject
from worklist.item import REPORTED, ItemState, Move
from worklist.life.moves import make_move
from worklist.life.withdrawal import withdraw_readings


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


def spoken_of(connection: Connection, trust: str, accession_numbers: Collection[str]) -> set[str]:
    """Give those of accession numbers, which the caller has locked, that the home RIS spoke of."""
    if not accession_numbers:
        return set()
    return set(connection.scalars(_SPOKEN_OF, {"trust": trust, "numbers": sorted(accession_numbers)}))


def join_items(
    connection: Connection,
    trust: str,
    studies: Sequence[Taken],
    links: Mapping[int, Sequence[Link]],
    patients: Mapping[int, int],
    waiting: Collection[int],
) -> list[Joined]:
    """Give each study with images its item, in the order given; `patients` are those of the studies, by id.

    Those that are `waiting` look for none. A study follows the accession number that counts until it is complete, so
    that the order of objects does not matter. After that, and where somebody has begun to read, it stays where it is.
    """
    with_images = [one for one in studies if one.after.has_image and one.row.id not in waiting]
    asked = {number for one in with_images if (number := _number_to_find(one, links.get(one.row.id, ())))}
    known = items_of_accessions(connection, trust, asked)
    current = {link.item_id for one in with_images for link in links.get(one.row.id, ())}
    rows = lock_items(connection, current | set(known.values()))
    existing = current | set(known.values())
    joined = []
    for one in studies:
        before = list(links.get(one.row.id, ()))
        after = before
        if one.after.has_image and one.row.id not in waiting:
            after = [_place(connection, trust, one, before, known, rows, patients[one.row.id])]
            after += before[1:]
            if after[0] not in before and after[0].accession_number != one.after.accession_number:
                note_reuse(connection, trust, after[0].item_id)
            for link in after:
                note_arrival(connection, rows, link.item_id, one, moved=bool(before) and link not in before)
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
    number = _number_that_counts(connection, one, known, rows)
    if links and not _is_to_move(links, accession_number=number, completed=one.row.completed_at is not None):
        return links[0]
    target = known.get(number) if number else None
    held = rows[links[0].item_id] if links else None
    alone = held is not None and is_alone(connection, one.row.id, held.id)
    if held is not None and alone and held.state not in _LEFT_AS_IT_WAS:
        return links[0]
    if held is not None and alone and target is None and is_opened_by_images(connection, held):
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
            if is_opened_by_images(connection, held):
                end_item(connection, held, target)
                known.pop(links[0].accession_number or "", None)
                rows.pop(held.id)
            else:  # it was ordered, and goes on waiting for its own images
                rows[held.id] = make_move(connection, held, Move.IMAGES_LEFT, dimensions={"joined_to": target})
    if number:
        known[number] = target
    return Link(target, number)


def end_item(connection: Connection, row: Row[Any], target: int | None) -> None:
    """End a locked item that nothing but the images opened, which have gone to another, or (None) are no work."""
    withdraw_readings(connection, row.id)
    name_item(connection, row.id, None)
    make_move(connection, row, Move.CANCELLED, dimensions={"joined_to": target}, arriving=False)


def _number_that_counts(
    connection: Connection, one: Taken, known: Mapping[str, int], rows: Mapping[int, Row[Any]]
) -> str | None:
    """Give the accession number by which a study finds its item; None too where it is used again for somebody else."""
    number = one.after.accession_number
    row = rows.get(known.get(number or "", 0))
    return None if row is not None and is_reused(connection, row, one.after) else number


def is_reused(connection: Connection, row: Row[Any], truth: Truth) -> bool:
    """Whether images of somebody else came under the accession number of a reported item: they are other work."""
    return row.state in REPORTED and not can_be_patient_of(connection, row.id, patient_of(truth.values))


def note_reuse(connection: Connection, trust: str, item_id: int) -> None:
    """Tell people of an item whose accession number came again, with images or an order of somebody else."""
    hold_doubt_open(
        connection,
        "accession-number-used-again",
        trust=trust,
        item_id=item_id,
        detail="the accession number of a reported item came again for another patient",
    )


def is_alone(connection: Connection, study_id: int, item_id: int) -> bool:
    """Whether no other study belongs to an item."""
    others = exists().where(item_study.c.item_id == item_id, item_study.c.study_id != study_id)
    return not connection.scalar(select(others))


def is_opened_by_images(connection: Connection, row: Row[Any]) -> bool:
    """Whether an item is there because of images alone: no order and no report of the home RIS opened it."""
    opened = exists().where(
        event.c.item_id == row.id,
        event.c.kind == "item.opened",
        event.c.dimensions["state"].astext == ItemState.ARRIVING.value,
    )
    return bool(connection.scalar(select(opened & ~exists().where(item_order.c.item_id == row.id))))


def lock_items(connection: Connection, item_ids: Collection[int]) -> dict[int, Row[Any]]:
    """Lock items in the order of their ids, and give them by id."""
    if not item_ids:
        return {}
    statement = select(item).where(item.c.id.in_(item_ids)).order_by(item.c.id).with_for_update(key_share=True)
    return {row.id: row for row in connection.execute(statement)}


def note_arrival(connection: Connection, rows: dict[int, Row[Any]], item_id: int, one: Taken, *, moved: bool) -> None:
    """Move a locked item that is ordered on, and tell people of images that nobody will read.

    `moved` says that the study came to the item with all its images, else those count that are new. `rows` has the
    items by id, and is brought up to date.
    """
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
        ends = [one.row.acquisition_ended_at] * images if moved else [_end_of(each) for each in one.recorded.new_images]
        late = sum(1 for ended in ends if not _is_covered(row, ended))
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


def _end_of(received: ReceivedObject) -> datetime | None:
    return received.acquisition_ended.at if received.acquisition_ended else None


def _is_covered(row: Row[Any], ended_at: datetime | None) -> bool:
    """Whether the home RIS reported after this was acquired: then its report covers it, however late it comes."""
    if row.state != ItemState.REPORTED_ELSEWHERE or row.reported_at is None or ended_at is None:
        return False
    return bool(ended_at <= row.reported_at)


_SPOKEN_OF = text(
    "SELECT o.accession_number FROM order_identity o"
    " WHERE o.trust_ods = :trust AND o.accession_number = ANY (:numbers)"
    " AND (EXISTS (SELECT FROM item_order w WHERE w.item_id = o.item_id) OR EXISTS (SELECT FROM event e"
    " WHERE e.item_id = o.item_id AND e.kind = 'item.opened' AND e.dimensions ->> 'state' = 'ordered'))"
)
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
