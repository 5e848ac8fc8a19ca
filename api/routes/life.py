"""Routes of what people do with an item beside reading it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from allocation.offered import holds, may_open, on_duty
from allocation.workforce import load_item_row
from api.acts import Act, Permitted, rule_of
from api.permissions import Role
from api.problems import Problem
from api.routes.work import may_see
from api.schemas.life import Changed, Flags, ItemAct, ItemActs, Noted, Priority, Reasoned
from api.schemas.work import Item, item_of
from worklist.discrepancies import state_discrepancy
from worklist.item_view import read_items
from worklist.life import acts as life
from worklist.life.act_reasons import reasons_for
from worklist.life.flagging import state_flags
from worklist.life.history import read_acts
from worklist.life.moves import UnknownItem
from worklist.life.reasons import ReasonedAct
from worklist.life.recall import recall, reported_by
from worklist.log import audit

router = APIRouter(tags=["item life"])

Claim = Callable[[Connection, int, int], bool]


@router.get("/reasons")
def reasons(act: Permitted) -> dict[str, Any]:
    """Give the reasons that may be given today, by act: the fixed ones, then the network's own."""
    with act.transaction() as connection:
        return {"reasons": {one.value: list(reasons_for(connection, one)) for one in ReasonedAct}}


@router.get("/items/{item_id}/acts")
def acts(act: Permitted, item_id: int) -> ItemActs:
    """Tell what people did with an item beside reading it, and why; notes to those who may see the patient."""
    with act.transaction() as connection:
        views = read_items(connection, [item_id])
        if not views or not may_see(act, connection, item_id, views[0].trust):
            raise UnknownItem(item_id)
        notes = views[0].patient is not None
        found = read_acts(connection, item_id, with_notes=notes)
        told = {"acts": len(found), "notes": notes}
        audit.append(connection, act.principal.name, "acts read", items=[item_id], detail=told)
    return ItemActs(item_id=item_id, acts=[ItemAct.model_validate(one) for one in found])


@router.post("/items/{item_id}/hold", response_model=Item)
def hold(act: Permitted, item_id: int, body: Reasoned) -> Response:
    """Keep an item from reporters until it is released; whoever has it has it no longer."""
    return _act(act, item_id, body, lambda c: life.hold(c, act.principal.name, item_id, body.reason, body.note))


@router.post("/items/{item_id}/release", response_model=Item)
def release(act: Permitted, item_id: int, body: Noted) -> Response:
    """Offer an item again that was held."""
    return _act(act, item_id, body, lambda c: life.release_hold(c, act.principal.name, item_id, body.note))


@router.post("/items/{item_id}/return-to-site", response_model=Item)
def return_to_site(act: Permitted, item_id: int, body: Reasoned) -> Response:
    """Send an exam back for an error that its site must mend; a reporter does so with what they hold."""

    def do(connection: Connection) -> None:
        life.return_to_site(connection, act.principal.name, item_id, body.reason, body.note)

    return _act(act, item_id, body, do, or_reporter=holds)


@router.post("/items/{item_id}/corrected", response_model=Item)
def corrected(act: Permitted, item_id: int, body: Noted) -> Response:
    """Offer an exam again that its site has corrected."""
    return _act(act, item_id, body, lambda c: life.take_corrected(c, act.principal.name, item_id, body.note))


@router.post("/items/{item_id}/outsource", response_model=Item)
def outsource(act: Permitted, item_id: int, body: Reasoned) -> Response:
    """Note that a company reports an item; its clock runs until the home RIS has the report."""
    return _act(act, item_id, body, lambda c: life.outsource(c, act.principal.name, item_id, body.reason, body.note))


@router.post("/items/{item_id}/take-back", response_model=Item)
def take_back(act: Permitted, item_id: int, body: Noted) -> Response:
    """Offer an item here again that was outsourced."""
    return _act(act, item_id, body, lambda c: life.take_back(c, act.principal.name, item_id, body.note))


@router.post("/items/{item_id}/cancel", response_model=Item)
def cancel(act: Permitted, item_id: int, body: Reasoned) -> Response:
    """End an item for good."""
    return _act(act, item_id, body, lambda c: life.cancel(c, act.principal.name, item_id, body.reason, body.note))


@router.post("/items/{item_id}/recall", response_model=Item)
def recall_report(act: Permitted, item_id: int, body: Reasoned) -> Response:
    """Take back a verified report; the item waits for an amended one. A reporter recalls what they reported."""

    def do(connection: Connection) -> None:
        recall(connection, act.principal.name, item_id, body.reason, body.note)

    return _act(act, item_id, body, do, or_reporter=reported_by)


@router.post("/items/{item_id}/discrepancy", response_model=Item)
def discrepancy(act: Permitted, item_id: int, body: Changed) -> Response:
    """Say of a verified report what it changed of the one that went out before; a reporter says so of their own."""

    def do(connection: Connection) -> None:
        state_discrepancy(connection, act.principal.name, item_id, body.discrepancy, body.note)

    return _act(act, item_id, body, do, or_reporter=reported_by)


@router.post("/items/{item_id}/priority", response_model=Item)
def priority(act: Permitted, item_id: int, body: Priority) -> Response:
    """Give an item another urgency; a reporter does so with what they hold, or have duty for."""

    def do(connection: Connection) -> None:
        life.change_priority(connection, act.principal.name, item_id, body.urgency, body.reason, body.note)

    def holds_or_has_duty(connection: Connection, reporter_id: int, wanted: int) -> bool:
        return holds(connection, reporter_id, wanted) or on_duty(connection, reporter_id, wanted)

    return _act(act, item_id, body, do, or_reporter=holds_or_has_duty)


@router.post("/items/{item_id}/flags", response_model=Item)
def flags(act: Permitted, item_id: int, body: Flags) -> Response:
    """Say what is so of an item, against its clinical question; a reporter of what they may report as it stands."""

    def do(connection: Connection) -> None:
        if read_items(connection, [item_id])[0].patient is None:
            raise Problem(403, "not-permitted", "you do not see its request: claim it, or leave it to who does")
        state_flags(connection, act.principal.name, item_id, body.flags, body.note)

    return _act(act, item_id, body, do, or_reporter=may_open)


def _act(
    act: Act, item_id: int, body: Any, do: Callable[[Connection], None], *, or_reporter: Claim | None = None
) -> Response:
    def once(connection: Connection) -> tuple[int, Any]:
        _require(act, connection, item_id, or_reporter)
        do(connection)
        act.see_as_principal(connection)
        return 200, item_of(read_items(connection, [item_id])[0])

    return act.once(once, body)


def _require(act: Act, connection: Connection, item_id: int, or_reporter: Claim | None) -> None:
    """A role that does this may with any item of theirs; a reporter with what `or_reporter` says is theirs."""
    row = load_item_row(connection, item_id)
    who = act.principal
    if row is not None and who.may_beside_reporting(rule_of(act.request)) and who.sees_trust(row.trust_ods):
        return
    if row is None or or_reporter is None or Role.REPORTER not in who.roles:
        raise UnknownItem(item_id)
    if not or_reporter(connection, act.reporter_id, item_id):
        raise UnknownItem(item_id)
