"""Reads sources as people see them: who sends for which trust, where it is bound and asked, when it last sent.

It must not choose for whom; callers say whose sources they may show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from worklist.db.tables.network import source
from worklist.db.tables.work import study

#: How far back it is looked when a source last sent: so many of the network's newest studies.
_NEWEST_STUDIES = 100_000


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source as configured; instants are aware UTC, None is not stated or not known.

    `last_sent_at` is when the newest object came, None when none of the network's newest hundred thousand studies
    is this source's. `swept_at` is when it was last asked about whole days.
    """

    ae_title: str
    trust: str
    address: str | None
    certificate_subject: str | None
    quiet_seconds: int | None
    completeness: dict[str, Any] | None
    claim_while_arriving: dict[str, Any] | None
    query: dict[str, Any] | None
    active: bool
    swept_at: datetime | None
    last_sent_at: datetime | None


def list_sources(connection: Connection, trust: str | None = None) -> list[SourceView]:
    """Give the sources of a trust, or of all, by AE title."""
    newest = select(func.max(study.c.id)).scalar_subquery()
    sent = (
        select(study.c.source_ae_title, func.max(study.c.last_received_at).label("last_sent_at"))
        .where(study.c.id > newest - _NEWEST_STUDIES)
        .group_by(study.c.source_ae_title)
        .subquery()
    )
    wanted = (
        select(source, sent.c.last_sent_at)
        .outerjoin(sent, sent.c.source_ae_title == source.c.ae_title)
        .order_by(source.c.ae_title)
    )
    if trust is not None:
        wanted = wanted.where(source.c.trust_ods == trust)
    return [_view(row) for row in connection.execute(wanted)]


def _view(row: Row[Any]) -> SourceView:
    return SourceView(
        ae_title=row.ae_title,
        trust=row.trust_ods,
        address=row.address,
        certificate_subject=row.certificate_subject,
        quiet_seconds=row.quiet_seconds,
        completeness=row.completeness,
        claim_while_arriving=row.claim_while_arriving,
        query=row.query,
        active=row.active,
        swept_at=row.swept_at,
        last_sent_at=row.last_sent_at,
    )
