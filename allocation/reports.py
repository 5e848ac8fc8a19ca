"""Takes a report under a claim: judges the right again, files it, moves the item, opens a check if due.

One transaction. A report under a superseded token is kept and put before a person, and changes
nothing else. It must not price anything: pay follows from the event.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave

from allocation.claims import NotEligible
from allocation.eligibility import Reason, Verdict, judge
from allocation.judging import judge_reading
from allocation.leases import ClaimSuperseded, Held, end_claim, hold, why_superseded
from allocation.pay.payable import payable_facts
from allocation.scope import Level
from allocation.workforce import lock_reporter, work_of_item
from worklist.alerts.acts import raise_alerts
from worklist.alerts.recalled import settle_alerts_of_recalled
from worklist.alerts.rules import OF_REPORTS, AlertKind
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import item_exclusion, report, report_text
from worklist.db.tables.work import reading
from worklist.discrepancies import ask_for_statement, judge_discrepancy
from worklist.doubts import open_doubt
from worklist.exams.catalogue import rules_in_force
from worklist.exams.valuation import reading_minutes
from worklist.home.clock import ReportedSource, stop_clock, waits_for_home
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import Move
from worklist.life.moves import append_item_event, make_move
from worklist.log import audit
from worklist.reading import ClaimEnd, Discrepancy, Purpose, ReadingState, ReportStatus


class StillArriving(RuntimeError):
    """A report cannot be verified while images still come."""

    def __init__(self, item_id: int) -> None:
        super().__init__(
            f"images of item {item_id} are still arriving: give a preliminary report, wait,"
            " or say by `POST /api/v1/items/{id}/complete` that they are complete"
        )


#: Flags that a report may carry.
ALERTS = tuple(kind.value for kind in OF_REPORTS)


@dataclass(frozen=True, slots=True)
class ReportGiven:
    """What a reporter sends; `text` None where the words are written in the home RIS.

    `at_home_since` (aware) is since when the home RIS has it, where it was the RIS that told of it. `discrepancy` is
    what a verified report changes of the one that went out before it; None: not stated.
    """

    status: ReportStatus
    text: str | None = None
    alerts: tuple[str, ...] = ()
    at_home_since: datetime | None = None
    discrepancy: Discrepancy | None = None


@dataclass(frozen=True, slots=True)
class ReportFiled:
    """What became of it. `superseded` says why it was only kept; `repeated` that it stood already.

    `discrepancy` is what it changes of the report that went out before; None: nothing did, or nobody has said it.
    """

    report_id: int
    status: ReportStatus
    item_id: int
    check_needed: bool = False
    repeated: bool = False
    superseded: ClaimSuperseded | None = None
    discrepancy: Discrepancy | None = None


def file_report(
    connection: Connection, actor: str, reporter_id: int, claim_id: int, token: int, given: ReportGiven
) -> ReportFiled:
    """File a report under a claim; the caller commits, also when the answer says `superseded`.

    Raises
    ------
    UnknownClaim
        If the claim is not this reporter's.
    NotEligible
        If the reporter may not report this (any more), or not with this status.
    StillArriving
        If it is to be verified and its images still come (docs/decisions/0016-completeness-as-policy.md).
    NothingWentOut
        If it states a discrepancy and no report went out before it.
    """
    if given.status is ReportStatus.PRELIMINARY:
        hold_cut(connection)  # the check has a due time of its own, which is worked out
    reporter = lock_reporter(connection, reporter_id)
    held = hold(connection, reporter_id, claim_id)
    view_as(connection, Viewer(trust=held.item.trust_ods, reporter_id=reporter_id))
    repeated = _already_filed(connection, held, token, given)
    if repeated is not None:
        return repeated
    addendum = given.status is ReportStatus.ADDENDUM
    why = why_superseded(held, token)
    if why and not (addendum and _own_stands(connection, held, token)):
        return _keep_superseded(connection, actor, held, given, why)
    moment = now(connection)
    if addendum:  # having read it before is what an addendum rests on
        verdict = judge(reporter, work_of_item(connection, held.item), moment)
    else:
        verdict = judge_reading(connection, reporter, held.reading, held.item, moment)
    _require(verdict, given, held)
    if held.item.arriving and given.status is ReportStatus.VERIFIED:
        raise StillArriving(held.item.id)
    if given.status is ReportStatus.VERIFIED:
        found = judge_discrepancy(connection, held.item.id, given.discrepancy, given.text)
        given = replace(given, discrepancy=found)
    report_id = _write(connection, held, given, superseded=False)
    detail = {
        "claim": claim_id,
        "report": report_id,
        "alerts": sorted(given.alerts),
        "discrepancy": given.discrepancy,
    }
    if given.status is ReportStatus.VERIFIED:
        settled = settle_alerts_of_recalled(connection, held.item, report_id, _alert_kinds(given), by=actor)
        detail["alerts_settled"] = settled
        if given.discrepancy is None:
            ask_for_statement(connection, held.item, report_id, reporter_id)
    check_needed = verdict.level is Level.TRAINEE
    _move(connection, actor, held, given, report_id, check_needed=check_needed)
    audit.append(connection, actor, f"report {given.status.value}", items=[held.item.id], detail=detail)
    return ReportFiled(report_id, given.status, held.item.id, check_needed=check_needed, discrepancy=given.discrepancy)


def _require(verdict: Verdict, given: ReportGiven, held: Held) -> None:
    reasons = verdict.reasons
    if verdict.eligible and verdict.level is Level.TRAINEE and given.status is not ReportStatus.PRELIMINARY:
        reasons = (
            *reasons,
            Reason("level", False, "a trainee's report goes out as preliminary and is checked by a colleague"),
        )
    if held.reading.purpose == Purpose.CHECK and given.status is ReportStatus.PRELIMINARY:
        reasons = (*reasons, Reason("check", False, "a check ends with a verified report"))
    if not all(reason.passed for reason in reasons):
        raise NotEligible(reasons)


def _move(
    connection: Connection, actor: str, held: Held, given: ReportGiven, report_id: int, *, check_needed: bool
) -> None:
    dimensions = {
        "report": report_id,
        "status": given.status.value,
        "claim": held.claim.id,
        "session": held.claim.session_id,
        "reporter": held.claim.reporter_id,
        "purpose": held.reading.purpose,
        "alerts": sorted(given.alerts),
        "discrepancy": given.discrepancy,
    }
    if given.at_home_since is not None:
        dimensions["told_by"] = actor
    if given.status is ReportStatus.VERIFIED:
        _finish(connection, held)
        moved = make_move(
            connection,
            held.item,
            Move.VERIFIED,
            reading_id=held.reading.id,
            dimensions={**dimensions, **payable_facts(connection, held.claim, held.item)},
            verified_at=func.radpool_now(),
        )
        if given.at_home_since is not None:
            stop_clock(connection, moved, given.at_home_since, ReportedSource.HOME_REPORT, by=actor)
        elif not waits_for_home(connection, held.item.trust_ods, has_words=given.text is not None):
            stop_clock(connection, moved, moved.verified_at, ReportedSource.VERIFIED)
    elif given.status is ReportStatus.ADDENDUM:
        if held.claim.ended_at is None:
            _finish(connection, held)
        make_move(connection, held.item, Move.ADDED_TO, reading_id=held.reading.id, dimensions=dimensions)
    else:
        if check_needed:
            _finish(connection, held)
            _open_check(connection, held)
        make_move(connection, held.item, Move.REPORTED_PRELIMINARY, reading_id=held.reading.id, dimensions=dimensions)
        work_out(connection, held.item.id)


def _finish(connection: Connection, held: Held) -> None:
    end_claim(connection, held.claim.id, ClaimEnd.REPORTED)
    connection.execute(update(reading).where(reading.c.id == held.reading.id).values(state=ReadingState.DONE.value))
    connection.execute(
        insert_or_leave(item_exclusion)
        .values(item_id=held.item.id, reporter_id=held.claim.reporter_id, kind="has-read")
        .on_conflict_do_nothing()
    )


def _open_check(connection: Connection, held: Held) -> None:
    connection.execute(
        insert(reading).values(
            item_id=held.item.id,
            purpose=Purpose.CHECK.value,
            state=ReadingState.OPEN.value,
            trust_ods=held.reading.trust_ods,
            profile_id=held.reading.profile_id,
            due_at=held.reading.due_at,
            reporting_minutes=reading_minutes(
                held.reading.reporting_minutes,
                Purpose.CHECK,
                rules_in_force(connection).modifiers,
                held.item.exam_date or date.max,
            ),
        )
    )


def _write(connection: Connection, held: Held, given: ReportGiven, *, superseded: bool) -> int:
    report_id = int(
        connection.execute(
            insert(report)
            .values(
                reading_id=held.reading.id,
                item_id=held.item.id,
                claim_id=held.claim.id,
                reporter_id=held.claim.reporter_id,
                status=given.status.value,
                superseded=superseded,
                alerts=sorted(given.alerts),
                discrepancy=given.discrepancy,
            )
            .returning(report.c.id)
        ).scalar_one()
    )
    # Also of a superseded one: it is about the patient.
    raise_alerts(connection, held.item, report_id, _alert_kinds(given))
    if given.text is not None:
        connection.execute(
            insert(report_text).values(
                report_id=report_id, trust_ods=held.item.trust_ods, item_id=held.item.id, body=given.text
            )
        )
    return report_id


def _alert_kinds(given: ReportGiven) -> tuple[str, ...]:
    changed = (AlertKind.MATERIAL_CHANGE.value,) if given.discrepancy is Discrepancy.MATERIAL else ()
    return (*given.alerts, *changed)


def _keep_superseded(connection: Connection, actor: str, held: Held, given: ReportGiven, why: str) -> ReportFiled:
    report_id = _write(connection, held, given, superseded=True)
    open_doubt(
        connection,
        "report-under-superseded-claim",
        trust=held.item.trust_ods,
        item_id=held.item.id,
        detail=f"report {report_id} is kept and was not sent on",
    )
    append_item_event(
        connection,
        held.item,
        "report.superseded",
        reading_id=held.reading.id,
        dimensions={"report": report_id, "claim": held.claim.id, "status": given.status.value},
    )
    audit.append(connection, actor, "report superseded", items=[held.item.id], detail={"report": report_id})
    return ReportFiled(report_id, given.status, held.item.id, superseded=ClaimSuperseded(held.claim.id, why))


def _already_filed(connection: Connection, held: Held, token: int, given: ReportGiven) -> ReportFiled | None:
    """Recognise the same report sent again: same claim, token, status and words, and it states nothing new."""
    if token != held.claim.token:
        return None
    rows = connection.execute(
        select(report.c.id, report.c.superseded, report.c.discrepancy, report_text.c.body)
        .outerjoin(report_text, report_text.c.report_id == report.c.id)
        .where(report.c.claim_id == held.claim.id, report.c.status == given.status.value)
        .order_by(report.c.id)
    ).all()
    for row in rows:
        if _digest(row.body) == _digest(given.text) and given.discrepancy in (None, row.discrepancy):
            why = why_superseded(held, token) or "another reporter has claimed the reading since"
            superseded = ClaimSuperseded(held.claim.id, why) if row.superseded else None
            stands = Discrepancy(row.discrepancy) if row.discrepancy else None
            return ReportFiled(
                row.id, given.status, held.item.id, repeated=True, superseded=superseded, discrepancy=stands
            )
    return None


def _own_stands(connection: Connection, held: Held, token: int) -> bool:
    """Whether what was reported under this claim stands; nobody adds to what was recalled, nor to what replaces it."""
    if token != held.claim.token or held.claim.end_reason != ClaimEnd.REPORTED:
        return False
    standing = select(report.c.id).where(
        report.c.claim_id == held.claim.id, ~report.c.superseded, report.c.recalled_at.is_(None)
    )
    return bool(connection.scalar(select(standing.exists())))


def _digest(words: str | None) -> bytes:
    return hashlib.sha256((words or "").encode()).digest()
