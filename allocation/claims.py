"""Gives a reporter the most urgent reading that they may report, as a lease with a fencing token.

One transaction: find by the index of eligibility, lock one row, judge again by the rule on the
item's own facts, claim, event, audit. It must not trust the index, and must not answer "nothing"
while an eligible free reading remains (docs/decisions/0004-claim-lease-with-fencing.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from allocation.bundle_search import goes_on_with_last
from allocation.eligibility import Reason, Verdict, judge, standing
from allocation.pool import ASSIGNED, GOING_ON, LOCK_ONE, POOL, POOL_UNASSIGNED, WALK_UNASSIGNED
from allocation.reporter import Reporter
from allocation.scope import Level
from allocation.session import ReportingSession, SessionKind
from allocation.workforce import index_new_profiles, keep_index, lock_reporter, work_of_item
from worklist import audit
from worklist.clock import now
from worklist.db.tables.claims import assignment, claim, item_exclusion
from worklist.db.tables.people import reporting_session
from worklist.db.tables.work import item, reading
from worklist.home_reading import read_at_home_since
from worklist.intake.offering import came_under_rule
from worklist.item import ItemState, Move
from worklist.local_time import LONDON
from worklist.moves import UnknownItem, append_item_event, make_move
from worklist.reading import ClaimEnd, Purpose, ReadingState
from worklist.turnaround import NEEDED_BY_RULE_ID


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


@dataclass(frozen=True, slots=True)
class _Picked:
    """A reading to claim with its item, both locked, and the verdict that opens it."""

    reading: Row[Any]
    item: Row[Any]
    verdict: Verdict


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
        best = _best(connection, reporter, wish, session, moment)
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


def judge_reading(
    connection: Connection, reporter: Reporter, found: Row[Any], item_row: Row[Any], moment: datetime
) -> Verdict:
    """Judge a reading by the rule: the item's own facts, and what this reading asks beyond them."""
    verdict = judge(reporter, work_of_item(connection, item_row), moment)
    extra = []
    if found.purpose == Purpose.CHECK:
        able = verdict.level is Level.AUTONOMOUS
        extra.append(Reason("check", able, "checks are for those who report this autonomously"))
    if found.for_radiologist:
        able = reporter.profession == "radiologist"
        extra.append(Reason("referral", able, "it was referred to a radiologist"))
    barred = connection.scalars(
        select(item_exclusion.c.kind).where(
            item_exclusion.c.item_id == item_row.id,
            item_exclusion.c.reporter_id == reporter.id,
            item_exclusion.c.kind.in_(("has-read", "conflict-of-interest")),
        )
    ).all()
    if found.purpose != Purpose.ADDENDUM:
        extra.extend(Reason("exclusion", False, f"you are excluded from this item: {kind}") for kind in barred)
    reasons = (*verdict.reasons, *extra)
    if all(reason.passed for reason in reasons):
        return Verdict(True, verdict.level, verdict.valid_until, reasons)
    return Verdict(False, None, None, reasons)


def _given(
    connection: Connection, reporter: Reporter, wish: Wish, session: ReportingSession | None, moment: datetime
) -> _Picked:
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
    rule = _came_under_rule(connection, item_row)
    if rule is not None:
        raise NotFree(wish.item_id, f"the rule {rule} keeps it from being offered anew")
    for row, verdict in zip(open_rows, verdicts, strict=False):
        if verdict.eligible and row.free_from <= moment:
            return _Picked(row, item_row, verdict)
    raise NotFree(wish.item_id, "a claim on it is running" if open_rows else f"it is {item_row.state}")


def _best(
    connection: Connection, reporter: Reporter, wish: Wish, session: ReportingSession | None, moment: datetime
) -> tuple[_Picked, tuple[str, ...]] | None:
    """Give the locked best reading: assigned first, else the most urgent; None only when there is none."""
    keep_index(connection, reporter.id)
    refused = _Refused(connection)
    if goes_on_with_last(connection, _asked(reporter, wish, session), moment):
        picked = _search(connection, GOING_ON, reporter, wish, session, moment, refused)
        if picked is not None:
            return picked, ("of the same patient and day as what you had last",)
    searches = (
        (_search, ASSIGNED, "assigned to you by the plan"),
        (_walk, WALK_UNASSIGNED, "the most urgent that you may report"),
        (_search, POOL_UNASSIGNED, "the most urgent that you may report"),
        (_search, POOL, "the most urgent that you may report; planned for a colleague who has not taken it"),
    )
    for _ in range(2):
        for look, search, why in searches:
            picked = look(connection, search, reporter, wish, session, moment, refused)
            if picked is not None:
                return picked, (why,)
        if not index_new_profiles(connection):
            return None
        refused.mark()
    return None


class _Refused:
    """The readings that a search found locked and unfit, and their locks, of which none may be held by who waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: set[int] = set()
        self.mark()

    @property
    def ids(self) -> list[int]:
        return sorted(self._ids)

    def add(self, reading_id: int) -> None:
        self._ids.add(reading_id)

    def mark(self) -> None:
        """Keep what was written so far, whatever is let go."""
        self._connection.exec_driver_sql("SAVEPOINT refused")

    def let_go(self) -> None:
        """Release all row locks since the mark; the readings stay refused."""
        self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT refused")


def _walk(
    connection: Connection,
    search: str,
    reporter: Reporter,
    wish: Wish,
    session: ReportingSession | None,
    moment: datetime,
    refused: _Refused,
) -> _Picked | None:
    """Look along the pool's most urgent readings a bounded way; finding none there says nothing of the rest."""
    while True:
        asked = {**_asked(reporter, wish, session), "refused": refused.ids}
        row = connection.execute(text(search), asked).one_or_none()
        if row is None:
            return None
        picked = _judged(connection, reporter, row, moment)
        if picked is not None:
            return picked
        refused.add(row.id)


def _search(
    connection: Connection,
    search: str,
    reporter: Reporter,
    wish: Wish,
    session: ReportingSession | None,
    moment: datetime,
    refused: _Refused,
) -> _Picked | None:
    """Look through all that the index gives the reporter; None only when nothing of it is free."""
    most, patience = 8, 0
    while True:
        asked = {**_asked(reporter, wish, session), "refused": refused.ids, "most": most}
        candidates = connection.scalars(text(search), asked).all()
        if not candidates:
            return None
        wait = patience >= 3 and most > len(candidates)
        if wait:  # for one only, and holding no other: else two who wait could wait for each other
            refused.let_go()
            candidates = candidates[:1]
        row = connection.execute(_lock_one(wait=wait), {"ids": candidates}).one_or_none()
        if row is None:
            # All candidates are just being claimed by others: look further down, at last wait for one.
            most, patience = min(most * 4, _MOST_CANDIDATES), patience + 1
            continue
        picked = _judged(connection, reporter, row, moment)
        if picked is not None:
            return picked
        refused.add(row.id)


def _asked(reporter: Reporter, wish: Wish, session: ReportingSession | None) -> dict[str, Any]:
    return {
        "reporter": reporter.id,
        "radiologist": reporter.profession == "radiologist",
        "purpose": wish.purpose.value if wish.purpose else None,
        "trusts": sorted(session.trusts) if session and session.trusts is not None else None,
        "modalities": sorted(session.modalities) if session and session.modalities is not None else None,
    }


def _judged(connection: Connection, reporter: Reporter, row: Row[Any], moment: datetime) -> _Picked | None:
    """Judge a locked reading, whose item is locked with it; None where the index was wrong, or it is read at home."""
    if read_at_home_since(connection, row.item_id) is not None:
        return None
    item_row = connection.execute(select(item).where(item.c.id == row.item_id)).one()
    if _came_under_rule(connection, item_row) is not None:
        return None
    verdict = judge_reading(connection, reporter, row, item_row, moment)
    return _Picked(row, item_row, verdict) if verdict.eligible else None


def _came_under_rule(connection: Connection, row: Row[Any]) -> str | None:
    """Give the rule that keeps an item whose lease has just run out from being offered anew; None: none does."""
    rule = came_under_rule(connection, row) if row.state == ItemState.IN_PROGRESS else None
    return None if rule is None else rule.id


def _make_claim(
    connection: Connection,
    actor: str,
    picked: _Picked,
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


def _lock_one(*, wait: bool) -> Any:
    return text(LOCK_ONE.format(how="" if wait else "SKIP LOCKED"))


#: More candidates than any pool that others could hold locked at one time.
_MOST_CANDIDATES = 1_000_000
