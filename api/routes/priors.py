"""The route of what came before of an item's patient: here, and where it is asked for, in the trust's PACS."""

from __future__ import annotations

from fastapi import APIRouter

from api.acts import Permitted
from api.pacs_calls import PacsCalls
from api.problems import Problem
from api.routes.work import may_see
from api.schemas.sources import PriorOnly, Priors, asked_of, prior_of
from dicom_listener.client.query_address import stated_address
from worklist.item_view import read_items
from worklist.life.moves import UnknownItem
from worklist.log import audit
from worklist.priors import read_history

router = APIRouter(tags=["worklist"])


@router.get("/items/{item_id}/priors")
def priors(act: Permitted, item_id: int, ask: bool = False) -> Priors:
    """List the same patient's items of the same trust; with `ask` also what its PACS name, which may take long."""
    with act.transaction() as connection:
        views = read_items(connection, [item_id])
        if not views or not may_see(act, connection, item_id, views[0].trust):
            raise UnknownItem(item_id)
        history = read_history(connection, item_id)
        if history is None:
            told = "its patient is not yours to see; a reporter sees whom they hold, were assigned or have reported"
            raise Problem(403, "not-permitted", told)
        asked = history.asked if ask else ()
        audit.append(
            connection,
            act.principal.name,
            "priors read",
            items=[item_id, *(one.view.id for one in history.priors)],
            detail={"asked": [source for source, _ in asked]},
        )
    calls: PacsCalls = act.request.app.state.pacs_calls
    answers = calls.priors([stated_address(*one) for one in asked], history.identities)
    return Priors(
        item_id=item_id,
        priors=[prior_of(one) for one in history.priors],
        studies=[PriorOnly.model_validate(one) for one in history.studies],
        asked=[asked_of(*one) for one in answers],
    )
