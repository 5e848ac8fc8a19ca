"""A trust's own words for exams: opens and closes them, with who, when and why, and has waiting work mapped again.

A word is never edited: a change closes one row and opens another, and the database holds that. It must not decide
who may map; the edge does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.catalogue import exam_alias
from worklist.db.tables.network import trust
from worklist.db.tables.work import worklist_exception
from worklist.exams.catalogue import rules_in_force
from worklist.exams.codes import ALWAYS, AliasKind, is_snomed, normal
from worklist.intake.remapping import WAITING, ask_to_work_out, work_out_again
from worklist.intake.working_out import CUT_LOCK
from worklist.life.settle import UnknownExam
from worklist.local_time import LONDON
from worklist.log import audit, events

#: Why a word was opened that a configuration states.
_DOCUMENT = "configuration"
#: So many waiting items are worked out in the act itself; the rest follows in transactions of their own.
AT_ONCE = 50


class ExamNotInForce(ValueError):
    """An exam that no examination of the mapping's first day or later could be mapped to."""

    def __init__(self, code: str, valid_to: date) -> None:
        super().__init__(f"exam {code!r} is in the catalogue to {valid_to} only; map to the one that took its place")


class UnknownTrust(LookupError):
    """No trust of that ODS code."""

    def __init__(self) -> None:
        super().__init__("no such trust of yours")


class UnknownException(LookupError):
    """No exception of that number about an unmapped exam of the trust."""

    def __init__(self, exception_id: int) -> None:
        super().__init__(f"no exception {exception_id} about an unmapped exam of this trust")


@dataclass(frozen=True, slots=True)
class Word:
    """What a trust calls an exam; `trust` None: what all do. `value` is in `normal` form."""

    trust: str | None
    kind: AliasKind
    value: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """What mapping did: the row that stands, the one it closed, and what became of the items that wait.

    `still_to_work_out` are noted, and worked out in transactions of their own.
    """

    mapping_id: int
    closed_mapping_id: int | None
    valid_from: date
    worked_out: int
    still_to_work_out: int


@dataclass(frozen=True, slots=True)
class MappingView:
    """One row of a trust's words, standing or closed; `opened_at` and `closed_at` are aware UTC."""

    id: int
    trust: str | None
    kind: str
    value: str
    exam_code: str
    valid_from: date
    valid_to: date | None
    opened_at: datetime
    opened_by: str
    reason: str
    exception_id: int | None
    closed_at: datetime | None
    closed_by: str | None


def word_as_sent(trust: str, code: str | None, scheme: str | None, description: str | None) -> Word:
    """Give the word that an exam as sent is known by: its code where it has one, else its whole description.

    Raises
    ------
    ValueError
        If neither was sent.
    """
    if code and normal(code):
        return Word(trust, AliasKind.SNOMED_CODE if is_snomed(scheme) else AliasKind.CODE, normal(code))
    if description and normal(description):
        return Word(trust, AliasKind.DESCRIPTION, normal(description))
    raise ValueError("an exam is mapped by its code or its description as sent; give one")


def map_from_now_on(
    connection: Connection,
    actor: str,
    word: Word,
    exam_code: str,
    reason: str,
    *,
    valid_from: date | None = None,
    exception_id: int | None = None,
) -> Mapped:
    """Map a trust's word to an exam from an exam date on, and have the items that wait with it mapped again.

    Without a date it holds from the oldest waiting examination that was called so, else from today. In the same
    transaction every such item is noted and the first `AT_ONCE` are worked out, those due soonest first; the others
    leave the list one by one (`worklist.intake.remapping`), so that none is forgotten whatever ends in between.

    Raises
    ------
    UnknownTrust, UnknownExam, ExamNotInForce, UnknownException
        If there is no such trust, its catalogue has no such exam, or has it no longer, or the exception is none of
        this kind.
    """
    assert word.trust is not None
    # Nothing is worked out meanwhile by what was known before: it would wait unmapped, and be noted by nobody.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
    view_as(connection, Viewer(trust=word.trust))
    if connection.scalar(select(trust.c.ods_code).where(trust.c.ods_code == word.trust)) is None:
        raise UnknownTrust
    exam = rules_in_force(connection).catalogue(word.trust).exams.get(exam_code)
    if exam is None:
        raise UnknownExam(exam_code)
    if exception_id is not None:
        _require_exception(connection, word.trust, exception_id)
    waiting = _waiting(connection, word)
    today = now(connection).astimezone(LONDON).date()
    first_day = valid_from or min([today, *(row.exam_date for row in waiting if row.exam_date)])
    if exam.valid_to is not None and exam.valid_to < first_day:
        raise ExamNotInForce(exam_code, exam.valid_to)
    mapping_id, closed = _put(connection, word, exam_code, first_day, actor, reason, exception_id)
    items = [row.item_id for row in waiting]
    ask_to_work_out(connection, items, "mapping")
    done = items[:AT_ONCE]
    for item_id in sorted(done):
        work_out_again(connection, item_id)
    told = {"mapping": mapping_id, "closed": closed, "exam": exam_code, "waiting": len(items)}
    events.append(connection, "exam.mapped", trust=word.trust, dimensions=told)
    audit.append(connection, actor, "exam mapped", items=sorted(done), detail={"trust": word.trust, **told})
    return Mapped(mapping_id, closed, first_day, len(done), len(items) - len(done))


def state_word(
    connection: Connection, word: Word, exam_code: str, *, by: str, valid_from: date | None = None
) -> int | None:
    """Open a word that a configuration states; give its row, None where nothing was done.

    What a person changed since stays, for a document that is imported again says nothing new. A word that stands with
    another exam is closed; without a date of its own the new one holds from today then.
    """
    view_as(connection, Viewer(trust=word.trust))
    rows = connection.execute(select(exam_alias).where(*_is(word)).order_by(exam_alias.c.id)).all()
    standing = next((row for row in rows if row.closed_at is None), None)
    by_person = standing is not None and standing.reason != _DOCUMENT
    said_before = rows if by_person else [standing] if standing is not None else []
    if any(row.exam_code == exam_code and valid_from in (None, row.valid_from) for row in said_before):
        return None
    today = now(connection).astimezone(LONDON).date()
    first_day = valid_from or (today if rows else ALWAYS)
    return _put(connection, word, exam_code, first_day, by, _DOCUMENT, None)[0]


def words_by_people(connection: Connection) -> list[MappingView]:
    """Give the words of every trust that stand by a person's act and by no document, in the order of their making.

    A word may name people: whoever asks answers for where it goes.
    """
    rows = connection.execute(
        text("SELECT * FROM exam_aliases() WHERE closed_at IS NULL AND reason <> :document ORDER BY id"),
        {"document": _DOCUMENT},
    )
    return [_mapping_view(row) for row in rows]


def list_mappings(connection: Connection, of_trust: str | None, *, limit: int) -> list[MappingView]:
    """Give a trust's words and those of all, the newest first, as far as the viewer may see them."""
    rows = connection.execute(
        select(exam_alias)
        .where((exam_alias.c.trust_ods == of_trust) | exam_alias.c.trust_ods.is_(None))
        .order_by(exam_alias.c.id.desc())
        .limit(limit)
    )
    return [_mapping_view(row) for row in rows]


def _mapping_view(row: Row[Any]) -> MappingView:
    return MappingView(
        row.id,
        row.trust_ods,
        row.kind,
        row.value,
        row.exam_code,
        row.valid_from,
        row.valid_to,
        row.opened_at,
        row.opened_by,
        row.reason,
        row.exception_id,
        row.closed_at,
        row.closed_by,
    )


def _put(
    connection: Connection,
    word: Word,
    exam_code: str,
    first_day: date,
    by: str,
    reason: str,
    exception_id: int | None,
) -> tuple[int, int | None]:
    """Open a row, closing the one that stands to the day before; give both ids. One that says it already stays."""
    standing = connection.execute(select(exam_alias).where(*_is(word), exam_alias.c.closed_at.is_(None))).one_or_none()
    if standing is not None:
        if standing.exam_code == exam_code and standing.valid_from <= first_day:
            return standing.id, None
        connection.execute(
            update(exam_alias)
            .where(exam_alias.c.id == standing.id)
            .values(
                valid_to=max(first_day, date.min + timedelta(days=1)) - timedelta(days=1),
                closed_at=func.radpool_now(),
                closed_by=by,
            )
        )
    made = connection.execute(
        insert(exam_alias)
        .values(
            trust_ods=word.trust,
            kind=word.kind.value,
            value=word.value,
            exam_code=exam_code,
            valid_from=first_day,
            opened_by=by,
            reason=reason,
            exception_id=exception_id,
        )
        .returning(exam_alias.c.id)
    ).scalar_one()
    return int(made), None if standing is None else standing.id


def _is(word: Word) -> tuple[Any, ...]:
    return (
        exam_alias.c.trust_ods.is_not_distinct_from(word.trust),
        exam_alias.c.kind == word.kind.value,
        exam_alias.c.value == word.value,
    )


def _require_exception(connection: Connection, of_trust: str, exception_id: int) -> None:
    found = select(worklist_exception.c.id).where(
        worklist_exception.c.id == exception_id,
        worklist_exception.c.kind == "unmapped-exam",
        worklist_exception.c.trust_ods == of_trust,
    )
    if connection.scalar(found) is None:
        raise UnknownException(exception_id)


def _waiting(connection: Connection, word: Word) -> Sequence[Row[Any]]:
    """Give the items that wait with an exam called so, mapped or not, the most urgent first."""
    rows = connection.execute(_WAITING, {"trust": word.trust, "waiting": list(WAITING), "value": word.value})
    found = {row.item_id: row for row in rows if _called(row) == (word.kind, word.value)}
    return list(found.values())


def _called(row: Row[Any]) -> tuple[AliasKind, str] | None:
    try:
        word = word_as_sent("", row.code, row.scheme, row.description)
    except ValueError:
        return None
    return word.kind, word.value


#: The database's upper case may differ from ours in rare letters: what is unmapped is looked at in any case.
_WAITING = text(
    "SELECT i.id AS item_id, i.exam_date, s.code, s.scheme, s.description FROM item i"
    " JOIN item_exam x ON x.item_id = i.id"
    " JOIN exam_as_sent s ON s.item_id = x.item_id AND s.position = x.position"
    " WHERE i.trust_ods = :trust AND i.state = ANY (:waiting) AND x.mapped_by <> 'person' AND (x.exam_code IS NULL"
    r" OR upper(btrim(regexp_replace(coalesce(nullif(s.code, ''), s.description), '\s+', ' ', 'g'))) = :value)"
    " ORDER BY i.due_at NULLS LAST, i.id"
)
