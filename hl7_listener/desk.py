"""Gathers the messages that wait, so that those of many connections share a transaction.

It must not know what is in a message. While one lot is answered, the next gathers by itself; after it, those who were
answered are waited for for a moment, as the first of them would else make a lot of its own. A message that comes
alone is held back by nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from worklist.feeds.peer import Peer

#: Answers a message that could not be answered together with others; called in a thread.
Later = Callable[[], bytes]
#: Gives for each message its answer, or what is to be called for it; called in a thread.
AnswerTogether = Callable[[Sequence["Sent"]], Sequence[bytes | Later]]

#: Messages of a lot, and lots that are worked on at a time. Two lots at a time are two of half the size.
_MOST, _LOTS = 256, 1
#: How long those who were just answered are waited for, in seconds: what their next messages take to come.
_MOMENT = 0.01


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, and who sent it."""

    message: bytes
    peer: Peer


class Desk:
    """Has messages answered in lots; used by one event loop."""

    def __init__(self, answer_together: AnswerTogether) -> None:
        self._answer_together = answer_together
        self._waiting: list[tuple[Sent, asyncio.Future[bytes | Later]]] = []
        self._workers: set[asyncio.Task[None]] = set()
        self._wanted = 0
        self._gathered = asyncio.Event()

    async def answer(self, message: bytes, peer: Peer) -> bytes:
        """Give a message's answer, once what it accepts is durable."""
        asked = asyncio.get_running_loop().create_future()
        self._waiting.append((Sent(message, peer), asked))
        if len(self._waiting) >= self._wanted:
            self._gathered.set()
        if len(self._workers) < _LOTS:
            self._workers.add(asyncio.create_task(self._work()))
        answered = await asked
        return answered if isinstance(answered, bytes) else await asyncio.to_thread(answered)

    async def _work(self) -> None:
        try:
            await self._answer_all()
        finally:  # at once, and not by a callback: who comes next must find that nobody works
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _gather(self, count: int) -> None:
        """Wait until as many messages wait, or for a moment."""
        self._wanted = count
        self._gathered.clear()
        if len(self._waiting) < count:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gathered.wait(), _MOMENT)

    async def _answer_all(self) -> None:
        answered = 0
        while True:
            if answered > 1:
                await self._gather(min(answered, _MOST))
            if not self._waiting:
                return
            lot, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                answers = await asyncio.to_thread(self._answer_together, [sent for sent, _ in lot])
            except Exception as error:
                for _, asked in lot:
                    if not asked.done():
                        asked.set_exception(error)
                answered = 0
                continue
            for (_, asked), answer in zip(lot, answers, strict=True):
                if not asked.done():  # its connection may have gone
                    asked.set_result(answer)
            answered = len(lot)
