"""Joins the DICOM side to the worklist: who may send, and what becomes of each object.

Each function is one transaction and returns after its commit. It must not know the protocol; `upper_layer` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, select

from dicom_listener.admission import Rejection, RejectionReason, Source
from dicom_listener.conformance import Status
from dicom_listener.services.performed_procedure_step import NO_LONGER_UPDATED, StepAnswer
from dicom_listener.services.storage import OUT_OF_RESOURCES, StoreAnswer
from worklist.db.tables.network import source
from worklist.doubts import open_doubt
from worklist.feeds.heard import Ear, FeedKind
from worklist.feeds.peer import Peer, why_not_bound
from worklist.intake.notices import StepOutcome, note_availability, note_procedure_step
from worklist.intake.objects import Arrival, Fate, Outcome, take_in
from worklist.intake.senders import Sender, sender_of
from worklist.intake.study import AvailabilityNotice, ProcedureStep, ReceivedObject
from worklist.log import audit

_STEP_ANSWERS = {
    StepOutcome.TAKEN: StepAnswer(),
    StepOutcome.DUPLICATE: StepAnswer(Status.DUPLICATE_SOP_INSTANCE, "the step is known and was said to be another"),
    StepOutcome.UNKNOWN: StepAnswer(Status.NO_SUCH_SOP_INSTANCE, "no N-CREATE of this step has come"),
    StepOutcome.FINAL: StepAnswer(Status.PROCESSING_FAILURE, "the step has ended", NO_LONGER_UPDATED),
    StepOutcome.NOT_IN_PROGRESS: StepAnswer(
        Status.INVALID_ATTRIBUTE_VALUE, "PerformedProcedureStepStatus is not IN PROGRESS"
    ),
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What the listener asks of the worklist, over one engine; used from many threads.

    `quiet_seconds` is the completeness policy of sources that state none; `called_ae_title` None answers to any.
    """

    engine: Engine
    quiet_seconds: float
    called_ae_title: str | None = None
    ear: Ear = field(default_factory=lambda: Ear(FeedKind.DICOM))

    def admit(self, calling_ae_title: str, called_ae_title: str, peer: Peer) -> Source | Rejection:
        """Admit a known AE title from the address or certificate that it is bound to; every refusal is in the audit."""
        with self.engine.begin() as connection:
            row = connection.execute(
                select(source).where(source.c.ae_title == calling_ae_title, source.c.active)
            ).one_or_none()
            if self.called_ae_title not in {None, called_ae_title}:
                why, reason = "called AE title is not ours", RejectionReason.CALLED_AE_TITLE_NOT_RECOGNIZED
            else:
                why, reason = _why_not(row, peer), RejectionReason.CALLING_AE_TITLE_NOT_RECOGNIZED
            if row is not None and not why:
                return Source(row.ae_title, row.trust_ods)
            title = calling_ae_title[:16]
            open_doubt(connection, "association-refused", source=title, detail=f"{why}; add or correct the [[source]]")
            detail = {"why": why, "called": called_ae_title[:16], "peer": peer.address, "tls": peer.protected}
            audit.append(connection, f"dicom:{title}", "association refused", detail=detail)
        log.warning("association refused", why=why, peer=peer.address)
        return Rejection(reason)

    def refuse_unprotected(self, address: str, why: str) -> None:
        """Put a TLS handshake that failed into the audit."""
        with self.engine.begin() as connection:
            audit.append(connection, "dicom", "TLS connection refused", detail={"why": why, "peer": address})

    def take(self, objects: Sequence[ReceivedObject]) -> list[StoreAnswer]:
        """Take objects in, in one transaction, and give what came of each; what was not taken stands before people."""
        with self.engine.begin() as connection:
            senders = {title: self._sender(connection, title) for title in {one.calling_ae_title for one in objects}}
            arrivals = [Arrival(senders[one.calling_ae_title], one) for one in objects]
            outcomes = take_in(connection, arrivals)
            for sender, outcome in {
                (arrival.sender, outcome)
                for arrival, outcome in zip(arrivals, outcomes, strict=True)
                if outcome.fate is Fate.FAILED
            }:
                _open_refusal(connection, sender, "Study", outcome.reason)
        for title, count in Counter(one.calling_ae_title for one in objects).items():
            self.ear.hear(title, senders[title].trust, count)
        return [_answer(outcome) for outcome in outcomes]

    def note(self, step: ProcedureStep) -> StepAnswer:
        """Keep what a message says of a performed procedure step."""
        with self.engine.begin() as connection:
            outcome = note_procedure_step(connection, self._sender(connection, step.calling_ae_title), step)
        return _STEP_ANSWERS[outcome]

    def announce(self, notice: AvailabilityNotice) -> None:
        """Keep a notice of availability."""
        with self.engine.begin() as connection:
            note_availability(connection, self._sender(connection, notice.calling_ae_title), notice)

    def _sender(self, connection: Connection, ae_title: str) -> Sender:
        sender = sender_of(connection, ae_title, quiet_seconds=self.quiet_seconds)
        if sender is None:
            raise LookupError("an object of a source that was never admitted")
        return sender

    def refuse(self, calling_ae_title: str, keyword: str, reason: str) -> None:
        """Put an object that cannot be taken into the list that people see."""
        with self.engine.begin() as connection:
            sender = sender_of(connection, calling_ae_title, quiet_seconds=self.quiet_seconds)
            _open_refusal(connection, sender or calling_ae_title, keyword, reason)


def _answer(outcome: Outcome) -> StoreAnswer:
    if outcome.fate is Fate.FAILED:
        return StoreAnswer(OUT_OF_RESOURCES, "not kept, try again")
    return StoreAnswer()


def _open_refusal(connection: Connection, sender: Sender | str, keyword: str, reason: str) -> None:
    open_doubt(
        connection,
        "object-refused",
        trust=sender.trust if isinstance(sender, Sender) else None,
        source=sender.ae_title if isinstance(sender, Sender) else sender,
        detail=f"{keyword}: {reason}",
    )


def _why_not(row: Row[Any] | None, peer: Peer) -> str:
    """Say why a source may not send from where the peer stands; empty when it may.

    A source is bound to an address, to a certificate or to both; one bound to a certificate is
    not admitted over an unprotected connection, one bound to nothing not at all.
    """
    if row is None:
        return "unknown AE title"
    if row.address is None and row.certificate_subject is None:
        return "AE title that is bound to no address and no certificate"
    reason = why_not_bound(peer, row.address, row.certificate_subject)
    return f"AE title {reason}" if reason else ""
