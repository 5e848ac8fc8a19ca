"""Works waiting items out again after their mapping, the catalogue or what came before of their patient changed.

It does so in batches that survive a crash. Which items are to be worked out stands in `item_to_work_out` from the act
that changed it on, and each leaves it in the transaction that works it out: what ends in between goes on where it was.
Everyone takes the profile cut, then items, then the rows of that table. It must not decide what an exam is mapped to.
"""

from __future__ import annotations

from collections.abc import Collection

import structlog
from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.catalogue import item_to_work_out
from worklist.db.tables.work import item_exam
from worklist.intake.item_writing import write_facts
from worklist.intake.working_out import hold_cut, offer_first_reading
from worklist.item import UNREPORTED, ItemState
from worklist.life.moves import append_item_event, lock_item
from worklist.log import audit
from worklist.relevant_priors import PRIOR

#: Items that stand with exams and are not reported; what still arrives is mapped when it has arrived.
WAITING = tuple(state.value for state in UNREPORTED - {ItemState.ORDERED, ItemState.ARRIVING})

#: An item that could not be worked out is tried again after this long; those behind it are not kept waiting.
_RETRY_SECONDS = 60

log = structlog.get_logger(__name__)


def ask_to_work_out(connection: Connection, items: Collection[int], why: str) -> None:
    """Note that items are to be worked out again; those that are noted already stay so."""
    if items:
        connection.execute(
            insert(item_to_work_out).on_conflict_do_nothing(),
            [{"item_id": one, "why": why} for one in sorted(items)],
        )


def ask_to_work_out_unmapped(connection: Connection, why: str) -> int:
    """Note every waiting item with an unmapped exam, or one whose row in the catalogue changed; give how many."""
    return connection.execute(_ASK_UNMAPPED, {"why": why, "waiting": list(WAITING)}).rowcount


def work_out_noted(engine: Engine, *, limit: int = 200) -> int:
    """Work noted items out again, each in its own transaction, and give how many were."""
    done = 0
    for _ in range(limit):
        if not _work_out_next(engine):
            break
        done += 1
    return done


def work_out_again(connection: Connection, item_id: int) -> bool:
    """Work one noted item out again and take it off the list; give whether its exams changed.

    The transaction holds the profile cut (`hold_cut`); it sees the identities of the item's trust afterwards, and is
    to be audited by the caller, once all its items are locked.
    """
    row = lock_item(connection, item_id)
    connection.execute(delete(item_to_work_out).where(item_to_work_out.c.item_id == item_id))
    if row.state not in WAITING:
        return False
    view_as(connection, Viewer(trust=row.trust_ods))
    before = _exams(connection, item_id)
    row = write_facts(connection, row)
    after = _exams(connection, item_id)
    offer_first_reading(connection, row)
    if after == before:
        return False
    dimensions = {"exams": [code for code, _ in after], "mappings": [alias for _, alias in after if alias]}
    append_item_event(connection, row, "item.remapped", dimensions=dimensions)
    return True


def _work_out_next(engine: Engine) -> bool:
    """Work the next noted item out; False when none is due. One that cannot be is put off, so that it stops nobody."""
    item_id = None
    try:
        with engine.begin() as connection:
            hold_cut(connection)
            found = connection.execute(_NEXT).one_or_none()
            if found is None:
                return False
            item_id = found.item_id
            changed = work_out_again(connection, item_id)
            action = "valued again" if found.why == PRIOR else "exams mapped again"
            audit.append(connection, "mapping", action, items=[item_id], detail={"changed": changed})
            return True
    except (OperationalError, InterfaceError):
        raise  # the database's fault, not the item's
    except Exception as error:
        if item_id is None:
            raise
        log.error("item not mapped again", item=item_id, error=type(error).__name__)
        with engine.begin() as connection:
            later = func.radpool_now() + func.make_interval(0, 0, 0, 0, 0, 0, _RETRY_SECONDS)
            connection.execute(
                update(item_to_work_out).where(item_to_work_out.c.item_id == item_id).values(not_before=later)
            )
        return True


def _exams(connection: Connection, item_id: int) -> list[tuple[str | None, int | None]]:
    rows = connection.execute(
        select(item_exam.c.exam_code, item_exam.c.alias_id)
        .where(item_exam.c.item_id == item_id)
        .order_by(item_exam.c.position)
    )
    return [(row.exam_code, row.alias_id) for row in rows]


#: Who has an item locked may be noting another: nobody waits for either here.
_NEXT = text(
    "SELECT w.item_id, w.why FROM item_to_work_out w JOIN item i ON i.id = w.item_id"
    " WHERE w.not_before <= radpool_now() ORDER BY w.not_before, w.item_id LIMIT 1"
    " FOR NO KEY UPDATE OF i SKIP LOCKED FOR UPDATE OF w SKIP LOCKED"
)
_ASK_UNMAPPED = text(
    "INSERT INTO item_to_work_out (item_id, why)"
    " SELECT DISTINCT i.id, :why FROM item i JOIN item_exam x ON x.item_id = i.id"
    " LEFT JOIN exam e ON e.code = x.exam_code WHERE i.state = ANY (:waiting) AND x.mapped_by <> 'person'"
    " AND (x.exam_code IS NULL OR x.exam_version IS DISTINCT FROM e.version"  # null: mapped before rows had versions
    " OR x.alias_id IN (SELECT id FROM exam_aliases() WHERE closed_at IS NOT NULL)) ON CONFLICT DO NOTHING"
)
