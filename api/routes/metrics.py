"""Routes of what managers see: backlog, turnaround, skill mix, value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.encoders import jsonable_encoder
from sqlalchemy import Connection

from api.acts import Act, Permitted
from api.moments import Moment
from api.permissions import Role
from api.problems import Problem
from insight.backlog import backlog
from insight.filters import Dimension, Filters, ImpossiblePeriod, RepeatedDimension, UnsupportedDimension
from insight.skill_mix import skill_mix
from insight.turnaround import turnaround
from insight.value import value

router = APIRouter(prefix="/metrics", tags=["metrics"])


def _filters(
    trust: str | None = None,
    modality: str | None = None,
    setting: str | None = None,
    from_: Annotated[Moment | None, Query(alias="from", description="instant, inclusive")] = None,
    to: Annotated[Moment | None, Query(description="instant, exclusive")] = None,
    by: Annotated[str | None, Query(description="dimensions to group by, with commas between")] = None,
) -> Filters:
    try:
        dimensions = tuple(Dimension(word.strip()) for word in by.split(",")) if by else ()
        return Filters(trust, modality, setting, from_, to, dimensions)
    except (RepeatedDimension, ImpossiblePeriod) as error:
        raise Problem(422, "invalid-request", str(error)) from None
    except ValueError:
        raise Problem(422, "invalid-request", f"by: use {', '.join(Dimension)}") from None


Asked = Annotated[Filters, Depends(_filters)]


@router.get("/backlog")
def get_backlog(act: Permitted, asked: Asked) -> dict[str, Any]:
    """What waits: items, minutes of work, age, what is overdue, what nobody may report."""
    return _answer(act, asked, backlog)


@router.get("/turnaround")
def get_turnaround(act: Permitted, asked: Asked) -> dict[str, Any]:
    """How long reports took, and beside it what is still unreported by age."""
    return _answer(act, asked, turnaround)


@router.get("/skill-mix")
def get_skill_mix(act: Permitted, asked: Asked) -> dict[str, Any]:
    """Who reports what; the share of X-rays reported by radiographers against 40% and 50%."""
    return _answer(act, asked, skill_mix)


@router.get("/value")
def get_value(act: Permitted, asked: Asked) -> dict[str, Any]:
    """What insourced reports cost, and what they would have cost outsourced."""
    return _answer(act, asked, value)


def _answer(act: Act, asked: Filters, question: Callable[[Connection, Filters], Any]) -> dict[str, Any]:
    filters = _own(act, asked)
    try:
        with act.transaction() as connection:
            answer: dict[str, Any] = jsonable_encoder(question(connection, filters))
            return answer
    except UnsupportedDimension as error:
        raise Problem(422, "invalid-request", f"by: {error}") from None


def _own(act: Act, asked: Filters) -> Filters:
    """Hold a trust's people to their trust; figures of the network are for those who look after it."""
    who = act.principal
    network = who.network_wide or (who.trust is None and bool(who.roles & {Role.FINANCE, Role.PAY_APPROVER}))
    if network or who.trust is None:
        return asked
    if asked.trust not in (None, who.trust):
        raise Problem(404, "not-found", f"no trust {asked.trust!r} of yours")
    return Filters(who.trust, asked.modality, asked.setting, asked.from_at, asked.to_at, asked.by)
