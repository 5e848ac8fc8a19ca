"""What pay rests on, taken down in the event of the verification itself.

So a later correction of exams, catalogue or session changes neither what was earned nor its proof. It
must not price, nor judge whether anything is to be paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, text

from allocation.pay.pricing import PricedExam
from allocation.session import SessionKind
from worklist.db.tables.claims import claim
from worklist.db.tables.people import reporting_session
from worklist.exams.valuation import UNMAPPED_MINUTES


@dataclass(frozen=True, slots=True)
class Payable:
    """A report as pay sees it: its session as it stood, when its reader first opened it there, its exams.

    Instants are aware UTC.
    """

    session_kind: SessionKind
    session_starts_at: datetime
    session_ends_at: datetime
    first_opened_at: datetime
    exams: tuple[PricedExam, ...]


def payable_facts(connection: Connection, claimed: Row[Any], item: Row[Any]) -> dict[str, Any]:
    """Give what pay will rest on, as plain JSON for the event; nothing where no session was claimed in.

    `claimed` is the row of the claim that the report is given under, `item` that of its item.
    """
    if claimed.session_id is None:
        return {}
    session = connection.execute(select(reporting_session).where(reporting_session.c.id == claimed.session_id)).one()
    exams = connection.execute(_EXAMS, {"item": item.id})
    return {
        "payable": {
            "session_kind": session.kind,
            "session_starts_at": session.starts_at.isoformat(),
            "session_ends_at": session.ends_at.isoformat(),
            "first_opened_at": _first_opened(connection, claimed).isoformat(),
            "exams": [
                [row.code, row.modality or item.modality, str(row.reporting_minutes or UNMAPPED_MINUTES)]
                for row in exams
            ],
        }
    }


def read_payable(dimensions: Mapping[str, Any]) -> Payable | None:
    """Read the facts back from an event's dimensions; None where there are none."""
    facts = dimensions.get("payable")
    if facts is None:
        return None
    return Payable(
        SessionKind(facts["session_kind"]),
        datetime.fromisoformat(facts["session_starts_at"]),
        datetime.fromisoformat(facts["session_ends_at"]),
        datetime.fromisoformat(facts["first_opened_at"]),
        tuple(PricedExam(code, modality, Decimal(minutes)) for code, modality, minutes in facts["exams"]),
    )


def _first_opened(connection: Connection, claimed: Row[Any]) -> datetime:
    """Give when the reporter first opened the reading in this session: waiting for a better hour gains nothing."""
    opened: datetime = connection.execute(
        select(claim.c.claimed_at)
        .where(
            claim.c.reading_id == claimed.reading_id,
            claim.c.reporter_id == claimed.reporter_id,
            claim.c.session_id == claimed.session_id,
        )
        .order_by(claim.c.claimed_at)
        .limit(1)
    ).scalar_one()
    return opened


_EXAMS = text(
    "SELECT e.code, e.modality, coalesce(ie.reporting_minutes, e.reporting_minutes) AS reporting_minutes"
    " FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code"
    " WHERE ie.item_id = :item ORDER BY ie.position"
)
