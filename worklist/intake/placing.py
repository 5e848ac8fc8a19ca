"""Works out from everything that is known whose work studies are, and joins them to items or takes them out again.

What is to be worked out stands in `study_to_place` from the act that made it doubtful on, and each leaves it in the
transaction that works it out. Everyone locks in the order StudyInstanceUID, study, accession number, item. Where
somebody has begun to read, a study stays where it is, and a person is told. It must not decide whose work a study is
(`worklist.intake.ownership` does).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import (
    header_statement,
    item,
    item_order,
    item_study,
    study,
    study_identity,
    study_to_place,
    study_waiting,
)
from worklist.doubts import close_doubt, close_doubts, hold_doubt_open
from worklist.intake.accessions import items_of_accessions, lock_accessions, open_item
from worklist.intake.arrived import StudyArrived
from worklist.intake.completion import follow_images
from worklist.intake.header_truth import Statement, accession_numbers, patient_of, settle
from worklist.intake.headers import Recorded
from worklist.intake.item_doubts import settle_doubts
from worklist.intake.item_writing import clear_facts
from worklist.intake.items import (
    Joined,
    Link,
    end_item,
    is_alone,
    is_opened_by_images,
    is_reused,
    links_of,
    lock_items,
    note_arrival,
    note_reuse,
    settle_item_patients,
    spoken_of,
)
from worklist.intake.ownership import Copy, PriorBecause, is_in_doubt, owners
from worklist.intake.patients import can_be_patient_of
from worklist.intake.places import Senders, numbers_by_order, senders_of
from worklist.intake.studies import Taken, lock_rows, lock_uids
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import UNREPORTED, ItemState, Move
from worklist.life.moves import make_move
from worklist.life.withdrawal import withdraw_readings
from worklist.log import audit
from worklist.patients.items import settle_shown

#: A study that could not be placed is tried again after this long; those behind it are not kept waiting.
_RETRY_SECONDS = 60
#: States of an item out of which images are not taken: somebody has begun to read, or a person keeps it there.
_STAYS = frozenset(ItemState) - {
    ItemState.ORDERED,
    ItemState.ARRIVING,
    ItemState.READY,
    ItemState.ON_HOLD,
    ItemState.NOT_OFFERED,
    ItemState.CANCELLED,
    ItemState.REPORTED_ELSEWHERE,
}
_BY = "intake"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one trust's copy of a study.

    `numbers` are all accession numbers of its images and of orders that name its UID (`by_order`); `ordered` those of
    them of which there is an order that can be of its patient, by item; `spoken_of` those of which the home RIS spoke.
    """

    taken: Taken
    performed_by: str | None
    is_old: bool
    numbers: frozenset[str]
    by_order: frozenset[str]
    items: Mapping[str, int]
    ordered: frozenset[str]
    spoken_of: frozenset[str]

    @property
    def id(self) -> int:
        return int(self.taken.row.id)

    @property
    def trust(self) -> str:
        return str(self.taken.row.trust_ods)

    @property
    def number(self) -> str | None:
        """The accession number by which it finds its item: that of its images, else that of orders that name its UID.

        Where no order has the images' number and one names the UID, that one counts.
        """
        stated = self.taken.after.accession_number
        if self.by_order and (stated is None or stated not in self.ordered):
            return min(self.by_order)
        return stated


def place_noted(engine: Engine, *, limit: int = 200) -> int:
    """Work out whose work the noted studies are, each in its own transaction, and give how many were."""
    done = 0
    for _ in range(limit):
        if not _place_next(engine):
            break
        done += 1
    return done


def place(connection: Connection, study_id: int) -> None:
    """Work out whose work all copies of a study are, and take it off the list."""
    owner = connection.scalar(select(study.c.trust_ods).where(study.c.id == study_id))
    view_as(connection, Viewer(trust=owner))
    uid = connection.scalar(select(study_identity.c.study_instance_uid).where(study_identity.c.study_id == study_id))
    assert uid is not None
    lock_uids(connection, [uid])
    ids = connection.scalars(_COPIES, {"uid": uid}).all()
    rows = lock_rows(connection, ids)
    by_trust = sorted(rows, key=lambda row: row.trust_ods)
    known = [_known(connection, row, uid, contested=len(rows) > 1) for row in by_trust]
    with_images = [one for one in known if one.taken.after.has_image]
    copies = [
        Copy(one.id, one.trust, one.performed_by, bool(one.ordered), one.taken.row.first_received_at)
        for one in with_images
    ]
    ours, doubtful = owners(copies), is_in_doubt(copies)
    hold_cut(connection)
    changed: set[int] = set()
    for one in with_images:
        view_as(connection, Viewer(trust=one.trust))
        changed |= _settle(connection, one, _because(one, ours))
        _settle_contest(connection, one, doubtful=doubtful)
    connection.execute(delete(study_to_place).where(study_to_place.c.study_id.in_(ids)))
    if changed:
        audit.append(connection, _BY, "study placed", items=sorted(changed))


def _place_next(engine: Engine) -> bool:
    """Place the next noted study; False when none is due. One that cannot be is put off, so that it stops nobody."""
    study_id = None
    try:
        with engine.begin() as connection:
            study_id = connection.scalar(_NEXT)
            if study_id is None:
                return False
            place(connection, study_id)
            return True
    except (OperationalError, InterfaceError):
        raise  # the database's fault, not the study's
    except Exception as error:
        if study_id is None:
            raise
        log.error("study not placed", study=study_id, error=type(error).__name__)
        with engine.begin() as connection:
            later = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, _RETRY_SECONDS)
            put_off = update(study_to_place).where(study_to_place.c.study_id == study_id)
            connection.execute(put_off.values(not_before=later))
        return True


def _known(connection: Connection, row: Row[Any], uid: str, *, contested: bool) -> _Known:
    """Gather what is known of a locked copy, and lock its accession numbers."""
    view_as(connection, Viewer(trust=row.trust_ods))
    statements = tuple(
        Statement(one.series_id, one.source_ae_title, one.is_image, one.modality, one.stated, one.objects)
        for one in connection.execute(select(header_statement).where(header_statement.c.study_id == row.id))
    )
    truth = settle(statements)
    recorded = Recorded(statements, statements, frozenset(), (), restated=False, series_count=row.series_count)
    taken = Taken(StudyArrived(uid, row.trust_ods, ()), row, recorded, truth, truth, row.facts, contested)
    senders: Senders = senders_of(connection, [truth.source_ae_title])
    by_order = frozenset(numbers_by_order(connection, row.trust_ods, [uid]).get(uid, ()))
    numbers = frozenset(accession_numbers(statements)) | by_order
    lock_accessions(connection, row.trust_ods, numbers)
    items = items_of_accessions(connection, row.trust_ods, numbers)
    orders = set(connection.scalars(select(item_order.c.item_id).where(item_order.c.item_id.in_(items.values()))))
    patient = patient_of(truth.values)
    ordered = {
        number
        for number, item_id in items.items()
        if item_id in orders and can_be_patient_of(connection, item_id, patient)
    }
    return _Known(
        taken,
        senders.performed_by(truth),
        senders.is_old(taken),
        numbers,
        by_order,
        items,
        frozenset(ordered),
        frozenset(spoken_of(connection, row.trust_ods, numbers)),
    )


def _because(one: _Known, ours: Collection[int]) -> PriorBecause | None:
    if one.id not in ours:
        mine = one.performed_by in (None, one.trust)
        return PriorBecause.OF_ANOTHER_TRUST if mine else PriorBecause.PERFORMED_ELSEWHERE
    if one.is_old and one.number not in one.spoken_of:
        return PriorBecause.OLD_WITHOUT_ORDER
    return None


def _settle(connection: Connection, one: _Known, because: PriorBecause | None) -> set[int]:
    """Bring a study's items in step with whose work it is, and give those that it came to or left."""
    links = links_of(connection, [one.id])[one.id]
    item_ids = {*(link.item_id for link in links), *one.items.values()}
    rows = lock_items(connection, item_ids)
    if because is not None:
        kept = [link for link in links if not _leave(connection, one, rows[link.item_id])]
    else:
        kept = _join(connection, one, links, rows)
    connection.execute(
        update(study)
        .where(study.c.id == one.id)
        .values(performed_by=one.performed_by, prior_because=because.value if because and not kept else None)
    )
    first, now = next(iter(links), None), next(iter(kept), None)
    touched = {link.item_id for link in (*links, *kept)}
    if links != kept:
        settle_item_patients(connection, touched)
        settle_shown(connection, set(connection.scalars(select(item.c.patient_id).where(item.c.id.in_(touched)))))
    settle_doubts(connection, [Joined(one.taken, first, now)], moved_patients=())
    _tell(connection, one, because, kept)
    _wait(connection, one, because, kept)
    return {link.item_id for link in (*links, *kept) if (link in links) != (link in kept)}


def _join(connection: Connection, one: _Known, links: Sequence[Link], rows: dict[int, Row[Any]]) -> list[Link]:
    """Join a study to the items of its accession numbers, and give them: the one by which it finds its own first."""
    kept = list(links)
    own = next((link for link in kept if link.accession_number == one.number), None)
    if own is None and _is_free(one, kept):
        stay = [
            link
            for link in kept
            if link.accession_number in one.ordered or not _leave(connection, one, rows[link.item_id])
        ]
        begun = [link for link in stay if link.accession_number not in one.ordered]
        kept = stay if begun else [_link(connection, one, one.number, rows), *stay]
    linked = {link.accession_number for link in kept}
    kept += [_link(connection, one, number, rows) for number in sorted(one.ordered - linked)]
    return kept


def _is_free(one: _Known, links: Sequence[Link]) -> bool:
    """Whether a study may go to the item of its number: it has none, or none with a number, or an order named it."""
    return (
        not links
        or (one.number is not None and all(link.accession_number is None for link in links))
        or one.number in one.by_order
    )


def _link(connection: Connection, one: _Known, number: str | None, rows: dict[int, Row[Any]]) -> Link:
    item_id = one.items.get(number) if number else None
    if item_id is not None and is_reused(connection, rows[item_id], one.taken.after):
        item_id, number = None, None
    if item_id is None:
        item_id = open_item(connection, one.trust, one.taken.row.patient_id, number, ItemState.ARRIVING)
        rows |= lock_items(connection, [item_id])
        if number is None and one.number is not None:
            note_reuse(connection, one.trust, item_id)
    connection.execute(insert(item_study).values(item_id=item_id, study_id=one.id))
    note_arrival(connection, rows, item_id, one.taken, moved=True)
    rows[item_id] = follow_images(connection, rows[item_id])
    return Link(item_id, number)


def _leave(connection: Connection, one: _Known, row: Row[Any]) -> bool:
    """Take a study out of a locked item; False where it stays, for somebody has begun to read."""
    if row.state in _STAYS or (row.state == ItemState.ON_HOLD and row.state_reason is not None):
        return False
    alone, by_images = is_alone(connection, one.id, row.id), is_opened_by_images(connection, row)
    connection.execute(delete(item_study).where(item_study.c.item_id == row.id, item_study.c.study_id == one.id))
    if not alone:  # those that stay may all name whom is shown
        settle_shown(connection, {row.patient_id})
    if row.state in (ItemState.CANCELLED, ItemState.REPORTED_ELSEWHERE):
        if alone and row.state == ItemState.CANCELLED:  # ordered again it waits for images, without a clock
            clear_facts(connection, row)
        return True
    if not alone:
        if row.state != ItemState.ARRIVING:
            work_out(connection, row.id)
    elif by_images:
        end_item(connection, row, None)
    else:
        withdraw_readings(connection, row.id)
        clear_facts(connection, make_move(connection, row, Move.IMAGES_LEFT, dimensions={"joined_to": None}))
    return True


def _tell(connection: Connection, one: _Known, because: PriorBecause | None, kept: Sequence[Link]) -> None:
    """Tell people of what they must look at: a prior that is read as work, orders whose images are no work here."""
    for link in kept:
        if because is None:
            close_doubt(connection, _READ, item_id=link.item_id, detail=_READ_AS_WORK, by=_BY, outcome=_SETTLED)
        else:
            hold_doubt_open(connection, _READ, trust=one.trust, item_id=link.item_id, detail=_READ_AS_WORK)
    for number in sorted(one.ordered):
        item_id = one.items[number]
        row = lock_items(connection, [item_id])[item_id]
        if because is PriorBecause.OLD_WITHOUT_ORDER or because is None or row.state not in UNREPORTED:
            close_doubts(connection, item_id, "ordered-images-from-elsewhere", by=_BY, outcome=_SETTLED)
        else:
            hold_doubt_open(
                connection,
                "ordered-images-from-elsewhere",
                trust=one.trust,
                item_id=item_id,
                detail="images of its accession number came that another trust or a performer elsewhere took",
            )
    unordered = {link.accession_number for link in kept} - one.ordered
    missing = one.numbers - one.ordered - unordered if because is None else frozenset()
    for link in kept[:1]:
        if missing:
            hold_doubt_open(
                connection, "accession-without-order", trust=one.trust, item_id=link.item_id, detail=_WITHOUT_ORDER
            )
        else:
            close_doubts(connection, link.item_id, "accession-without-order", by=_BY, outcome=_SETTLED)


def _wait(connection: Connection, one: _Known, because: PriorBecause | None, kept: Sequence[Link]) -> None:
    """Write down of which accession numbers the home RIS's word would change whose work a study is."""
    linked = set() if because or one.taken.contested else {link.accession_number for link in kept}
    rows = [
        {"trust_ods": one.trust, "accession_number": number, "study_id": one.id}
        for number in sorted(one.numbers - linked)
    ]
    if rows:
        connection.execute(upsert(study_waiting).on_conflict_do_nothing(), rows)


def _settle_contest(connection: Connection, one: _Known, *, doubtful: bool) -> None:
    detail = f"study {one.id}: another trust sent it too, and nothing says which of them performed it"
    if doubtful:
        hold_doubt_open(connection, "study-of-two-trusts", trust=one.trust, detail=detail)
    else:
        close_doubt(connection, "study-of-two-trusts", detail=detail, by=_BY, outcome=_SETTLED)


_READ = "prior-read-as-work"
_READ_AS_WORK = "a study of it is a prior by what is known now, and was begun as work"
_WITHOUT_ORDER = "images state several accession numbers, of some of which there is no order"
_SETTLED = "later facts settle it"
_COPIES = text("SELECT study_id FROM study_copies(:uid) ORDER BY 1")
_NEXT = (
    select(study_to_place.c.study_id)
    .where(study_to_place.c.not_before <= func.radpool_now())
    .order_by(study_to_place.c.not_before, study_to_place.c.study_id)
    .limit(1)
)
