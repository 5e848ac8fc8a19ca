"""Finds an earlier exam of the same patient to compare with, and has later work valued anew when one becomes known.

Relevant is an exam of an earlier day of the same trust's patient, as merged, with a body region of the catalogue in
common; of any modality. Exams that are in a PACS alone are not known here. It must not value anything.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.catalogue import item_to_work_out
from worklist.db.tables.network import exam
from worklist.db.tables.work import item, item_exam
from worklist.exams.valuation import RelevantPrior
from worklist.item import UNREPORTED, ItemState

#: Why an item is worked out again.
PRIOR = "prior"
_NO_PRIORS = (ItemState.ORDERED.value, ItemState.CANCELLED.value)
#: What still arrives is valued when it has arrived.
_WAITING = tuple(state.value for state in UNREPORTED - {ItemState.ORDERED, ItemState.ARRIVING})


def relevant_prior(
    connection: Connection, row: Row[Any], exam_date: date, regions: Collection[str]
) -> RelevantPrior | None:
    """Give the newest relevant prior of an item of a local exam date; `regions` are its own, in lower case."""
    if not regions:
        return None
    found = connection.execute(
        select(item_exam.c.exam_code, item.c.exam_date)
        .join(item, item.c.id == item_exam.c.item_id)
        .join(exam, exam.c.code == item_exam.c.exam_code)
        .where(
            item.c.patient_id == row.patient_id,
            item.c.trust_ods == row.trust_ods,
            item.c.id != row.id,
            item.c.exam_date < exam_date,
            item.c.state.not_in(_NO_PRIORS),
            func.lower(exam.c.body_region).in_(sorted(regions)),
        )
        .order_by(item.c.exam_date.desc(), item_exam.c.exam_code)
        .limit(1)
    ).one_or_none()
    return None if found is None else RelevantPrior(found.exam_code, found.exam_date)


def one_at_a_time(connection: Connection, patient_ids: Collection[int]) -> None:
    """Let one of two transactions go first that complete exams of a patient: else neither would see the other's.

    Taken after the items, by whoever completes exams alone.
    """
    for patient_id in sorted(set(patient_ids)):
        connection.execute(_ONE_AT_A_TIME, {"patient": str(patient_id)})


def ask_for_what_came_later(connection: Connection, row: Row[Any]) -> None:
    """Note the patient's waiting items of later days to be worked out again: this one may be their prior, or no more.

    So it does not matter which of two exams comes first.
    """
    if row.exam_date is None:
        return
    later = select(item.c.id, literal(PRIOR)).where(
        item.c.patient_id == row.patient_id,
        item.c.trust_ods == row.trust_ods,
        item.c.exam_date > row.exam_date,
        item.c.state.in_(_WAITING),
    )
    noted = insert(item_to_work_out).from_select(["item_id", "why"], later.order_by(item.c.id))
    connection.execute(noted.on_conflict_do_nothing())


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:patient, 7223009))")
