"""Judges studies while they arrive and turns complete ones into work: due times, profile, a reading to claim.

Everyone locks in the order study, item, reading, claim. It must not gather facts (`worklist.intake.item_facts` does),
hold the rule of completeness (`worklist.intake.completeness` does) nor decide who reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Interval, Row, bindparam, func, select, text, update
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.network import source
from worklist.db.tables.work import item, item_study, order_identity, study
from worklist.doubts import open_doubt
from worklist.exams.catalogue import rules_in_force
from worklist.exams.valuation import ModifierKind
from worklist.intake.completeness import CompletedBy, judge
from worklist.intake.evidence import evidence_of
from worklist.intake.item_facts import facts_of_item
from worklist.intake.item_writing import kept_back, write_facts
from worklist.intake.senders import claim_while_arriving_of, completeness_of
from worklist.intake.study_doubts import note_images_after_preliminary, settle_doubts, settle_never_sent
from worklist.intake.working_out import NOTHING_TO_READ, hold_cut, offer_first_reading
from worklist.item import REPORTED, ItemState, Move
from worklist.life.moves import append_item_event, lock_item, make_move
from worklist.relevant_priors import one_at_a_time

#: A study that could not be completed is tried again after this long; those behind it are not kept waiting.
_RETRY_SECONDS = 60
#: A study that still arrives is looked at again with twice as many objects, or four times where it has more than a few:
#: ever more seldom, so that a large study costs little.
_FEW = 16
#: Images that come late are worked in at once and, if more follow, again after this long.
_LATE_SECONDS = 5

log = structlog.get_logger(__name__)


def complete_quiet_studies(engine: Engine, *, limit: int = 100, gather: timedelta = timedelta(0)) -> int:
    """Judge the studies that are due for it and give how many became complete; each in its own transaction.

    Due is a study that has gone quiet, has as many objects as it was to be judged at, or of which something
    new was said. One that is not complete is offered meanwhile, if it is of the work that may be. A study of which
    the first object came less than `gather` ago is left alone: what comes with it is judged at once then.
    """
    done = 0
    for _ in range(limit):
        became_complete = _judge_next(engine, gather)
        if became_complete is None:
            break
        done += became_complete
    return done


def complete_study(
    connection: Connection, row: Row[Any], by: CompletedBy, *, dimensions: Mapping[str, Any] | None = None
) -> None:
    """Hold a locked study to be complete, and work out its items that now have all of theirs.

    `dimensions` go with the items' events. The transaction sees the trust's identities (`view_as`).
    """
    hold_cut(connection)
    connection.execute(
        update(study)
        .where(study.c.id == row.id)
        .values(
            quiet_until=None,
            look_at=None,
            completed_at=func.radpool_now(),
            completed_by=by.value,
            judge_at_instances=study.c.instance_count + 1,
        )
    )
    for item_row in _lock_items_of(connection, row.id):
        if not still_arriving(connection, item_row.id):
            _complete_item(connection, item_row, by, dimensions or {})


def open_while_arriving(connection: Connection, row: Row[Any]) -> None:
    """Offer a locked item whose images still come, if a source of theirs lets such work be claimed meanwhile.

    What is known so far makes its due time and profile; one without accession number is not offered. An item
    that was offered already is worked out again. The transaction sees the trust's identities (`view_as`).
    """
    if row.state in _NOT_WHILE_ARRIVING or not still_arriving(connection, row.id):
        return
    if row.state == ItemState.ARRIVING:
        named = select(order_identity.c.accession_number).where(order_identity.c.item_id == row.id)
        rules = rules_in_force(connection)
        facts = facts_of_item(connection, row, rules)
        stated = connection.scalars(_STATED_OF_ITEM, {"id": row.id}).all()
        if (
            kept_back(row, facts, rules)
            or connection.scalar(named) is None
            or not any(claim_while_arriving_of(rule).opens(facts.setting, facts.urgency) for rule in stated)
        ):
            return
        row = write_facts(connection, row, facts)
        row = make_move(connection, row, Move.OPENED_WHILE_ARRIVING, ready_at=func.radpool_now(), arriving=True)
    else:
        row = write_facts(connection, row)
        kind = "item.images-added" if row.arriving else "item.images-arriving"
        row = connection.execute(update(item).where(item.c.id == row.id).values(arriving=True).returning(item)).one()
        append_item_event(connection, row, kind)
    offer_first_reading(connection, row)


def follow_images(connection: Connection, row: Row[Any]) -> Row[Any]:
    """Bring a locked item in step with images that were joined to it, however long they are here; give the row.

    The caller has called `hold_cut`; the transaction sees the trust's identities (`view_as`).
    """
    latest = connection.execute(_NEWEST_STUDY, {"id": row.id}).one_or_none()
    if latest is None or row.state in _NO_MORE_WORK:
        return row
    if row.state == ItemState.ORDERED:
        row = make_move(connection, row, Move.IMAGES_ARRIVED)
    if still_arriving(connection, row.id):
        open_while_arriving(connection, row)
    else:
        _complete_item(connection, row, CompletedBy(latest.completed_by), {})
    return lock_item(connection, row.id)


def still_arriving(connection: Connection, item_id: int) -> bool:
    """Whether a study of the item is yet to be complete; the item is locked, so one of two decides."""
    waiting = (
        select(study.c.id)
        .join(item_study, item_study.c.study_id == study.c.id)
        .where(item_study.c.item_id == item_id, study.c.completed_at.is_(None))
        .limit(1)
    )
    return connection.scalar(waiting) is not None


def _judge_next(engine: Engine, gather: timedelta) -> bool | None:
    """Judge the next study that is due and give whether it became complete; None when none is due.

    One that cannot be judged is put before a person, so that it stops nobody behind it.
    """
    row = None
    try:
        with engine.begin() as connection:
            counted = connection.execute(_NEXT_COUNTED, {"gather": gather}).one_or_none()
            row = counted or connection.execute(_NEXT_QUIET).one_or_none()
            if row is None:
                return None
            view_as(connection, Viewer(trust=row.trust_ods))
            return _judge(connection, row)
    except (OperationalError, InterfaceError):
        raise  # the database's fault, not the study's
    except Exception as error:
        if row is None:
            raise
        log.error("study not completed", study=row.id, error=type(error).__name__)
        with engine.begin() as connection:
            _put_off(connection, row, type(error).__name__)
        return False


def _put_off(connection: Connection, row: Row[Any], error: str) -> None:
    view_as(connection, Viewer(trust=row.trust_ods))
    later = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, _RETRY_SECONDS)
    connection.execute(update(study).where(study.c.id == row.id).values(quiet_until=later, judge_at_instances=None))
    open_doubt(
        connection,
        "completion-failed",
        trust=row.trust_ods,
        source=row.source_ae_title,
        item_id=connection.scalar(select(item_study.c.item_id).where(item_study.c.study_id == row.id).limit(1)),
        detail=f"the study could not be worked out ({error}); it is tried again",
    )


def _judge(connection: Connection, row: Row[Any]) -> bool:
    """Judge a locked study and give whether it became complete."""
    settle_never_sent(connection, row.id)
    if row.completed_at is not None:
        _take_late(connection, row)
        return False
    stated = connection.execute(
        select(source.c.completeness, source.c.claim_while_arriving, func.radpool_now().label("now")).where(
            source.c.ae_title == row.source_ae_title
        )
    ).one()
    evidence = evidence_of(connection, [row])[row.id]
    judgement = judge(completeness_of(stated.completeness), evidence, stated.now)
    if judgement.completed_by is not None:
        complete_study(connection, row, judgement.completed_by)
        return True
    looks = [] if judgement.at_instances is None else [judgement.at_instances]
    if claim_while_arriving_of(stated.claim_while_arriving).opens_any:
        looks.append((2 if row.instance_count < _FEW else 4) * row.instance_count)
    next_look = max(min(looks), row.instance_count + 1) if looks else None
    connection.execute(
        update(study).where(study.c.id == row.id).values(look_at=judgement.look_at, judge_at_instances=next_look)
    )
    hold_cut(connection)
    for item_row in _lock_items_of(connection, row.id):
        open_while_arriving(connection, item_row)
    return False


def _take_late(connection: Connection, row: Row[Any]) -> None:
    """Work late images and late evidence of a complete study into its items."""
    hold_cut(connection)
    images = row.judge_at_instances is None or row.judge_at_instances > 0
    more_may_follow = images and row.quiet_until is None
    later = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, _LATE_SECONDS)
    connection.execute(
        update(study)
        .where(study.c.id == row.id)
        .values(
            quiet_until=later if more_may_follow else None,
            look_at=None,
            judge_at_instances=None if more_may_follow else row.instance_count + 1,
        )
    )
    for before in _lock_items_of(connection, row.id):
        if before.state in (ItemState.ORDERED, ItemState.ARRIVING):
            continue
        item_row = write_facts(connection, before)
        if images:
            append_item_event(connection, item_row, "item.images-added")
        elif tuple(item_row) != tuple(before):
            append_item_event(connection, item_row, "item.evidence-added")
        settle_doubts(connection, item_row)
        note_images_after_preliminary(connection, item_row)
        offer_first_reading(connection, item_row)


def _lock_items_of(connection: Connection, study_id: int) -> Sequence[Row[Any]]:
    rows = connection.execute(
        select(item)
        .join(item_study, item_study.c.item_id == item.c.id)
        .where(item_study.c.study_id == study_id)
        .order_by(item.c.id)
        .with_for_update(of=item, key_share=True)
    ).all()
    if any(one.kind is ModifierKind.RELEVANT_PRIOR for one in rules_in_force(connection).modifiers):
        one_at_a_time(connection, [row.patient_id for row in rows])
    return rows


def _complete_item(connection: Connection, row: Row[Any], by: CompletedBy, dimensions: Mapping[str, Any]) -> None:
    opened_before = row.arriving and row.completed_by is None
    row = write_facts(connection, row)
    told = {"completed_by": by.value, **dimensions}
    if row.state == ItemState.ARRIVING:
        named = select(order_identity.c.accession_number).where(order_identity.c.item_id == row.id)
        held = connection.scalar(named) is None
        move = Move.COMPLETED_WITH_DOUBT if held else Move.COMPLETED
        row = make_move(
            connection, row, move, dimensions=told, ready_at=func.radpool_now(), completed_by=by.value, arriving=False
        )
    else:
        row = connection.execute(
            update(item)
            .where(item.c.id == row.id)
            .values(arriving=False, completed_by=by.value, version=item.c.version + 1)
            .returning(item)
        ).one()
        kind = Move.COMPLETED.value if opened_before else "item.images-added"
        append_item_event(connection, row, kind, dimensions=told)
    settle_doubts(connection, row)
    note_images_after_preliminary(connection, row)
    offer_first_reading(connection, row)


_NO_MORE_WORK = REPORTED | {ItemState.CANCELLED}
#: An item that is not offered is worked out when its images are complete, as one that is ordered.
_NOT_WHILE_ARRIVING = NOTHING_TO_READ | {ItemState.ORDERED}

_quiet_at = func.greatest(study.c.quiet_until, study.c.look_at)
_NEXT_QUIET = (
    select(study)
    .where(study.c.quiet_until.is_not(None), _quiet_at <= func.radpool_now())
    .order_by(_quiet_at)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True)
)
_NEXT_COUNTED = (
    select(study)
    .where(
        study.c.instance_count >= study.c.judge_at_instances,
        study.c.first_received_at <= func.radpool_now() - bindparam("gather", type_=Interval()),
    )
    .order_by(study.c.id)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True)
)

_STATED_OF_ITEM = text(
    "SELECT s.claim_while_arriving FROM item_study i JOIN study t ON t.id = i.study_id"
    " JOIN source s ON s.ae_title = t.source_ae_title WHERE i.item_id = :id AND t.completed_at IS NULL"
)

_NEWEST_STUDY = text(
    "SELECT t.completed_by FROM item_study i JOIN study t ON t.id = i.study_id WHERE i.item_id = :id"
    " ORDER BY t.completed_at DESC NULLS LAST, t.id LIMIT 1"
)
