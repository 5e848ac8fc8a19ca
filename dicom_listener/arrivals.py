"""Joins the DICOM side to the worklist: who may send, and what becomes of each object.

Success is answered only after the commit. It must not know the protocol; `association` does.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from threading import Lock

import structlog
from sqlalchemy import Engine, select

from dicom_listener.admission import Rejection, RejectionReason, Source
from dicom_listener.services.storage import CANNOT_UNDERSTAND, StoreAnswer
from worklist import audit
from worklist.db.tables.network import source
from worklist.doubts import open_doubt
from worklist.intake.objects import Arrival, Fate, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import ReceivedObject

log = structlog.get_logger(__name__)

#: A C-STORE that failed on a passing fault is tried this often before the peer is asked to try again.
_ATTEMPTS = 3


@dataclass(slots=True)
class Arrivals:
    """What the listener asks of the worklist, over one engine; used from many threads.

    `quiet_seconds` is the completeness policy of sources that state none.
    """

    engine: Engine
    quiet_seconds: float
    _senders: dict[str, Sender] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def admit(self, calling_ae_title: str, called_ae_title: str, peer_address: str) -> Source | Rejection:
        """Admit a known AE title from the address that it is bound to; every refusal is in the audit."""
        with self.engine.begin() as connection:
            row = connection.execute(
                select(source).where(source.c.ae_title == calling_ae_title, source.c.active)
            ).one_or_none()
            if row is not None and _same_address(row.address, peer_address):
                sender = Sender(
                    row.ae_title,
                    row.trust_ods,
                    self.quiet_seconds if row.quiet_seconds is None else float(row.quiet_seconds),
                )
                with self._lock:
                    self._senders[row.ae_title] = sender
                return Source(row.ae_title, row.trust_ods)
            why = "unknown AE title" if row is None else "AE title from an address it is not bound to"
            title = calling_ae_title[:16]
            open_doubt(connection, "association-refused", source=title, detail=f"{why}; add or correct the [[source]]")
            audit.append(
                connection,
                f"dicom:{title}",
                "association refused",
                detail={"why": why, "called": called_ae_title[:16], "peer": peer_address},
            )
        log.warning("association refused", why=why, peer=peer_address)
        return Rejection(RejectionReason.CALLING_AE_TITLE_NOT_RECOGNIZED)

    def receive(self, received: ReceivedObject) -> StoreAnswer:
        """Take one object in; returns after the commit. A passing fault is tried again before it is told."""
        sender = self._senders[received.calling_ae_title]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.engine.begin() as connection:
                    [outcome] = take_in(connection, [Arrival(sender, received)])
                break
            except Exception as error:
                log.warning("object not taken", attempt=attempt, error=type(error).__name__)
                if attempt == _ATTEMPTS:
                    raise
        if outcome.fate is Fate.REFUSED:
            self.refuse(received.calling_ae_title, outcome.keyword, outcome.reason)
            return StoreAnswer(CANNOT_UNDERSTAND, f"{outcome.keyword}: {outcome.reason}"[:64])
        if outcome.fate is Fate.FAILED:
            raise RuntimeError(f"the study could not be taken ({outcome.reason})")
        return StoreAnswer()

    def refuse(self, calling_ae_title: str, keyword: str, reason: str) -> None:
        """Put an object that cannot be taken into the list that people see."""
        sender = self._senders.get(calling_ae_title)
        with self.engine.begin() as connection:
            open_doubt(
                connection,
                "object-refused",
                trust=sender.trust if sender else None,
                source=calling_ae_title,
                detail=f"{keyword}: {reason}",
            )


def _same_address(bound: str | None, peer_address: str) -> bool:
    """Whether a peer's address is the one, or in the network, that the AE title is bound to.

    A source bound to a certificate alone is not admitted over an unprotected connection.
    """
    if bound is None:
        return False
    try:
        return ipaddress.ip_address(peer_address) in ipaddress.ip_network(bound, strict=False)
    except ValueError:
        return bound == peer_address
