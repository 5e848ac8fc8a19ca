"""Who sends: a source of the configuration, the trust it is bound to, its completeness policy.

It must not judge whether a sender may associate; the PACS side does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from worklist.db.tables.network import source


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
