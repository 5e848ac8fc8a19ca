"""The route of live events."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from allocation.workforce import trusts_of
from api.acts import Act, permitted
from api.live import Follower, Stream, stream_events
from api.problems import Problem

router = APIRouter(tags=["live"])


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request,
    act: Annotated[Act, Depends(permitted)],
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> StreamingResponse:
    """Stream events as they happen (server-sent events): ids and states only.

    Resume with the header `Last-Event-ID`, or `after`, a position.
    """
    if last_event_id is not None and not last_event_id.isdecimal():
        raise Problem(422, "invalid-request", "Last-Event-ID: a position, as the stream gave it")
    position = int(last_event_id) if last_event_id is not None else after
    follower: Follower = request.app.state.follower
    trusts = await asyncio.to_thread(_trusts, act)
    stream = Stream(asyncio.get_running_loop(), act.principal, trusts)
    return StreamingResponse(
        stream_events(act.services.engine, follower, stream, position),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _trusts(act: Act) -> frozenset[str]:
    if act.principal.reporter_id is None:
        return frozenset()
    with act.transaction() as connection:
        return trusts_of(connection, act.principal.reporter_id)
