"""Routes of claims: take a reading, keep it, give it back, report it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from allocation import leases
from allocation.claims import Wish, claim_reading
from allocation.offered import bundle_of, held_by
from allocation.reports import ReportGiven, file_report
from allocation.workforce import load_reporters
from api.acts import Permitted
from api.schemas.work import Claim, ClaimWish, Filed, ItemPage, Refer, Renewed, Report, Skip, Token, claim_of, item_of
from worklist.item_view import read_items
from worklist.log import audit

router = APIRouter(prefix="/claims", tags=["claims"])


@router.post("", status_code=201, response_model=Claim, responses={204: {"description": "Nothing eligible is free"}})
def claim(act: Permitted, body: ClaimWish) -> Response:
    """Claim the next best reading, or a given item. 204 only when nothing eligible is free."""
    wish = Wish(body.session_id, body.item_id, body.purpose)

    def do(connection: Connection) -> tuple[int, Any]:
        made = claim_reading(
            connection, act.principal.name, act.reporter_id, wish, lease_seconds=act.services.lease_seconds
        )
        if made is None:
            return 204, None
        bundle = bundle_of(connection, act.reporter_id, made.item_id, made.session_id)
        return 201, claim_of(made, body.session_id, read_items(connection, [made.item_id])[0], bundle)

    return act.once(do, body)


@router.get("")
def claims(act: Permitted) -> ItemPage:
    """List what you hold now, each with its claim and token."""
    with act.transaction() as connection:
        held = held_by(connection, load_reporters(connection, [act.reporter_id])[act.reporter_id])
        views = {view.id: view for view in read_items(connection, [one.item_id for one in held])}
        audit.append(connection, act.principal.name, "claims read", items=sorted(views))
    return ItemPage(items=[item_of(views[one.item_id], one) for one in held])


@router.post("/{claim_id}/renew", response_model=Renewed)
def renew(act: Permitted, claim_id: int, body: Token) -> Response:
    """Renew the lease."""

    def do(connection: Connection) -> tuple[int, Any]:
        expires_at = leases.renew(
            connection, act.reporter_id, claim_id, body.token, lease_seconds=act.services.lease_seconds
        )
        return 200, Renewed(claim_id=claim_id, expires_at=expires_at)

    return act.once(do, body)


@router.post("/{claim_id}/release", status_code=204)
def release(act: Permitted, claim_id: int, body: Token) -> Response:
    """Give the reading back unread; it keeps its place."""

    def do(connection: Connection) -> tuple[int, Any]:
        leases.release(connection, act.principal.name, act.reporter_id, claim_id, body.token)
        return 204, None

    return act.once(do, body)


@router.post("/{claim_id}/skip", status_code=204)
def skip(act: Permitted, claim_id: int, body: Skip) -> Response:
    """Decline the reading with a reason; it is not handed to you again."""

    def do(connection: Connection) -> tuple[int, Any]:
        leases.skip(connection, act.principal.name, act.reporter_id, claim_id, body.token, body.reason, body.note)
        return 204, None

    return act.once(do, body)


@router.post("/{claim_id}/refer", status_code=204)
def refer(act: Permitted, claim_id: int, body: Refer) -> Response:
    """Refer the reading on to a radiologist."""

    def do(connection: Connection) -> tuple[int, Any]:
        leases.refer(connection, act.principal.name, act.reporter_id, claim_id, body.token, body.note)
        return 204, None

    return act.once(do, body)


@router.post("/{claim_id}/report", response_model=Filed)
def report(act: Permitted, claim_id: int, body: Report) -> Response:
    """Give a report under the claim. Under a superseded claim it is kept for a person, and 409 says so."""
    given = ReportGiven(body.status, body.text, tuple(body.alerts), discrepancy=body.discrepancy)

    def do(connection: Connection) -> tuple[int, Any]:
        filed = file_report(connection, act.principal.name, act.reporter_id, claim_id, body.token, given)
        if filed.superseded is not None:
            return 409, {
                "type": "claim-superseded",
                "title": "The claim no longer holds",
                "status": 409,
                "detail": f"{filed.superseded}; your report is kept as {filed.report_id} and put before a person",
                "report_id": filed.report_id,
            }
        return 200, Filed(
            report_id=filed.report_id,
            item_id=filed.item_id,
            status=filed.status,
            check_needed=filed.check_needed,
            repeated=filed.repeated,
            discrepancy=filed.discrepancy,
        )

    return act.once(do, body)
