"""What a claim's holder does with it short of reporting: renew, release, skip, refer; and what time does.

It must not write a report, and never acts under a token that was superseded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import claim, item_exclusion
from worklist.db.tables.life import item_act
from worklist.db.tables.work import item, reading
from worklist.intake.working_out import hold_cut, reconsider
from worklist.item import ItemState, Move
from worklist.life.moves import append_item_event, lock_item, make_move
from worklist.log import audit
from worklist.reading import ClaimEnd, Purpose, ReadingState


class UnknownClaim(LookupError):
    """No such claim of this reporter."""

    def __init__(self, claim_id: int) -> None:
        super().__init__(f"no claim {claim_id} of yours")


class ClaimSuperseded(RuntimeError):
    """The token is not the newest of its reading: another reporter has it, or the claim has ended."""

    def __init__(self, claim_id: int, why: str) -> None:
        super().__init__(f"claim {claim_id} no longer holds: {why}")
        self.why = why


class SkipReason(StrEnum):
    """Why a reporter declines a reading; the first three are free, the rest count."""

    COMPETENCE = "competence"
    IMAGE_QUALITY = "image-quality"
    CONFLICT_OF_INTEREST = "conflict-of-interest"
    NO_TIME = "no-time"
    INTERRUPTED = "interrupted"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Held:
    """A claim with its reading and item, all three locked."""

    claim: Row[Any]
    reading: Row[Any]
    item: Row[Any]


def hold(connection: Connection, reporter_id: int, claim_id: int) -> Held:
    """Lock a claim of this reporter with its item and reading, in the order that everyone locks them.

    Raises
    ------
    UnknownClaim
        If there is none, or it is another reporter's.
    """
    known = connection.execute(
        select(claim.c.item_id, claim.c.reading_id).where(claim.c.id == claim_id, claim.c.reporter_id == reporter_id)
    ).one_or_none()
    if known is None:
        raise UnknownClaim(claim_id)
    item_row = lock_item(connection, known.item_id)
    reading_row = connection.execute(
        select(reading).where(reading.c.id == known.reading_id).with_for_update(key_share=True)
    ).one()
    claim_row = connection.execute(select(claim).where(claim.c.id == claim_id).with_for_update(key_share=True)).one()
    return Held(claim_row, reading_row, item_row)


def why_superseded(held: Held, token: int) -> str | None:
    """Say why a token may not act on a claim, or None where it may.

    A lease that ran out but was not superseded still holds: nobody else has the reading.
    """
    if token != held.claim.token:
        return "the token is not this claim's"
    if held.claim.end_reason == ClaimEnd.SUPERSEDED or held.claim.token != held.reading.token:
        return "its lease ran out and another reporter has claimed the reading since"
    if held.claim.ended_at is not None:
        because = f" ({held.claim.end_detail})" if held.claim.end_reason == ClaimEnd.WITHDRAWN else ""
        return f"it ended: {held.claim.end_reason}{because if held.claim.end_detail else ''}"
    return None


def renew(connection: Connection, reporter_id: int, claim_id: int, token: int, *, lease_seconds: float) -> datetime:
    """Renew a lease from now and give its new end (aware UTC).

    Raises
    ------
    UnknownClaim, ClaimSuperseded
        If the claim is not the reporter's, or no longer holds.
    """
    held = _live(connection, reporter_id, claim_id, token)
    expires_at: datetime = connection.execute(
        update(claim)
        .where(claim.c.id == claim_id)
        .values(expires_at=func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds))
        .returning(claim.c.expires_at)
    ).scalar_one()
    connection.execute(update(reading).where(reading.c.id == held.reading.id).values(free_from=expires_at))
    if held.item.state in (ItemState.READY, ItemState.RECALLED):  # it had lapsed
        make_move(connection, held.item, Move.CLAIMED, reading_id=held.reading.id, dimensions=_who(held))
    return expires_at


def release(connection: Connection, actor: str, reporter_id: int, claim_id: int, token: int) -> None:
    """Give a reading back unread; it keeps its place by due time.

    Raises
    ------
    UnknownClaim, ClaimSuperseded
        If the claim is not the reporter's, or no longer holds.
    """
    hold_cut(connection)
    held = _live(connection, reporter_id, claim_id, token)
    _give_back(connection, actor, held, ClaimEnd.RELEASED)


def skip(
    connection: Connection,
    actor: str,
    reporter_id: int,
    claim_id: int,
    token: int,
    reason: SkipReason,
    note: str = "",
) -> None:
    """Decline a reading with a reason; it is not handed to this reporter again and keeps its place.

    `note` stands with the item's acts alone, under row-level security: free words stay out of claims and events.

    Raises
    ------
    UnknownClaim, ClaimSuperseded
        If the claim is not the reporter's, or no longer holds.
    """
    hold_cut(connection)
    held = _live(connection, reporter_id, claim_id, token)
    conflict = reason is SkipReason.CONFLICT_OF_INTEREST
    _exclude(connection, held, "conflict-of-interest" if conflict else "skipped")
    _give_back(connection, actor, held, ClaimEnd.SKIPPED, reason.value)
    _note(connection, actor, held, "skip", reason.value, note)


def refer(connection: Connection, actor: str, reporter_id: int, claim_id: int, token: int, note: str) -> None:
    """Refer a reading on to a radiologist; it keeps its place and this reporter is not blamed.

    `note` tells the radiologist why, among the item's acts.

    Raises
    ------
    UnknownClaim, ClaimSuperseded
        If the claim is not the reporter's, or no longer holds.
    """
    hold_cut(connection)
    held = _live(connection, reporter_id, claim_id, token)
    connection.execute(update(reading).where(reading.c.id == held.reading.id).values(for_radiologist=True))
    _exclude(connection, held, "referred")
    _give_back(connection, actor, held, ClaimEnd.REFERRED, "to-radiologist")
    _note(connection, actor, held, "refer", "to-radiologist", note)


def take_away(connection: Connection, actor: str, held: Held, why: str) -> None:
    """Take a locked reading from its holder, who may not report it any more; it keeps its place by due time.

    `why` is told to the holder, in words. The transaction holds the profile cut.
    """
    _give_back(connection, actor, held, ClaimEnd.WITHDRAWN, "not-eligible", told=why)


def return_lapsed(engine: Engine, *, limit: int = 200) -> int:
    """Show items whose lease has run out as ready again, and give how many.

    The claim itself stays live until someone else claims: its holder may still report. Where a rule has come to keep
    the item from being offered it ends: nobody is to begin it anew, and a report that comes later is for a person.
    """
    with engine.begin() as connection:
        hold_cut(connection)
        lapsed = connection.execute(
            select(item, reading.c.id.label("reading_id"), reading.c.purpose, claim.c.id.label("claim_id"))
            .join(reading, reading.c.item_id == item.c.id)
            .join(claim, (claim.c.reading_id == reading.c.id) & claim.c.ended_at.is_(None))
            .where(
                item.c.state == ItemState.IN_PROGRESS.value,
                reading.c.state == ReadingState.OPEN.value,
                reading.c.free_from <= func.radpool_now(),
            )
            .limit(limit)
            .with_for_update(key_share=True, of=(item, reading), skip_locked=True)
        ).all()
        by_item = {row.id: row for row in lapsed if not _being_read(connection, row.id)}
        for row in by_item.values():
            dimensions = {"claim": row.claim_id, "why": "lapsed"}
            back = make_move(connection, row, _back(row.purpose), reading_id=row.reading_id, dimensions=dimensions)
            reconsider(connection, back)
        return len(by_item)


def end_claim(connection: Connection, claim_id: int, reason: ClaimEnd, detail: str = "") -> None:
    """End a claim for good."""
    connection.execute(
        update(claim)
        .where(claim.c.id == claim_id)
        .values(ended_at=func.radpool_now(), end_reason=reason.value, end_detail=detail or None)
    )


def _live(connection: Connection, reporter_id: int, claim_id: int, token: int) -> Held:
    held = hold(connection, reporter_id, claim_id)
    why = why_superseded(held, token)
    if why:
        raise ClaimSuperseded(claim_id, why)
    return held


def _note(connection: Connection, actor: str, held: Held, act: str, reason: str, note: str) -> None:
    view_as(connection, Viewer(trust=held.item.trust_ods))
    values = {"act": act, "actor": actor, "reason": reason, "note": note or None}
    connection.execute(insert(item_act).values(item_id=held.item.id, trust_ods=held.item.trust_ods, **values))


def _give_back(
    connection: Connection, actor: str, held: Held, end: ClaimEnd, reason: str = "", *, told: str = ""
) -> None:
    end_claim(connection, held.claim.id, end, told or reason)
    connection.execute(update(reading).where(reading.c.id == held.reading.id).values(free_from=func.radpool_now()))
    dimensions = {**_who(held), "why": end.value, "reason": reason}
    if held.item.state == ItemState.IN_PROGRESS and not _being_read(connection, held.item.id):
        move = _back(held.reading.purpose)
        reconsider(
            connection, make_move(connection, held.item, move, reading_id=held.reading.id, dimensions=dimensions)
        )
    else:
        append_item_event(
            connection, held.item, "reading.given-back", reading_id=held.reading.id, dimensions=dimensions
        )
    audit.append(connection, actor, end.value, items=[held.item.id], detail={"claim": held.claim.id, "reason": reason})


def _back(purpose: str) -> Move:
    """Give the move by which an item that was being read waits again."""
    return Move.RECALL_GIVEN_BACK if purpose == Purpose.AMENDMENT else Move.GIVEN_BACK


def _being_read(connection: Connection, item_id: int) -> bool:
    """Whether a lease is running on any reading of the item."""
    running = select(reading.c.id).where(
        reading.c.item_id == item_id,
        reading.c.state == ReadingState.OPEN.value,
        reading.c.free_from > func.radpool_now(),
    )
    return bool(connection.scalar(select(running.exists())))


def _exclude(connection: Connection, held: Held, kind: str) -> None:
    connection.execute(
        insert(item_exclusion)
        .values(item_id=held.item.id, reporter_id=held.claim.reporter_id, kind=kind)
        .on_conflict_do_nothing()
    )


def _who(held: Held) -> dict[str, Any]:
    return {
        "claim": held.claim.id,
        "reporter": held.claim.reporter_id,
        "session": held.claim.session_id,
        "purpose": held.reading.purpose,
    }
