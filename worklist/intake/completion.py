"""Turns studies that have gone quiet into work: writes exams, due times, profile and a reading to claim.

Also works an item out again when a person or an order changes what is known of it. Everyone locks in
the order study, item, reading, claim. It must not gather facts (`worklist.intake.item_facts` does) and must
not decide who reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist.bank_holidays import england_bank_holidays
from worklist.catalogue import cut_in_force, profile_id_of, target_rules
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import item, item_exam, item_study, order_identity, reading, study
from worklist.doubts import close_doubts, open_doubt
from worklist.exam_codes import MappedExam, accession_minutes
from worklist.intake.item_facts import ItemFacts, facts_of_item
from worklist.item import REPORTED, ItemState, Move
from worklist.moves import append_item_event, lock_item, make_move
from worklist.profile import profile_of
from worklist.reading import Purpose, ReadingState
from worklist.turnaround import TurnaroundFacts, due

#: What an exam that nobody has classified yet is valued at, in reporting minutes.
UNMAPPED_MINUTES = Decimal(15)

#: Taken shared while work is cut into profiles, exclusively while the cut itself changes.
CUT_LOCK = 7223005

#: A study that could not be completed is tried again after this long; those behind it are not kept waiting.
_RETRY_SECONDS = 60

log = structlog.get_logger(__name__)


def complete_quiet_studies(engine: Engine, *, limit: int = 100) -> int:
    """Complete studies whose quiet period is over and give how many; each in its own transaction."""
    done = 0
    while done < limit:
        with engine.begin() as connection:
            row = connection.execute(_NEXT_QUIET).one_or_none()
            if row is None:
                break
            _complete_or_put_off(connection, row)
            done += 1
    return done


def work_out(connection: Connection, item_id: int) -> None:
    """Work an item's exams, due times, profile and first reading out from all that is known now.

    Idempotent. The transaction sees the trust's identities (`view_as`).
    """
    hold_cut(connection)
    _write_facts(connection, lock_item(connection, item_id))
    offer_first_reading(connection, item_id)


def hold_cut(connection: Connection) -> None:
    """Keep the profile cut as it is until the transaction ends; taken before any item is locked.

    An import of configuration takes it alone and then locks items: in the other order both would wait.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": CUT_LOCK})


def offer_first_reading(connection: Connection, item_id: int) -> None:
    """Make the item's first reading, or bring it in step with the item; a claimed one keeps its claim.

    It is open while the item may be read and held before that or while a doubt stands. Of an item
    that is reported or cancelled nothing is offered.
    """
    row = lock_item(connection, item_id)
    if row.state in _NOTHING_TO_READ:
        return
    found = connection.execute(
        select(reading)
        .where(
            reading.c.item_id == item_id,
            reading.c.purpose == Purpose.FIRST.value,
            reading.c.state != ReadingState.WITHDRAWN.value,
        )
        .with_for_update()
    ).one_or_none()
    if found is not None and found.state == ReadingState.DONE.value:
        return
    on_offer = row.state in (ItemState.READY, ItemState.IN_PROGRESS, ItemState.PRELIMINARY)
    values = {
        "state": (ReadingState.OPEN if on_offer else ReadingState.HELD).value,
        "profile_id": row.profile_id,
        "due_at": row.due_at,
        "reporting_minutes": row.reporting_minutes,
    }
    if found is None:
        connection.execute(
            insert(reading).values(item_id=row.id, purpose=Purpose.FIRST.value, trust_ods=row.trust_ods, **values)
        )
    else:
        connection.execute(update(reading).where(reading.c.id == found.id).values(values))


def reprofile(connection: Connection, item_id: int) -> None:
    """Give an item the profile that the cut in force makes of its facts; its facts stay."""
    row = lock_item(connection, item_id)
    exams = connection.execute(_EXAMS_OF_ITEM, {"id": item_id}).all()
    profile = profile_of([e.code for e in exams], row.age_years, row.setting, row.flags, cut_in_force(connection))
    profile_id = profile_id_of(connection, profile, [bool(e.ionising) for e in exams])
    connection.execute(update(item).where(item.c.id == item_id).values(profile_id=profile_id))
    connection.execute(
        update(reading)
        .where(reading.c.item_id == item_id, reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value)))
        .values(profile_id=profile_id)
    )


def _complete_or_put_off(connection: Connection, row: Row[Any]) -> None:
    """Complete a study; one that cannot be is put before a person, so that it stops nobody behind it."""
    view_as(connection, Viewer(trust=row.trust_ods))
    try:
        with connection.begin_nested():
            _complete(connection, row)
    except (OperationalError, InterfaceError):
        raise  # the database's fault, not the study's
    except Exception as error:
        log.error("study not completed", study=row.id, error=type(error).__name__)
        later = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, _RETRY_SECONDS)
        connection.execute(update(study).where(study.c.id == row.id).values(quiet_until=later))
        open_doubt(
            connection,
            "completion-failed",
            trust=row.trust_ods,
            source=row.source_ae_title,
            item_id=connection.scalar(select(item_study.c.item_id).where(item_study.c.study_id == row.id).limit(1)),
            detail=f"the study could not be worked out ({type(error).__name__}); it is tried again",
        )


def _complete(connection: Connection, row: Row[Any]) -> None:
    hold_cut(connection)
    connection.execute(
        update(study).where(study.c.id == row.id).values(quiet_until=None, completed_at=func.radpool_now())
    )
    joined = select(item_study.c.item_id).where(item_study.c.study_id == row.id).order_by(item_study.c.item_id)
    for item_id in connection.scalars(joined).all():
        item_row = lock_item(connection, item_id)
        if not _still_arriving(connection, item_id):
            _complete_item(connection, item_row)


def _still_arriving(connection: Connection, item_id: int) -> bool:
    """Whether another study of the item is yet to go quiet; the item is locked, so one of two decides."""
    waiting = (
        select(study.c.id)
        .join(item_study, item_study.c.study_id == study.c.id)
        .where(item_study.c.item_id == item_id, study.c.completed_at.is_(None))
        .limit(1)
    )
    return connection.scalar(waiting) is not None


def _complete_item(connection: Connection, row: Row[Any]) -> None:
    row = _write_facts(connection, row)
    if row.state == ItemState.ARRIVING:
        named = select(order_identity.c.accession_number).where(order_identity.c.item_id == row.id)
        held = connection.scalar(named) is None
        move = Move.COMPLETED_WITH_DOUBT if held else Move.COMPLETED
        make_move(connection, row, move, ready_at=func.radpool_now())
    else:
        append_item_event(connection, row, "item.images-added")
    offer_first_reading(connection, row.id)


def _write_facts(connection: Connection, row: Row[Any]) -> Row[Any]:
    """Write what is known of a locked item, with the doubts it raises, and give the new row."""
    facts = facts_of_item(connection, row)
    changed = connection.execute(
        update(item).where(item.c.id == row.id).values(_values(connection, row, facts)).returning(item)
    ).one()
    _write_exams(connection, row.id, facts.exams)
    _doubt_exams(connection, row, facts.exams)
    _doubt_birth_date(connection, row, facts)
    return changed


def _values(connection: Connection, row: Row[Any], facts: ItemFacts) -> dict[str, Any]:
    mapped = [one.exam for one in facts.exams]
    exam_codes = tuple(exam.code if exam else None for exam in mapped)
    year = facts.clock_start_at.year
    when = due(
        TurnaroundFacts(row.trust_ods, facts.setting, facts.urgency, facts.modality, exam_codes, facts.clock_start_at),
        target_rules(connection),
        england_bank_holidays((year, year + 1)),
    )
    profile = profile_of(exam_codes, facts.age_years, facts.setting, row.flags, cut_in_force(connection))
    return {
        "modality": facts.modality,
        "age_years": facts.age_years,
        "exam_date": facts.exam_date,
        "setting": facts.setting,
        "urgency": facts.urgency,
        "clock_start_at": facts.clock_start_at,
        "clock_start_source": facts.clock_start_source,
        "due_at": when.due_at,
        "hard_limit_at": when.hard_limit_at,
        "target_rule": when.rule_id,
        "reporting_minutes": accession_minutes(facts.exams, unmapped_minutes=UNMAPPED_MINUTES),
        "profile_id": profile_id_of(connection, profile, [exam.ionising for exam in mapped if exam]),
    }


def _write_exams(connection: Connection, item_id: int, exams: Sequence[MappedExam]) -> None:
    connection.execute(delete(item_exam).where(item_exam.c.item_id == item_id))
    connection.execute(
        insert(item_exam),
        [
            {
                "item_id": item_id,
                "position": position,
                "exam_code": one.exam.code if one.exam else None,
                "code_as_sent": one.code_as_sent,
                "description_as_sent": one.description_as_sent,
                "mapped_by": one.mapped_by,
            }
            for position, one in enumerate(exams)
        ],
    )


def _doubt_exams(connection: Connection, row: Row[Any], exams: Sequence[MappedExam]) -> None:
    unmapped = [one for one in exams if one.exam is None]
    if not unmapped:
        close_doubts(connection, row.id, "unmapped-exam", by="intake", outcome="mapped")
        return
    for one in unmapped:
        reason = (
            "the code's exam needs other images than those that came"
            if one.mapped_by == "contradicts-images"
            else "no code or exact description of the catalogue; a duty radiologist classifies it"
        )
        open_doubt(connection, "unmapped-exam", trust=row.trust_ods, item_id=row.id, detail=reason)


def _doubt_birth_date(connection: Connection, row: Row[Any], facts: ItemFacts) -> None:
    if facts.birth_dates_differ:
        open_doubt(
            connection,
            "birth-date-not-believed",
            trust=row.trust_ods,
            item_id=row.id,
            detail="order and images state different birth dates",
        )


_NOTHING_TO_READ = REPORTED | {ItemState.CANCELLED}

_NEXT_QUIET = (
    select(study)
    .where(study.c.quiet_until <= func.radpool_now())
    .order_by(study.c.quiet_until)
    .limit(1)
    .with_for_update(skip_locked=True)
)

_EXAMS_OF_ITEM = text(
    "SELECT e.code, e.ionising FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code WHERE ie.item_id = :id"
)
