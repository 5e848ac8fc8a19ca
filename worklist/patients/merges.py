"""Takes merges of patients, changes of identifiers and their ends; one transaction each, which the caller commits.

A merge is a fact with history: what was said stays, and whose items are whose follows from all of it, so that the
same message twice, and messages in another order, leave the same state. Orders and studies go on naming whom they
name, so that an end gives everything back. It must not parse messages, nor compare people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.merges import patient_merge
from worklist.db.tables.work import patient
from worklist.doubts import close_doubt, open_doubt
from worklist.intake.orders import Message, made_at_of
from worklist.intake.orders import Outcome as MessageOutcome
from worklist.intake.patients import Recorded, record_patient
from worklist.intake.study import PatientAsSent
from worklist.life.moves import append_item_event
from worklist.log import audit, events
from worklist.patients.items import hand_over, items_of, lock_items, settle_shown, settle_whose, work_out_again
from worklist.patients.merging import Identity, Kind, Outcome, Said, weigh
from worklist.patients.records import DIFFER, difference, find_records, settle_records
from worklist.patients.stating import COMPARED


class CyclicMerge(ValueError):
    """A merge that would make a patient survive itself, with all that is known."""

    def __init__(self) -> None:
        super().__init__("the surviving patient was merged into the retired one; that merge must be ended first")


class UnknownMerge(LookupError):
    """No such merge, or none that the viewer may know of."""

    def __init__(self, merge_id: int) -> None:
        super().__init__(f"no merge {merge_id}")


class NotStanding(RuntimeError):
    """The merge was ended already, or another one took its place."""

    def __init__(self, merge_id: int) -> None:
        super().__init__(f"merge {merge_id} does not stand any more")


@dataclass(frozen=True, slots=True)
class Merge:
    """That patients are one from now on (`kind` MERGE or CHANGE): who survives, and which identifiers are retired.

    `retired` has issuer and identifier; `faults` names fields that could not be read, and why, never the value.
    """

    message: Message
    kind: Kind
    surviving: PatientAsSent
    retired: tuple[Identity, ...]
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unlink:
    """That the patients of two identifiers (issuer, identifier) are two."""

    message: Message
    one: Identity
    other: Identity


@dataclass(frozen=True, slots=True)
class _Speaker:
    trust: str
    name: str
    message_id: str | None = None
    note: str | None = None


def receive_merges(connection: Connection, merges: Sequence[Merge]) -> MessageOutcome:
    """Take the merges of one message: each retired patient's items and studies are the surviving one's from now on.

    Either may be unknown here: what comes later under the retired identifier is the surviving patient's too. Records
    that contradict each other are merged, and are an exception.

    Raises
    ------
    CyclicMerge
        If a patient would survive itself; nothing of the message is taken then.
    """
    changed = [_receive(connection, one) for one in merges]
    if MessageOutcome.APPLIED in changed:
        return MessageOutcome.APPLIED
    return next(iter(changed), MessageOutcome.STALE)


def receive_unlink(connection: Connection, unlink: Unlink) -> MessageOutcome:
    """Take that two patients are two: a merge of one into the other said before then ends, known yet or not."""
    message = unlink.message
    view_as(connection, Viewer(trust=message.trust))
    one, other = sorted((unlink.one, unlink.other))
    said = Said(Kind.UNLINK, one, other, made_at_of(message, now(connection)))
    speaker = _Speaker(message.trust, f"ris:{message.facility}", message.control_id)
    return _say(connection, speaker, [said], None)


def unmerge(connection: Connection, actor: str, merge_id: int, note: str | None = None) -> None:
    """End a standing merge because a person says so: what each named goes back to whom it named.

    The transaction sees the trust's identities already (`view_as`). `note` stands in a table under row-level
    security alone.

    Raises
    ------
    UnknownMerge, NotStanding
        If there is no such merge to be seen, or it does not stand any more.
    """
    of = connection.execute(
        select(patient_merge).where(patient_merge.c.id == merge_id, patient_merge.c.kind != Kind.UNLINK.value)
    ).one_or_none()
    if of is None:
        raise UnknownMerge(merge_id)
    names = _names(connection, {of.retired_id, of.surviving_id})
    at = max(now(connection), of.message_at)
    said = Said(Kind.UNLINK, names[of.retired_id], names[of.surviving_id], at)
    known = _lock_all_said(connection, {of.retired_id, of.surviving_id})
    if not any(row.id == merge_id and row.standing for row in known):
        raise NotStanding(merge_id)
    _say(connection, _Speaker(of.trust_ods, actor, None, note or None), [said], None)


def _receive(connection: Connection, merge: Merge) -> MessageOutcome:
    message, trust = merge.message, merge.message.trust
    view_as(connection, Viewer(trust=trust))
    at = made_at_of(message, now(connection))
    surviving = (merge.surviving.issuer or "", merge.surviving.identifier or "")
    said = [Said(merge.kind, retired, surviving, at) for retired in merge.retired]
    _lock_all_said(connection, find_records(connection, trust, {surviving, *merge.retired}).values())
    recorded = record_patient(connection, trust, merge.surviving, at, message.control_id)
    speaker = _Speaker(trust, f"ris:{message.facility}", message.control_id)
    outcome = _say(connection, speaker, said, recorded)
    if outcome is not MessageOutcome.REPEATED:
        for place, reason in merge.faults:
            detail = f"{place}: {reason}"
            open_doubt(connection, "unreadable-attribute", trust=trust, source=message.facility, detail=detail)
    return outcome


def _say(connection: Connection, speaker: _Speaker, said: Sequence[Said], recorded: Recorded | None) -> MessageOutcome:
    """Add to what was said, and let everything follow from all of it."""
    identities = {identity for one in said for identity in (one.retired, one.surviving)}
    ids = find_records(connection, speaker.trust, identities)
    rows = _lock_all_said(connection, ids.values())
    names = _names(connection, {one for row in rows for one in (row.retired_id, row.surviving_id)} | set(ids.values()))
    known = {_said(row, names): row for row in rows}
    new = [one for one in said if one not in known]
    weighed = weigh([*known, *new])
    if weighed.cyclic:
        raise CyclicMerge
    settled = recorded.settled if recorded else None
    if not new and settled is None:
        return MessageOutcome.REPEATED
    for one in new:
        known[one] = _append(connection, speaker, one, {name: number for number, name in names.items()})
    restood = _write_standing(connection, known, weighed, speaker)
    survivors = {number: _number(names, weighed.survivor_of(name)) for number, name in names.items()}
    moved_records = _write_survivors(connection, survivors)
    follows = {*moved_records, *restood, *(settled.persons if settled else ())}
    touched, moved = _follow(connection, follows, survivors)
    _tell(connection, speaker, [known[one] for one in new], moved, len(touched))
    audit.append(
        connection,
        speaker.name,
        f"patient {said[0].kind.value}" if speaker.message_id else "patient unmerge",
        items=touched,
        detail={"said": [known[one].id for one in new], "moved": len(moved)},
    )
    return MessageOutcome.APPLIED if moved_records or settled else MessageOutcome.STALE


def _follow(
    connection: Connection, patient_ids: Collection[int], survivors: Mapping[int, int]
) -> tuple[list[int], list[Row[Any]]]:
    """Bring records and items in step with who is whom; gives the items that are concerned and those that moved."""
    if not patient_ids:
        return [], []
    rows = lock_items(connection, items_of(connection, patient_ids))
    moved = hand_over(connection, rows, survivors)
    settle_records(connection, patient_ids)
    now_so = {row.id: row for row in (*rows, *moved)}
    work_out_again(connection, list(now_so.values()))
    settle_whose(connection, rows)
    settle_shown(connection, patient_ids)
    return sorted(now_so), moved


def _lock_all_said(connection: Connection, patient_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Lock all patients of whom anything was said that hangs together with these, and give what was said."""
    locked: set[int] = set()
    while True:
        reached = set(connection.scalars(_REACHED, {"ids": sorted(patient_ids)}))
        if reached <= locked:
            break
        connection.execute(
            select(patient.c.id).where(patient.c.id.in_(reached)).order_by(patient.c.id).with_for_update(key_share=True)
        )
        locked |= reached
    return connection.execute(
        select(patient_merge).where(patient_merge.c.retired_id.in_(reached)).order_by(patient_merge.c.id)
    ).all()


def _names(connection: Connection, ids: Collection[int]) -> dict[int, Identity]:
    rows = connection.execute(select(patient.c.id, patient.c.issuer, patient.c.identifier).where(patient.c.id.in_(ids)))
    return {row.id: (row.issuer, row.identifier) for row in rows}


def _number(names: Mapping[int, Identity], wanted: Identity) -> int:
    return next(number for number, name in names.items() if name == wanted)


def _said(row: Row[Any], names: Mapping[int, Identity]) -> Said:
    return Said(Kind(row.kind), names[row.retired_id], names[row.surviving_id], row.message_at)


def _append(connection: Connection, speaker: _Speaker, said: Said, ids: Mapping[Identity, int]) -> Row[Any]:
    return connection.execute(
        insert(patient_merge)
        .values(
            trust_ods=speaker.trust,
            kind=said.kind.value,
            retired_id=ids[said.retired],
            surviving_id=ids[said.surviving],
            message_at=said.at,
            stated_by=speaker.name,
            message_id=speaker.message_id,
            note=speaker.note,
        )
        .returning(patient_merge)
    ).one()


def _write_standing(
    connection: Connection, known: Mapping[Said, Row[Any]], weighed: Outcome, speaker: _Speaker
) -> set[int]:
    """Write what stands and what ended, and give the patients whom something retires now, or since another time.

    First is written what stands no more, since of one patient one merge stands.
    """
    standing = set(weighed.standing.values())
    restood = {row.retired_id for said, row in known.items() if row.standing != (said in standing)}
    for said, row in sorted(known.items(), key=lambda one: (one[0] in standing, one[1].id)):
        ending = weighed.ended.get(said)
        values = {
            "standing": said in standing,
            "unmerged_at": ending.at if ending else None,
            "unmerged_by": known[ending].stated_by if ending else None,
        }
        if any(getattr(row, column) != value for column, value in values.items()):
            connection.execute(update(patient_merge).where(patient_merge.c.id == row.id).values(values))
        if row.standing and said not in standing:
            for column in COMPARED:
                close_doubt(
                    connection,
                    DIFFER,
                    detail=difference(row.id, column),
                    by=speaker.name,
                    outcome="the merge was ended",
                )
    return restood


def _write_survivors(connection: Connection, survivors: Mapping[int, int]) -> list[int]:
    """Write who survives as whom and give the records of which that changed, with those that they come to or leave."""
    changed: list[int] = []
    for number, survivor in sorted(survivors.items()):
        into = None if survivor == number else survivor
        before = connection.scalar(select(patient.c.merged_into).where(patient.c.id == number))
        if before != into:
            connection.execute(
                update(patient).where(patient.c.id == number).values(merged_into=into, updated_at=func.radpool_now())
            )
            changed += [number, *(one for one in (before, into) if one is not None)]
    return sorted(set(changed))


def _tell(
    connection: Connection, speaker: _Speaker, new: Sequence[Row[Any]], moved: Sequence[Row[Any]], items: int
) -> None:
    """Append the events: what was said by its number, and each item that has another patient now."""
    for row in new:
        kind = "patient.unmerged" if row.kind == Kind.UNLINK.value else "patient.merged"
        events.append(connection, kind, trust=speaker.trust, dimensions={"merge": row.id, "items": items})
    for row in moved:
        kind = "item.patient-merged" if row.merged_from_id is not None else "item.patient-unmerged"
        append_item_event(connection, row, kind)


_REACHED = text(
    "WITH RECURSIVE one (id) AS (SELECT unnest(CAST(:ids AS bigint[])) UNION"
    " SELECT CASE WHEN m.retired_id = one.id THEN m.surviving_id ELSE m.retired_id END"
    " FROM one JOIN patient_merge m ON one.id IN (m.retired_id, m.surviving_id)) SELECT id FROM one"
)
