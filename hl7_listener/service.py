"""Joins the RIS side to the worklist: whose message it is, which use case takes it, and what is answered.

Acceptance is answered only after the commit. It must not log or answer what a message says, and
knows no field of it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

import psycopg.errors
import structlog
from sqlalchemy import Connection, Engine, Row, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hl7_listener.acknowledgement import UNREADABLE, Code, acknowledgement
from hl7_listener.acts import Act, acts_of
from hl7_listener.desk import Desk, Later, Sent
from hl7_listener.dialect import Dialect, DialectNotValid, read_dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import Header, read_header
from hl7_listener.limits import Limits
from hl7_listener.mllp import Port, Server
from worklist.clock import now
from worklist.db.tables.network import ris
from worklist.doubts import open_doubt
from worklist.feeds.heard import Ear, FeedKind
from worklist.feeds.peer import why_not_bound
from worklist.intake.new_orders import receive_new_orders
from worklist.intake.orders import Order, Outcome

#: A message whose transaction met another one's is tried this often before its sender is asked to.
_ATTEMPTS = 3

log = structlog.get_logger(__name__)


def serve(ports: Sequence[Port], engine: Engine, limits: Limits, stop: threading.Event, ear: Ear | None = None) -> None:
    """Serve MLLP on bound, listening sockets until `stop` is set; messages in hand are answered first.

    `ear` counts what is heard of each RIS.
    """
    service = Service(engine, limits, ear or Ear(FeedKind.HL7))
    asyncio.run(_serve(ports, service, limits, stop))


@dataclass(frozen=True, slots=True)
class _Read:
    """A message that was read, and what it asks to be done."""

    header: Header
    acts: Sequence[Act]

    @property
    def order(self) -> Order | None:
        """The order that it is, where it is one and nothing else."""
        return self.acts[0].order if len(self.acts) == 1 else None


@dataclass(frozen=True, slots=True)
class _Unread:
    """A message that could not be read, and why."""

    header: Header
    error: Exception


@dataclass(frozen=True, slots=True)
class Service:
    """What becomes of messages, over one engine; used from many threads."""

    engine: Engine
    limits: Limits
    ear: Ear = field(default_factory=lambda: Ear(FeedKind.HL7))

    def answer(self, sent: Sent) -> bytes:
        """Take a message in and give its acknowledgement; what it accepts is durable."""
        [answered] = self.answer_together([sent])
        return answered if isinstance(answered, bytes) else answered()

    def answer_together(self, messages: Sequence[Sent]) -> list[bytes | Later]:
        """Take the messages in that can be taken in one transaction, and give each one's acknowledgement.

        Of the others this gives what is to be called for it: that may have to wait for somebody else's transaction.
        """
        read = self._read(messages)
        orders = {place: one.order for place, one in enumerate(read) if isinstance(one, _Read) and one.order}
        outcomes = dict(zip(orders, self._take_together(list(orders.values())), strict=True))
        return [self._answer_or_later(one, outcomes.get(place)) for place, one in enumerate(read)]

    def refuse(self, beginning: bytes) -> bytes:
        """Give the answer to a message that is too long, of which only the beginning came."""
        fault = MessageFault(
            "MSH",
            Condition.DATA_TYPE_ERROR,
            f"messages longer than {self.limits.max_message_bytes} bytes are not taken",
        )
        try:
            header = read_header(beginning)
        except MessageFault:
            header = UNREADABLE
        return _acknowledge(header, Code.REJECTED, fault)

    def _read(self, messages: Sequence[Sent]) -> list[_Read | _Unread]:
        """Read messages, each by the dialect of its sender."""
        headers = [_header_of(one.message) for one in messages]
        try:
            with self.engine.begin() as connection:
                received_at = now(connection)
                homes = _homes_of(connection, {one.sending_facility for one in headers if isinstance(one, Header)})
        except DBAPIError as error:
            known = (one if isinstance(one, Header) else one.header for one in headers)
            return [_Unread(header, error) for header in known]
        return [
            self._read_one(sent, one, homes, received_at) if isinstance(one, Header) else one
            for sent, one in zip(messages, headers, strict=True)
        ]

    def _read_one(
        self, sent: Sent, header: Header, homes: Mapping[str, Row[Any]], received_at: datetime
    ) -> _Read | _Unread:
        try:
            home = _home_of(sent, header, homes)
            acts = acts_of(sent.message, header, home.trust_ods, _dialect_of(home), received_at)
        except Exception as error:
            return _Unread(header, error)
        self.ear.hear(header.sending_facility, home.trust_ods)
        return _Read(header, acts)

    def _take_together(self, orders: list[Order]) -> list[Outcome | None]:
        """Take plain orders of many messages in one transaction; where that fails, none of them is taken."""
        if not orders:
            return []
        try:
            with self.engine.begin() as connection:
                self._be_patient(connection)
                connection.execute(_WAIT_FOR_NOBODY)
                outcomes = receive_new_orders(connection, orders)
        except Exception as error:
            log.warning("orders not taken together", count=len(orders), error=type(error).__name__)
            return [None] * len(orders)
        taken = Counter(one.value for one in outcomes if one is not None)
        log.info("orders taken together", outcomes=dict(taken))
        return outcomes

    def _answer_or_later(self, one: _Read | _Unread, outcome: Outcome | None) -> bytes | Later:
        if outcome is not None:
            return _acknowledge(one.header, Code.ACCEPTED)
        if isinstance(one, _Read):
            return partial(self._answer_alone, one)
        return partial(self._answer_failed, one.header, one.error)

    def _answer_alone(self, read: _Read) -> bytes:
        try:
            outcomes = [self._in_one_transaction(act.do) for act in read.acts]
        except Exception as error:
            return self._answer_failed(read.header, error)
        log.info("message taken", kind=read.header.kind, outcomes=[outcome.value for outcome in outcomes])
        return _acknowledge(read.header, Code.ACCEPTED)

    def _answer_failed(self, header: Header, error: Exception) -> bytes:
        if isinstance(error, MessageFault):
            log.warning("message refused", place=error.place, condition=error.condition.name)
            self._note_refusal(header, error)
            return _acknowledge(header, Code.REJECTED, error)
        if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
            log.warning("message not taken, the database is away", error=type(error).__name__)
            return _acknowledge(header, Code.ERROR, _internal("the database is away; send the message again"))
        log.error("message not taken", error=type(error).__name__)
        return _acknowledge(header, Code.ERROR, _internal("the message could not be taken now; send it again"))

    def _in_one_transaction(self, act: Callable[[Connection], Outcome]) -> Outcome:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.engine.begin() as connection:
                    self._be_patient(connection)
                    return act(connection)
            except DBAPIError as error:
                if attempt == _ATTEMPTS or not isinstance(error.orig, _COLLISIONS):
                    raise
        raise AssertionError  # the loop returns or raises

    def _be_patient(self, connection: Connection) -> None:
        connection.execute(_PATIENCE, {"milliseconds": str(int(self.limits.statement_seconds * 1000))})

    def _note_refusal(self, header: Header, fault: MessageFault) -> None:
        """Put a message that cannot be taken into the list that people see, by its kind and never its content."""
        try:
            with self.engine.begin() as connection:
                home = connection.execute(
                    select(ris).where(ris.c.sending_facility == header.sending_facility)
                ).one_or_none()
                open_doubt(
                    connection,
                    "message-refused",
                    trust=home.trust_ods if home else None,
                    source=home.sending_facility if home else None,
                    detail=str(fault),
                )
        except DBAPIError as error:
            log.warning("refusal not noted", error=type(error).__name__)


async def _serve(ports: Sequence[Port], service: Service, limits: Limits, stop: threading.Event) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def watch() -> None:
        stop.wait()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, name="hl7 stop", daemon=True).start()
    desk = Desk(service.answer_together)
    await Server(ports, limits, answer=desk.answer, refuse=service.refuse).serve(ended)


def _header_of(octets: bytes) -> Header | _Unread:
    try:
        return read_header(octets)
    except MessageFault as fault:
        return _Unread(UNREADABLE, fault)


def _homes_of(connection: Connection, facilities: Collection[str]) -> dict[str, Row[Any]]:
    """Give the home RIS that MSH-4 of messages names, by that name."""
    rows = connection.execute(select(ris).where(ris.c.sending_facility.in_(facilities)))
    return {row.sending_facility: row for row in rows}


def _dialect_of(home: Row[Any]) -> Dialect:
    try:
        return _read_dialect(json.dumps(home.dialect, sort_keys=True))
    except DialectNotValid as error:
        log.error("dialect not valid", facility=home.sending_facility, why=str(error))
        raise


@lru_cache(maxsize=256)
def _read_dialect(packed: str) -> Dialect:
    return read_dialect(json.loads(packed))


def _home_of(sent: Sent, header: Header, homes: Mapping[str, Row[Any]]) -> Row[Any]:
    """Give the home RIS that sent a message: MSH-4 names it, and it stands where it is bound to."""
    home = homes.get(header.sending_facility)
    if home is None:
        raise _unknown("no RIS is known by this sending facility")
    reason = why_not_bound(sent.peer, home.address, home.certificate_subject)
    if reason:
        raise _unknown(f"a sending facility {reason}")
    return home


def _unknown(reason: str) -> MessageFault:
    return MessageFault("MSH-4", Condition.UNKNOWN_KEY_IDENTIFIER, reason)


def _internal(reason: str) -> MessageFault:
    return MessageFault("MSH", Condition.APPLICATION_INTERNAL_ERROR, reason)


def _acknowledge(header: Header, code: Code, fault: MessageFault | None = None) -> bytes:
    # By the machine's own clock: an answer must be possible without the database.
    return acknowledgement(header, code, datetime.now(UTC), uuid.uuid4().hex[:20], fault)


_COLLISIONS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation)
#: What waits for somebody else's transaction is taken by itself, so that nothing else waits with it.
_WAIT_FOR_NOBODY = text("SELECT set_config('lock_timeout', '250ms', true)")
_PATIENCE = text("SELECT set_config('statement_timeout', :milliseconds, true)")
