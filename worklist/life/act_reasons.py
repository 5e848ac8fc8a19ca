"""Reads a network's own reasons beside the fixed ones; must not say what an act does."""

from __future__ import annotations

from sqlalchemy import Connection, select

from worklist.clock import now
from worklist.db.tables.life import act_reason
from worklist.life.reasons import ReasonedAct, UnknownReason, known_reasons
from worklist.local_time import LONDON


def reasons_for(connection: Connection, act: ReasonedAct) -> tuple[str, ...]:
    """Give the reasons that may be given today for an act."""
    today = now(connection).astimezone(LONDON).date()
    own = connection.scalars(
        select(act_reason.c.code)
        .where(
            act_reason.c.act == act.value,
            act_reason.c.valid_from <= today,
            (act_reason.c.valid_to.is_(None)) | (act_reason.c.valid_to >= today),
        )
        .order_by(act_reason.c.code)
    )
    return known_reasons(act, tuple(own))


def require_reason(connection: Connection, act: ReasonedAct, reason: str) -> None:
    """Refuse a reason that is not one for an act today.

    Raises
    ------
    UnknownReason
        Which names those that are.
    """
    known = reasons_for(connection, act)
    if reason not in known:
        raise UnknownReason(act, known)
