"""Routes of messages to home RIS: what waits, what was given up, and what a person does about that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from api.acts import Act, Permitted
from api.schemas.deliveries import Deliveries, Delivery
from hl7_listener.delivery.line import UnknownDelivery, line_up_again, list_deliveries, read_delivery
from hl7_listener.delivery.line import settle as settle_delivery
from worklist.home.told import DeliveryState

router = APIRouter(prefix="/deliveries", tags=["home RIS"])

_NOT_ENDED = (DeliveryState.WAITING, DeliveryState.DEAD)


@router.get("")
def deliveries(
    act: Permitted,
    state: Annotated[list[DeliveryState] | None, Query()] = None,
    item_id: int | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Deliveries:
    """List messages to the RIS of your trust, or of the network: without `state` what waits and what was given up."""
    who = act.principal
    if who.trust is None and not who.network_wide:
        return Deliveries(deliveries=[])
    with act.transaction() as connection:
        rows = list_deliveries(
            connection,
            trust=who.trust,
            every_trust=who.network_wide,
            states=tuple(state) if state else _NOT_ENDED,
            item_id=item_id,
            after=after,
            limit=limit + 1,
        )
    more = rows[limit - 1].id if len(rows) > limit else None
    return Deliveries(deliveries=[Delivery.model_validate(row) for row in rows[:limit]], next_after=more)


@router.post("/{delivery_id}/send-again", response_model=Delivery)
def send_again(act: Permitted, delivery_id: int) -> Response:
    """Put a message that was given up in line again; it keeps its control id."""
    return _do(act, delivery_id, line_up_again)


@router.post("/{delivery_id}/settle", response_model=Delivery)
def settle(act: Permitted, delivery_id: int) -> Response:
    """Say that you saw to it in another way: for a verified report, that its referrer has it."""
    return _do(act, delivery_id, settle_delivery)


def _do(act: Act, delivery_id: int, use_case: Callable[..., None]) -> Response:
    def do(connection: Connection) -> tuple[int, Any]:
        if not act.principal.sees_trust(read_delivery(connection, delivery_id).trust_ods):
            raise UnknownDelivery(delivery_id)
        use_case(connection, delivery_id, by=act.principal.name)
        act.see_as_principal(connection)
        return 200, Delivery.model_validate(read_delivery(connection, delivery_id)).model_dump(
            mode="json", by_alias=True
        )

    return act.once(do, None)
