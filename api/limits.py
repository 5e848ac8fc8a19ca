"""Bounds what a request may send, before any of it is parsed."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem


class BodyLimit:
    """Refuses bodies over a bound with 413, by the length announced or by what really comes.

    `streamed` are the paths whose routes read a body in pieces under limits of their own: POST to them goes by.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, *, streamed: re.Pattern[str] | None = None) -> None:
        self._app, self._most_bytes, self._streamed = app, most_bytes, streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body."""
        if scope["type"] != "http" or self._is_streamed(scope):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._most_bytes:
            await self._refuse(scope, receive, send)
            return
        seen, answered = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most_bytes:
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            """Let the answer through, unless the body was cut: then the cut is the answer."""
            nonlocal answered
            if seen <= self._most_bytes or answered:
                answered = True
                await send(message)

        await self._app(scope, counted, watched)
        if seen > self._most_bytes and not answered:
            await self._refuse(scope, receive, send)

    def _is_streamed(self, scope: Scope) -> bool:
        streamed = self._streamed
        return streamed is not None and scope["method"] == "POST" and bool(streamed.fullmatch(scope["path"]))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = f"a request's body may be at most {self._most_bytes} bytes"
        await problem(413, "body-too-large", "Too large", told)(scope, receive, send)
