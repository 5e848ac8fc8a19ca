"""Routes of pay: rate cards, ledger lines with their derivation, statements."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from allocation import people_view
from allocation.pay import statements
from api.acts import Act, Permitted
from api.moments import Moment
from worklist.log import audit

router = APIRouter(tags=["pay"])


@router.get("/rate-cards")
def rate_cards(act: Permitted) -> dict[str, Any]:
    """List every version of the rate card; one rate for the same work is there for all to see."""
    with act.transaction() as connection:
        return {"rate_cards": people_view.rate_cards(connection)}


@router.get("/pay/lines")
def pay_lines(
    act: Permitted,
    from_: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> dict[str, Any]:
    """List pay lines in order of posting, each with how it was worked out; go on with `after` = the last id."""
    with act.transaction() as connection:
        found = statements.lines(connection, **_whose(act), from_at=from_, to_at=to, after=after, limit=limit)
        audit.append(connection, act.principal.name, "pay lines read", detail={"lines": len(found)})
        return {"lines": found, "total_pence": sum(line["amount_pence"] for line in found)}


@router.get("/pay/statements")
def pay_statements(act: Permitted) -> dict[str, Any]:
    """List each reporter's months, by payer, and what is held with the reason."""
    whose = _whose(act)
    with act.transaction() as connection:
        found = statements.statements(connection, **whose)
        held = statements.held(connection, **whose)
        audit.append(connection, act.principal.name, "pay statements read", detail={"statements": len(found)})
        return {"statements": found, "held": held}


def _whose(act: Act) -> dict[str, Any]:
    """A reporter sees their own, a trust's people their trust's, the network's all."""
    if act.principal.sees_pay_of_others:
        return {"trust": act.principal.trust}
    return {"reporter_id": act.reporter_id}
