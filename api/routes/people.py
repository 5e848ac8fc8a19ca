"""Routes of the workforce: reporters, scopes, grants, entitlements, sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from allocation import people_view, suspension
from api.acts import Act, Permitted
from api.moments import Moment
from api.problems import Problem
from api.schemas.people import Suspend, Suspended

router = APIRouter(tags=["workforce"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


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


@router.post("/reporters/{reporter}/suspend", response_model=Suspended)
def suspend_reporter(act: Permitted, reporter: str, body: Suspend) -> Response:
    """Suspend a reporter at once: what they hold goes back to the list, and nothing they send is a report."""
    return _suspend(act, body, lambda c: suspension.suspend_reporter(c, act.principal.name, reporter, body.reason))


@router.post("/reporters/{reporter}/resume", status_code=204)
def resume_reporter(act: Permitted, reporter: str) -> Response:
    """Let a suspended reporter report again."""
    return _resume(act, lambda c: suspension.resume_reporter(c, act.principal.name, reporter))


@router.post("/grants/{grant_id}/suspend", response_model=Suspended)
def suspend_grant(act: Permitted, grant_id: Number, body: Suspend) -> Response:
    """Suspend one scope of a reporter at once: what they hold by it alone goes back to the list."""
    return _suspend(act, body, lambda c: suspension.suspend_grant(c, act.principal.name, grant_id, body.reason))


@router.post("/grants/{grant_id}/resume", status_code=204)
def resume_grant(act: Permitted, grant_id: Number) -> Response:
    """Put a suspended grant in force again."""
    return _resume(act, lambda c: suspension.resume_grant(c, act.principal.name, grant_id))


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


def _suspend(act: Act, body: Suspend, do: Callable[[Connection], list[int]]) -> Response:
    def once(connection: Connection) -> tuple[int, Any]:
        _require_network(act)
        return 200, Suspended(items=do(connection))

    return act.once(once, body)


def _resume(act: Act, do: Callable[[Connection], None]) -> Response:
    def once(connection: Connection) -> tuple[int, Any]:
        _require_network(act)
        do(connection)
        return 204, None

    return act.once(once, None)


def _require_network(act: Act) -> None:
    """Refuse a trust's own lead: reporters are the network's, and so is what they may report."""
    if not act.principal.network_wide:
        raise Problem(403, "not-permitted", "a clinical lead of the network does this; your account is one trust's")
