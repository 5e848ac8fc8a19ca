"""Routes of the workforce: reporters, scopes, grants, entitlements, sessions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from allocation import people_view
from api.acts import Permitted
from api.moments import Moment

router = APIRouter(tags=["workforce"])


@router.get("/reporters")
def reporters(act: Permitted) -> dict[str, Any]:
    """List reporters with registrations and engagements."""
    with act.transaction() as connection:
        return {"reporters": people_view.reporters(connection)}


@router.get("/scopes")
def scopes(act: Permitted) -> dict[str, Any]:
    """List standard scopes of practice, every version."""
    with act.transaction() as connection:
        return {"scopes": people_view.scopes(connection)}


@router.get("/grants")
def grants(act: Permitted) -> dict[str, Any]:
    """List who holds which scope, at what level and until when."""
    with act.transaction() as connection:
        return {"grants": people_view.grants(connection)}


@router.get("/entitlements")
def entitlements(act: Permitted) -> dict[str, Any]:
    """List who may report for which trust, on what basis and until when."""
    with act.transaction() as connection:
        return {"entitlements": people_view.entitlements(connection)}


@router.get("/sessions")
def sessions(
    act: Permitted,
    from_: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> dict[str, Any]:
    """List sessions: a reporter's own, or everyone's."""
    own = act.reporter_id if act.principal.is_only_reporter else None
    with act.transaction() as connection:
        return {"sessions": people_view.sessions(connection, reporter_id=own, from_at=from_, to_at=to, limit=limit)}
