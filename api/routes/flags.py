"""Routes of exclusion flags over all items; what is said of one item is among the acts on it."""

from __future__ import annotations

from fastapi import APIRouter

from api.acts import Permitted
from api.routes.work import trust_filter
from api.schemas.flags import UnknownFlag, UnknownFlags
from worklist.exclusions.unknown import list_unknown_flags

router = APIRouter(prefix="/flags", tags=["flags"])


@router.get("/unknown")
def unknown(act: Permitted, trust: str | None = None) -> UnknownFlags:
    """Count the waiting items of which a flag is not known that scopes of practice exclude."""
    wanted = trust_filter(act, trust)
    with act.transaction() as connection:
        found = list_unknown_flags(connection, wanted)
    return UnknownFlags(flags=[UnknownFlag.model_validate(one) for one in found])
