"""Takes down what sources say of studies beside their objects: steps, availability, counts; one transaction each.

The caller commits. Whatever is said counts before the study's first object, after its last, said again or
for a study that never comes. It must not judge completeness: it has the study judged again (`completion`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.announced import announced_study, performed_series, performed_step, performed_step_study
from worklist.db.tables.network import source
from worklist.db.tables.work import study, study_identity
from worklist.doubts import open_doubt
from worklist.intake.arrived import digest_of
from worklist.intake.completeness import Signal
from worklist.intake.senders import Sender, completeness_of
from worklist.intake.study import AvailabilityNotice, ProcedureStep, StepStatus, StudyAtSource
from worklist.local_time import CLOCK_SKEW

#: How long after a question about a study the next one is asked: twice as long each time, from the first to the last.
_ASK_AGAIN = (timedelta(seconds=30), timedelta(minutes=15))

#: Messages of one step whose repeat is known as such.
_MOST_MESSAGES = 64


class StepOutcome(StrEnum):
    """What became of a message about a performed step, with the DIMSE status that says so."""

    TAKEN = "taken"  # 0000H; also a repeat of a message that was taken
    DUPLICATE = "duplicate"  # 0111H: an N-CREATE of a known step that says something else (PS3.7, C.5.3)
    UNKNOWN = "unknown"  # 0112H: an N-SET of a step whose N-CREATE has not come; it is kept for when it does
    FINAL = "final"  # 0110H with Error ID A710H: it may no longer be updated (PS3.4, F.7.2.2.4)
    NOT_IN_PROGRESS = "not-in-progress"  # 0106H: an N-CREATE with another status than IN PROGRESS (PS3.4, F.7.2.1)


def note_procedure_step(connection: Connection, sender: Sender, step: ProcedureStep) -> StepOutcome:
    """Take down an N-CREATE or N-SET of a performed procedure step.

    An N-SET whose N-CREATE has not come is refused, as the standard asks, but kept: what it says
    counts from the N-CREATE on, so that the two may come in either order. An end in the future is not believed.
    """
    view_as(connection, Viewer(trust=sender.trust))
    if step.creates and step.status not in (None, StepStatus.IN_PROGRESS):
        return StepOutcome.NOT_IN_PROGRESS
    studies = sorted(step.studies, key=lambda one: one[0])
    for uid, _ in studies:
        _lock_study_uid(connection, uid)
    row = _lock_step(connection, sender, step)
    message = _message_digest(step)
    if message in (row.create_digest, *row.set_digests):
        return StepOutcome.UNKNOWN if row.create_digest is None else StepOutcome.TAKEN
    if step.creates and row.create_digest is not None:
        return StepOutcome.DUPLICATE
    if not step.creates and row.status != StepStatus.IN_PROGRESS:
        return StepOutcome.FINAL if row.create_digest is not None else StepOutcome.UNKNOWN
    _keep_step(connection, row, step, message)
    _keep_series(connection, row.id, step)
    for uid, accession_number in studies:
        announced_id = _announce(connection, sender.trust, uid, accession_number=accession_number)
        connection.execute(
            insert(performed_step_study)
            .values(step_id=row.id, announced_study_id=announced_id)
            .on_conflict_do_nothing()
        )
    judge_again(connection, sender.trust, _uids_of_step(connection, row.id))
    return StepOutcome.TAKEN if step.creates or row.create_digest is not None else StepOutcome.UNKNOWN


def note_availability(connection: Connection, sender: Sender, notice: AvailabilityNotice) -> None:
    """Take down an Instance Availability Notification; of several of a study the fullest counts."""
    view_as(connection, Viewer(trust=sender.trust))
    uid = notice.study_instance_uid
    _lock_study_uid(connection, uid)
    announced_id = _announce(connection, sender.trust, uid)
    known = announced_study.c.available_instances
    fuller = [known.is_(None), known < notice.instances]
    if notice.whole:
        fuller.append((known == notice.instances) & announced_study.c.available_whole.is_(False))
    changed = connection.execute(
        update(announced_study)
        .where(announced_study.c.id == announced_id, or_(*fuller))
        .values(available_instances=notice.instances, available_whole=notice.whole)
    )
    if changed.rowcount:
        judge_again(connection, sender.trust, [uid])


def note_study_at_source(
    connection: Connection, sender: Sender, found: StudyAtSource, *, tell_if_never_sent: bool = False
) -> None:
    """Take down what a source answered of a study (C-FIND, study level); its newest answer counts.

    With `tell_if_never_sent` a study of which nothing ever came is put before a person; it is never work
    by itself.
    """
    view_as(connection, Viewer(trust=sender.trust))
    uid = found.study_instance_uid
    _lock_study_uid(connection, uid)
    announced_id = _announce(connection, sender.trust, uid, accession_number=found.accession_number)
    news = or_(
        announced_study.c.answered_at.is_(None),
        announced_study.c.expected_instances.is_distinct_from(found.instances),
    )
    changed = connection.execute(
        update(announced_study)
        .where(announced_study.c.id == announced_id, news)
        .values(expected_instances=found.instances, answered_at=func.radpool_now())
    )
    if changed.rowcount:  # a sweep that finds all as it was has nothing judged
        judge_again(connection, sender.trust, [uid])
    if tell_if_never_sent and not connection.execute(_studies_of(sender.trust, [uid])).all():
        open_doubt(
            connection,
            "study-never-sent",
            trust=sender.trust,
            source=sender.ae_title,
            announced_study_id=announced_id,
            detail=f"the source has a study that it never sent (announced study {announced_id})",
        )


def studies_to_ask_about(connection: Connection, ae_title: str, limit: int) -> list[str]:
    """Give the UIDs of studies whose expected count a source is to be asked for now, and note that it is asked.

    Those are studies that have gone quiet, of a source whose policy wants counts, that were not asked about
    yet or did not match then. Each is given again only after a while, longer each time.
    """
    row = connection.execute(select(source).where(source.c.ae_title == ae_title)).one_or_none()
    if row is None or Signal.EXPECTED_COUNT not in completeness_of(row.completeness).signals:
        return []
    view_as(connection, Viewer(trust=row.trust_ods))
    uids = list(connection.scalars(_TO_ASK, {"ae_title": ae_title, "limit": limit}))
    for uid in sorted(uids):
        announced_id = _announce(connection, row.trust_ods, uid)
        first, longest = _ASK_AGAIN
        wait = func.least(first * func.power(2, func.least(announced_study.c.times_asked, 10)), longest)
        connection.execute(
            update(announced_study)
            .where(announced_study.c.id == announced_id)
            .values(times_asked=announced_study.c.times_asked + 1, ask_again_at=func.radpool_now() + wait)
        )
    return uids


def judge_again(connection: Connection, trust: str, uids: Iterable[str]) -> None:
    """Have the studies of a trust with these UIDs judged again soon, as far as they are known here.

    The transaction sees the trust's identities (`view_as`).
    """
    known = connection.scalars(
        select(study.c.id)
        .where(study.c.id.in_(_studies_of(trust, uids)))
        .order_by(study.c.id)
        .with_for_update(key_share=True)
    ).all()
    if known:
        connection.execute(update(study).where(study.c.id.in_(known)).values(judge_at_instances=0))


def _studies_of(trust: str, uids: Iterable[str]) -> Select[int]:
    return select(study_identity.c.study_id).where(
        study_identity.c.trust_ods == trust, study_identity.c.study_instance_uid.in_(list(uids))
    )


def _lock_study_uid(connection: Connection, uid: str) -> None:
    """Hold a study's UID as its first object does: then either that finds what is said here, or this the study."""
    connection.execute(_LOCK_UID, {"uid": uid})


def _lock_step(connection: Connection, sender: Sender, step: ProcedureStep) -> Row[Any]:
    """Give the step's row, locked; a step that is heard of for the first time is in progress."""
    digest = digest_of(step.step_uid)
    connection.execute(
        insert(performed_step)
        .values(
            trust_ods=sender.trust,
            step_digest=digest,
            source_ae_title=sender.ae_title,
            status=StepStatus.IN_PROGRESS.value,
        )
        .on_conflict_do_nothing()
    )
    return connection.execute(
        select(performed_step)
        .where(performed_step.c.trust_ods == sender.trust, performed_step.c.step_digest == digest)
        .with_for_update(key_share=True)
    ).one()


def _keep_step(connection: Connection, row: Row[Any], step: ProcedureStep, message: uuid.UUID) -> None:
    values: dict[str, Any] = {"updated_at": func.radpool_now()}
    if step.creates:
        values["create_digest"] = message
    else:
        values["set_digests"] = [*row.set_digests, message][-_MOST_MESSAGES:]
        values["status"] = (step.status or StepStatus.IN_PROGRESS).value
    if step.discontinuation_reason is not None:
        reason = step.discontinuation_reason
        values["discontinuation_reason"] = f"{reason.value}^{reason.scheme}"
    ended = step.ended
    if ended is not None and ended.at <= now(connection) + CLOCK_SKEW:
        known = (row.ended_at, row.ended_source, row.ended_as_sent)
        if row.ended_at is None or (ended.at, ended.source, ended.as_sent) > known:
            values |= {
                "ended_at": ended.at,
                "ended_as_sent": ended.as_sent,
                "ended_zone": ended.zone,
                "ended_fold": ended.fold,
                "ended_source": ended.source,
            }
    connection.execute(update(performed_step).where(performed_step.c.id == row.id).values(values))


def _keep_series(connection: Connection, step_id: int, step: ProcedureStep) -> None:
    """Keep the most that was ever counted of each series, so that the order of messages does not matter."""
    for uid, instances in sorted(step.performed_instances):
        statement = insert(performed_series).values(step_id=step_id, series_digest=digest_of(uid), instances=instances)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["step_id", "series_digest"],
                set_={"instances": func.greatest(performed_series.c.instances, statement.excluded.instances)},
            )
        )


def _announce(connection: Connection, trust: str, uid: str, *, accession_number: str | None = None) -> int:
    """Give the id of what is known of a study by its UID, made where nothing was; a number once told stays."""
    statement = insert(announced_study).values(
        trust_ods=trust, study_instance_uid=uid, accession_number=accession_number or None
    )
    stated = func.least(announced_study.c.accession_number, statement.excluded.accession_number)
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["trust_ods", "study_instance_uid"], set_={"accession_number": stated}
            ).returning(announced_study.c.id)
        ).scalar_one()
    )


def _uids_of_step(connection: Connection, step_id: int) -> list[str]:
    return list(
        connection.scalars(
            select(announced_study.c.study_instance_uid)
            .join(performed_step_study, performed_step_study.c.announced_study_id == announced_study.c.id)
            .where(performed_step_study.c.step_id == step_id)
        )
    )


def _message_digest(step: ProcedureStep) -> uuid.UUID:
    """Give a digest of everything that a message says, by which its repeat is known."""
    said = asdict(step) | {"calling_ae_title": "", "studies": sorted(step.studies, key=repr)}
    said["performed_instances"] = sorted(step.performed_instances)
    return uuid.UUID(bytes=hashlib.sha256(repr(sorted(said.items())).encode()).digest()[:16])


_LOCK_UID = text("SELECT pg_advisory_xact_lock(7223009, hashtext(:uid))")

_TO_ASK = text(
    """
    SELECT i.study_instance_uid FROM study s
    JOIN study_identity i ON i.study_id = s.id
    LEFT JOIN announced_study a ON a.trust_ods = i.trust_ods AND a.study_instance_uid = i.study_instance_uid
    WHERE s.source_ae_title = :ae_title AND s.completed_at IS NULL AND s.quiet_until <= radpool_now()
      AND (a.ask_again_at IS NULL OR a.ask_again_at <= radpool_now())
    ORDER BY s.quiet_until, s.id LIMIT :limit
    """
)
