"""Who sends: a source of the configuration, the trust it is bound to, its completeness policy.

It must not judge whether a sender may associate; the PACS side does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from worklist.db.tables.network import source
from worklist.intake.completeness import LONGEST_WAIT, ClaimWhileArriving, Completeness, Signal
from worklist.turnaround.targets import Setting, Urgency


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an object: its AE title, the trust it is bound to, its quiet period in seconds."""

    ae_title: str
    trust: str
    quiet_seconds: float


def sender_of(connection: Connection, ae_title: str, *, quiet_seconds: float) -> Sender | None:
    """Give the sender with an AE title, whether or not it is still active; None where it was never known.

    `quiet_seconds` is the quiet period of sources that state none.
    """
    row = connection.execute(
        select(source.c.trust_ods, source.c.quiet_seconds).where(source.c.ae_title == ae_title)
    ).one_or_none()
    if row is None:
        return None
    return Sender(ae_title, row.trust_ods, quiet_seconds if row.quiet_seconds is None else float(row.quiet_seconds))


def completeness_of(stated: dict[str, Any] | None) -> Completeness:
    """Read a source's completeness policy from what its row states."""
    stated = stated or {}
    wait = stated.get("longest_wait_seconds")
    return Completeness(
        tuple(Signal(word) for word in stated.get("signals", ())),
        LONGEST_WAIT if wait is None else timedelta(seconds=wait),
    )


def claim_while_arriving_of(stated: dict[str, Any] | None) -> ClaimWhileArriving:
    """Read which work of a source may be claimed while it arrives from what its row states."""
    if stated is None:
        return ClaimWhileArriving()
    return ClaimWhileArriving(
        frozenset(Setting(word) for word in stated.get("settings", ())),
        frozenset(Urgency(word) for word in stated.get("urgencies", ())),
    )
