"""Keeps messages that name another patient than their accession's, and takes them again when the two may be one.

A merge may come after what is said under the identifier that survives it: without this a final report that came
before its merge would end nothing, and the work would be done twice. It must not know what a message means.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.kept import kept_message
from worklist.doubts import close_doubts
from worklist.intake.order import Outcome
from worklist.intake.patients import can_be_patient_of

#: Of each kind of message: its type, and the use case that takes it.
Takers = Mapping[str, tuple[type[Any], Callable[[Connection, Any], Outcome]]]

#: The exception under which kept reports stand before people.
OF_ANOTHER_PATIENT = "home-report-of-another-patient"

log = structlog.get_logger(__name__)


def keep(connection: Connection, row: Row[Any], kind: str, fact: Any) -> None:
    """Keep what a message says of a locked item, once; the transaction sees the trust's identities (`view_as`)."""
    said = _adapter(type(fact)).dump_python(fact, mode="json")
    for part in (said, said["patient"]):
        if "cleared" in part:  # a set, which each process gives in an order of its own
            part["cleared"] = sorted(part["cleared"])
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()[:16]
    connection.execute(
        insert(kept_message)
        .values(item_id=row.id, trust_ods=row.trust_ods, kind=kind, digest=uuid.UUID(bytes=digest), fact=said)
        .on_conflict_do_nothing()
    )


def note_due(connection: Connection, item_ids: Collection[int]) -> None:
    """Have what was kept of items taken again soon: whom they are of changed."""
    if item_ids:
        waiting = kept_message.c.item_id.in_(item_ids) & kept_message.c.taken_at.is_(None)
        connection.execute(update(kept_message).where(waiting, ~kept_message.c.due).values(due=True))


def take_due(engine: Engine, trusts: Collection[str], takers: Takers, *, limit: int = 100) -> int:
    """Take kept messages of trusts that are due again, each in its own transaction; gives how many were taken in."""
    taken = 0
    for trust in sorted(trusts):
        for number in _due(engine, trust, limit):
            try:
                with engine.begin() as connection:
                    taken += _take(connection, trust, number, takers)
            except (OperationalError, InterfaceError):
                raise  # the database's fault, not the message's
            except IntegrityError as error:  # somebody wrote the same just now: it stays due
                log.warning("kept message not taken yet", kept=number, error=type(error).__name__)
            except Exception as error:
                log.error("kept message not taken", kept=number, error=type(error).__name__)
                with engine.begin() as connection:
                    view_as(connection, Viewer(trust=trust))
                    _note(connection, number, due=False)
    return taken


def _due(engine: Engine, trust: str, limit: int) -> list[int]:
    with engine.begin() as connection:
        view_as(connection, Viewer(trust=trust))
        waiting = select(kept_message.c.id).where(kept_message.c.due, kept_message.c.trust_ods == trust)
        return list(connection.scalars(waiting.order_by(kept_message.c.id).limit(limit)))


def _take(connection: Connection, trust: str, number: int, takers: Takers) -> bool:
    view_as(connection, Viewer(trust=trust))
    row = connection.execute(select(kept_message).where(kept_message.c.id == number)).one()
    kind, act = takers[row.kind]
    fact = _adapter(kind).validate_python(row.fact)
    outcome = act(connection, fact)
    view_as(connection, Viewer(trust=trust))
    # one that ends nothing because our own report stands has been heard all the same
    is_taken = outcome is not Outcome.KEPT_OUT or can_be_patient_of(connection, row.item_id, fact.patient)
    _note(connection, number, due=False, **({"taken_at": func.radpool_now()} if is_taken else {}))
    others = select(kept_message.c.id).where(kept_message.c.item_id == row.item_id, kept_message.c.taken_at.is_(None))
    if is_taken and connection.scalar(others.limit(1)) is None:
        close_doubts(connection, row.item_id, OF_ANOTHER_PATIENT, by="intake", outcome="of one patient")
    return is_taken


def _note(connection: Connection, number: int, **values: Any) -> None:
    connection.execute(update(kept_message).where(kept_message.c.id == number).values(values))


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
