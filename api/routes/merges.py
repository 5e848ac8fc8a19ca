"""Routes of merges of patients: the history of an item's patient, and the end of a merge that was wrong."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from api.acts import Permitted
from api.problems import Problem
from api.routes.work import may_see
from api.schemas.merges import Merge, Merges, Unmerge, Unmerged
from worklist.item_view import read_items
from worklist.life.moves import UnknownItem
from worklist.log import audit
from worklist.patients.history import read_merges_of_item
from worklist.patients.merges import unmerge

router = APIRouter(tags=["worklist"])


@router.get("/items/{item_id}/merges")
def merges(act: Permitted, item_id: int) -> Merges:
    """List which records were merged into an item's patient and what became of each merge, the newest first."""
    with act.transaction() as connection:
        views = read_items(connection, [item_id])
        if not views or not may_see(act, connection, item_id, views[0].trust):
            raise UnknownItem(item_id)
        found = read_merges_of_item(connection, item_id) if act.principal.viewer.trust == views[0].trust else None
        if found is None:
            raise Problem(403, "not-permitted", "its patient is not yours to see; those who look after its trust are")
        audit.append(connection, act.principal.name, "merges read", items=[item_id], detail={"merges": len(found)})
    return Merges(item_id=item_id, merges=[Merge.model_validate(one) for one in found])


@router.post("/merges/{merge_id}/unmerge", response_model=Unmerged)
def unmerge_patients(act: Permitted, merge_id: int, body: Unmerge) -> Response:
    """End a merge of two patients of your trust: items and studies go back to whom they name."""

    def do(connection: Connection) -> tuple[int, Any]:
        unmerge(connection, act.principal.name, merge_id, body.note)
        return 200, Unmerged(merge_id=merge_id)

    return act.once(do, body)
