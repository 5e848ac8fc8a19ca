"""Gives a reporter the most urgent reading that they may report, as a lease with a fencing token.

One transaction: find by the index of eligibility, lock one row, judge again by the rule on the
item's own facts, claim, event, audit. It must not trust the index, and must not answer "nothing"
while an eligible free reading remains (docs/decisions/0004-claim-lease-with-fencing.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from allocation.eligibility import Reason, judge, standing
from allocation.judging import judge_reading, rule_that_keeps_it
from allocation.reporter import Reporter
from allocation.scope import Level
from allocation.search import Picked, best_reading
from allocation.session import ReportingSession, SessionKind
from allocation.workforce import lock_reporter, work_of_item
from worklist.clock import now
from worklist.db.tables.claims import assignment, claim
from worklist.db.tables.people import reporting_session
from worklist.db.tables.work import item, reading
from worklist.home.reading import read_at_home_since
from worklist.item import ItemState, Move
from worklist.life.moves import UnknownItem, append_item_event, make_move
from worklist.local_time import LONDON
from worklist.log import audit
from worklist.reading import ClaimEnd, Purpose, ReadingState
from worklist.turnaround.targets import NEEDED_BY_RULE_ID


class NotEligible(PermissionError):
    """The reporter may not report this; `reasons` says which conditions failed."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        failed = tuple(reason for reason in reasons if not reason.passed)
        super().__init__("; ".join(reason.detail for reason in failed))
        self.reasons = failed


class NotFree(RuntimeError):
    """The item asked for has no reading that is free now."""

    def __init__(self, item_id: int, why: str) -> None:
        super().__init__(f"item {item_id} cannot be claimed: {why}")


class UnknownSession(LookupError):
    """No such session of this reporter, or not running now."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reporter asks for: a session to work in, a given item, a purpose; all may be left open."""

    session_code: str | None = None
    item_id: int | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim made: its lease and why it was this reading. `expires_at` is aware UTC."""

    claim_id: int
    token: int
    item_id: int
    reading_id: int
    purpose: Purpose
    expires_at: datetime
    level: Level
    session_id: int | None
    why: tuple[str, ...]


def claim_reading(
    connection: Connection, actor: str, reporter_id: int, wish: Wish, *, lease_seconds: float
) -> Claimed | None:
    """Claim for a reporter; None only when nothing eligible is free. The caller commits.

    Raises
    ------
    NotEligible
        If the reporter may report nothing now, or not the item asked for by id.
    NotFree, UnknownItem
        For an item asked for by id.
    UnknownSession
        If the session is not the reporter's or does not run now.
    """
    reporter = lock_reporter(connection, reporter_id)
    moment = now(connection)
    session = _session(connection, reporter_id, wish.session_code, moment) if wish.session_code else None
    why: tuple[str, ...] = ("you asked for it",)
    if wish.item_id is not None:
        picked = _given(connection, reporter, wish, session, moment)
    else:
        barred = standing(reporter, moment.astimezone(LONDON).date())
        if not all(reason.passed for reason in barred):
            raise NotEligible(barred)
        best = best_reading(connection, reporter, _asked(reporter, wish, session), moment)
        if best is None:
            return None
        picked, why = best
    made = _make_claim(connection, actor, picked, reporter, session, lease_seconds)
    found, verdict = picked.reading, picked.verdict
    assert verdict.level is not None
    scope = next((reason.detail for reason in verdict.reasons if reason.condition == "scope"), "")
    return Claimed(
        claim_id=made.id,
        token=made.token,
        item_id=found.item_id,
        reading_id=found.id,
        purpose=Purpose(found.purpose),
        expires_at=made.expires_at,
        level=verdict.level,
        session_id=session.id if session else None,
        why=(*why, *_told_of_arrival(picked.item), due_in_words(found.due_at, picked.item.target_rule), scope),
    )


def _given(
    connection: Connection, reporter: Reporter, wish: Wish, session: ReportingSession | None, moment: datetime
) -> Picked:
    assert wish.item_id is not None
    item_row = connection.execute(
        select(item).where(item.c.id == wish.item_id).with_for_update(key_share=True)
    ).one_or_none()
    if item_row is None:
        raise UnknownItem(wish.item_id)
    statement = (
        select(reading).where(reading.c.item_id == wish.item_id).order_by(reading.c.id).with_for_update(key_share=True)
    )
    if wish.purpose:
        statement = statement.where(reading.c.purpose == wish.purpose.value)
    rows = connection.execute(statement).all()
    open_rows = [row for row in rows if row.state == ReadingState.OPEN]
    verdicts = [judge_reading(connection, reporter, row, item_row, moment) for row in (open_rows or rows)]
    verdicts = verdicts or [judge(reporter, work_of_item(connection, item_row), moment)]
    if not any(verdict.eligible for verdict in verdicts):
        # Who may not report it learns that first; that it is taken is news for those who may.
        raise NotEligible(verdicts[0].reasons)
    if session is not None and not session.takes(item_row.trust_ods, item_row.modality):
        raise NotFree(wish.item_id, "the session does not take this trust or modality")
    since = read_at_home_since(connection, item_row.id)
    if since is not None:
        raise NotFree(wish.item_id, f"somebody reads it in the home RIS, since {since:%Y-%m-%d %H:%M} UTC")
    rule = rule_that_keeps_it(connection, item_row)
    if rule is not None:
        raise NotFree(wish.item_id, f"the rule {rule} keeps it from being offered anew")
    for row, verdict in zip(open_rows, verdicts, strict=False):
        if verdict.eligible and row.free_from <= moment:
            return Picked(row, item_row, verdict)
    raise NotFree(wish.item_id, "a claim on it is running" if open_rows else f"it is {item_row.state}")


def _asked(reporter: Reporter, wish: Wish, session: ReportingSession | None) -> dict[str, Any]:
    return {
        "reporter": reporter.id,
        "radiologist": reporter.profession == "radiologist",
        "purpose": wish.purpose.value if wish.purpose else None,
        "trusts": sorted(session.trusts) if session and session.trusts is not None else None,
        "modalities": sorted(session.modalities) if session and session.modalities is not None else None,
    }


def _make_claim(
    connection: Connection,
    actor: str,
    picked: Picked,
    reporter: Reporter,
    session: ReportingSession | None,
    lease_seconds: float,
) -> Row[Any]:
    found, item_row = picked.reading, picked.item
    if found.token:  # it was claimed before
        connection.execute(
            update(claim)
            .where(claim.c.reading_id == found.id, claim.c.ended_at.is_(None))
            .values(ended_at=func.radpool_now(), end_reason=ClaimEnd.SUPERSEDED.value)
        )
    expires_at = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds)
    made = connection.execute(
        insert(claim)
        .values(
            reading_id=found.id,
            item_id=found.item_id,
            reporter_id=reporter.id,
            session_id=session.id if session else None,
            token=found.token + 1,
            expires_at=expires_at,
        )
        .returning(claim)
    ).one()
    connection.execute(
        update(reading)
        .where(reading.c.id == found.id)
        .values(token=made.token, free_from=made.expires_at)
        .add_cte(delete(assignment).where(assignment.c.reading_id == found.id).cte("unplanned"))
    )
    dimensions = {"claim": made.id, "reporter": reporter.id, "session": made.session_id, "purpose": found.purpose}
    if item_row.state in (ItemState.READY, ItemState.RECALLED):
        make_move(connection, item_row, Move.CLAIMED, reading_id=found.id, dimensions=dimensions)
    else:
        append_item_event(connection, item_row, "reading.claimed", reading_id=found.id, dimensions=dimensions)
    detail = {"claim": made.id, "reporter": reporter.code}
    audit.append(connection, actor, "claim", items=[found.item_id], detail=detail)
    return made


def due_in_words(due_at: datetime, rule: str | None) -> str:
    """Say when a reading is due, and that a clinic or meeting needs it then, where that is what binds."""
    needed = ", when a clinic or meeting needs it" if rule == NEEDED_BY_RULE_ID else ""
    return f"due {due_at:%Y-%m-%d %H:%M} UTC{needed}"


def _told_of_arrival(item_row: Row[Any]) -> tuple[str, ...]:
    return (
        ("its images are still arriving: a verified report waits until they are complete",) if item_row.arriving else ()
    )


def _session(connection: Connection, reporter_id: int, code: str, moment: datetime) -> ReportingSession:
    row = connection.execute(
        select(reporting_session).where(
            reporting_session.c.code == code,
            reporting_session.c.reporter_id == reporter_id,
            reporting_session.c.cancelled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise UnknownSession(f"no session {code!r} of yours; `GET /api/v1/sessions` lists them")
    found = session_of(row)
    if not found.runs_at(moment):
        hours = f"{row.starts_at:%Y-%m-%d %H:%M} to {row.ends_at:%H:%M}"
        raise UnknownSession(f"session {code!r} runs {hours} UTC, not now")
    return found


def session_of(row: Row[Any]) -> ReportingSession:
    """Give a session's row as the rules see it."""
    return ReportingSession(
        row.id,
        row.reporter_id,
        SessionKind(row.kind),
        row.starts_at,
        row.ends_at,
        None if row.trusts is None else frozenset(row.trusts),
        None if row.modalities is None else frozenset(row.modalities),
    )
