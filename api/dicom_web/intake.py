"""Takes the objects of a store request in: one commit for many, each with an outcome of its own.

Returns only after the commit. What cannot be taken stands in the exception list, as for C-STORE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine

from api.dicom_web.objects import Sent, Unreadable
from dicom_listener.services.storage import OUT_OF_RESOURCES
from worklist.doubts import open_doubt
from worklist.feeds.heard import FeedKind, note_heard
from worklist.intake.objects import Arrival, Fate
from worklist.intake.objects import take_in as take_arrivals
from worklist.intake.senders import Sender
from worklist.log import audit

log = structlog.get_logger(__name__)

#: An object that failed on a passing fault is tried this often by itself before the sender is asked to try again.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object: `failure` is a failure reason (PS3.18, I.2.1.2), None when it was taken."""

    sop_class_uid: str | None
    sop_instance_uid: str | None
    failure: int | None = None


def take_in(engine: Engine, sender: Sender, actor: str, sent: Sequence[Sent]) -> list[Outcome]:
    """Take objects in, and give an outcome for each, in their order.

    All stand in one transaction; when that fails, each stands in its own, so that one that cannot be kept
    costs no other.
    """
    try:
        return _take_together(engine, sender, actor, sent)
    except Exception as error:
        log.warning("objects not taken together", objects=len(sent), error=type(error).__name__)
    return [_take_alone(engine, sender, actor, one) for one in sent]


def _take_together(engine: Engine, sender: Sender, actor: str, sent: Sequence[Sent]) -> list[Outcome]:
    with engine.begin() as connection:
        outcomes = _outcomes(connection, sender, sent)
        failed = sum(one.failure is not None for one in outcomes)
        detail = {"source": sender.ae_title, "stored": len(outcomes) - failed, "failed": failed}
        note_heard(connection, FeedKind.DICOM, sender.ae_title, sender.trust, len(sent))
        audit.append(connection, actor, "objects stored", detail=detail)
    return outcomes


def _take_alone(engine: Engine, sender: Sender, actor: str, one: Sent) -> Outcome:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _take_together(engine, sender, actor, [one])[0]
        except Exception as error:
            log.warning("object not taken", attempt=attempt, error=type(error).__name__)
    return Outcome(one.sop_class_uid, one.sop_instance_uid, OUT_OF_RESOURCES)


def _outcomes(connection: Connection, sender: Sender, sent: Sequence[Sent]) -> list[Outcome]:
    fates = iter(take_arrivals(connection, [Arrival(sender, one) for one in sent if not isinstance(one, Unreadable)]))
    outcomes = []
    for one in sent:
        if isinstance(one, Unreadable):
            outcomes.append(_refuse(connection, sender, one))
            continue
        failure = OUT_OF_RESOURCES if next(fates).fate is Fate.FAILED else None
        outcomes.append(Outcome(one.sop_class_uid, one.sop_instance_uid, failure))
    return outcomes


def _refuse(connection: Connection, sender: Sender, one: Unreadable) -> Outcome:
    open_doubt(
        connection,
        "object-refused",
        trust=sender.trust,
        source=sender.ae_title,
        detail=f"{one.keyword}: {one.reason}",
    )
    return Outcome(one.sop_class_uid, one.sop_instance_uid, one.status)
