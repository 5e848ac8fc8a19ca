"""Answers what nobody foresaw, and logs where it happened but not what it said: messages can quote patients."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from worklist.alerts.raised import where_raised

log = structlog.get_logger(__name__)


class AnswerCut(RuntimeError):
    """An answer that had begun could not be finished; the connection ends with it."""


class LastResort:
    """Turns an error that passed every handler into a 500; its message reaches no peer and no log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            log.error("unforeseen fault", error=type(error).__name__, where=where_raised(error))
            if scope["type"] != "http" or begun:
                raise AnswerCut from None
            await problem(500, "fault", "Our fault", "something failed here; nothing was changed")(scope, receive, send)
