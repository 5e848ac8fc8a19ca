"""Carries a store request's body from the connection to the threads that read it, under its time limits.

The event loop only waits: reading and keeping are done in threads of their own, few, so that slow senders cost
other requests nothing. It must not know what a body holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from sqlalchemy import Engine

from api.dicom_web.intake import Outcome, take_in
from api.dicom_web.limits import StoreLimits
from api.dicom_web.media_types import Related
from api.dicom_web.objects import BodyFault, MalformedBody, ObjectReader, Sent, Unreadable
from dicom_listener.services.storage import OUT_OF_RESOURCES
from worklist.intake.senders import Sender

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TooSlow(BodyFault):
    """A body that does not come."""

    status = OUT_OF_RESOURCES


class TooManyStores(RuntimeError):
    """As many store requests are at work as may be; the sender may try again."""


class Storing:
    """What store requests of one process share: the limits, and who is at work.

    `quiet_seconds` is the completeness policy of sources that state none.
    """

    def __init__(self, quiet_seconds: float, limits: StoreLimits | None = None) -> None:
        self.quiet_seconds = quiet_seconds
        self.limits = limits or StoreLimits()
        self._threads = anyio.CapacityLimiter(self.limits.most_threads)
        self.at_work = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for requests; in the event loop only.

        Raises
        ------
        TooManyStores
            When there is none.
        """
        if self.at_work >= self.limits.most_requests:
            raise TooManyStores("as many store requests are at work as may be; send the same again later")
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    async def in_thread(self, do: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Do something in one of the threads for store requests."""
        return await anyio.to_thread.run_sync(lambda: do(*arguments, **named), limiter=self._threads)


class Store:
    """One store request at work: its reader, what waits for the commit, what became of the rest."""

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        actor: str,
        related: Related,
        limits: StoreLimits,
        *,
        study_instance_uid: str | None = None,
    ) -> None:
        self._engine, self._sender, self._actor = engine, sender, actor
        self._most_pending = limits.objects_per_commit
        self._reader = ObjectReader(related, sender.ae_title, limits, study_instance_uid=study_instance_uid)
        self._pending: list[Sent] = []
        self._outcomes: list[Outcome] = []

    def take(self, octets: bytes) -> None:
        """Take the body's next bytes; objects are committed as they fill a transaction.

        Raises
        ------
        BodyFault
            When the rest cannot be taken.
        """
        for sent in self._reader.take(octets):
            self._pending.append(sent)
            if len(self._pending) >= self._most_pending:
                self._commit()

    def end(self, fault: BodyFault | None = None) -> list[Outcome]:
        """Commit what waits and give an outcome for each object; what a fault cost is one more, a failure.

        Raises
        ------
        BodyFault
            When nothing came before it: then there is no object to answer for.
        """
        if fault is None:
            try:
                self._reader.end()
                if not (self._outcomes or self._pending):
                    raise MalformedBody("the body has no objects")
            except MalformedBody as cut:
                fault = cut
        if fault is not None:
            if not (self._outcomes or self._pending):
                raise fault
            self._pending.append(Unreadable(fault.status, "DataSet", str(fault)))
        self._commit()
        return self._outcomes

    def _commit(self) -> None:
        if self._pending:
            self._outcomes += take_in(self._engine, self._sender, self._actor, self._pending)
            self._pending = []


async def carry(request: Request, storing: Storing, store: Store) -> tuple[list[Outcome], bool]:
    """Take a request's body in; give what became of its objects, and whether the body was read to its end.

    Raises
    ------
    BodyFault
        When not one object could be told apart.
    starlette.requests.ClientDisconnect
        When the sender went away; what waited for its commit is given up.
    """
    fault = None
    try:
        async for octets in _pieces(request, storing.limits):
            await storing.in_thread(store.take, octets)
    except BodyFault as met:
        fault = met
    return await storing.in_thread(store.end, fault), fault is None


async def _pieces(request: Request, limits: StoreLimits) -> AsyncIterator[bytes]:
    """Give the body as it comes, for as long as it comes fast enough."""
    clock = asyncio.get_running_loop().time
    began, seen = clock(), 0
    stream = request.stream()
    with suppress(StopAsyncIteration):
        while True:
            try:
                async with asyncio.timeout(limits.silence_seconds):
                    octets = await anext(stream)
            except TimeoutError:
                raise TooSlow(f"nothing came for {limits.silence_seconds:g} seconds") from None
            seen += len(octets)
            check_pace(clock() - began, seen, limits)
            if octets:
                yield octets


def check_pace(seconds: float, seen: int, limits: StoreLimits) -> None:
    """Hold a body to the pace and the time that it may have.

    Raises
    ------
    TooSlow
        When it has come too slowly, or for too long.
    """
    if seconds > limits.request_seconds:
        raise TooSlow(f"a request may take at most {limits.request_seconds:g} seconds")
    if seconds > limits.grace_seconds and seen < seconds * limits.slowest_bytes_per_second:
        raise TooSlow(f"the body comes at less than {limits.slowest_bytes_per_second} bytes per second")
