"""Joins the RIS side to the worklist: whose message it is, which use case takes it, and what is answered.

Acceptance is answered only after the commit. It must not log or answer what a message says, and
knows no field of it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import psycopg.errors
import structlog
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from allocation.home_finals import take_home_report
from hl7_listener.acknowledgement import UNREADABLE, Code, acknowledgement
from hl7_listener.dialect import Dialect, DialectNotValid, read_dialect
from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import Header, read_header
from hl7_listener.limits import Limits
from hl7_listener.mllp import Server
from hl7_listener.orders import read_orders
from hl7_listener.patients import read_merges, read_unlink, read_update
from hl7_listener.results import read_home_reports
from worklist.clock import now
from worklist.db.tables.network import ris
from worklist.doubts import open_doubt
from worklist.feeds import Ear, FeedKind
from worklist.home_reading import receive_home_reading
from worklist.intake.orders import Order, Outcome, receive_order
from worklist.patients.merges import CyclicMerge, Merge, receive_merges, receive_unlink
from worklist.patients.updates import receive_update

#: A message whose transaction met another one's is tried this often before its sender is asked to.
_ATTEMPTS = 3

log = structlog.get_logger(__name__)


def serve(
    listening_socket: socket.socket, engine: Engine, limits: Limits, stop: threading.Event, ear: Ear | None = None
) -> None:
    """Serve MLLP on a bound, listening socket until `stop` is set; messages in hand are answered first.

    `ear` counts what is heard of each RIS.
    """
    service = Service(engine, limits, ear or Ear(FeedKind.HL7))
    asyncio.run(_serve(listening_socket, service, limits, stop))


@dataclass(frozen=True, slots=True)
class Service:
    """What becomes of a message, over one engine; used from many threads."""

    engine: Engine
    limits: Limits
    ear: Ear = field(default_factory=lambda: Ear(FeedKind.HL7))

    def answer(self, octets: bytes) -> bytes:
        """Take a message in and give its acknowledgement; what it accepts is durable."""
        header = UNREADABLE
        try:
            header = read_header(octets)
            outcomes = self._take(octets, header)
        except MessageFault as fault:
            log.warning("message refused", place=fault.place, condition=fault.condition.name)
            self._note_refusal(header, fault)
            return _acknowledge(header, Code.REJECTED, fault)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            log.warning("message not taken, the database is away", error=type(error).__name__)
            return _acknowledge(header, Code.ERROR, _internal("the database is away; send the message again"))
        except Exception as error:
            log.error("message not taken", error=type(error).__name__)
            return _acknowledge(header, Code.ERROR, _internal("the message could not be taken now; send it again"))
        log.info("message taken", kind=header.kind, outcomes=[outcome.value for outcome in outcomes])
        return _acknowledge(header, Code.ACCEPTED)

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

    def _take(self, octets: bytes, header: Header) -> list[Outcome]:
        read = _READERS.get((header.message_type, header.event))
        if read is None:
            raise _unsupported(header)
        with self.engine.begin() as connection:
            trust, dialect = _home_of(connection, header)
            acts = read(octets, header, trust, dialect, now(connection))
        self.ear.hear(header.sending_facility, trust)
        return [self._in_one_transaction(act) for act in acts]

    def _in_one_transaction(self, act: Callable[[Connection], Outcome]) -> Outcome:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.engine.begin() as connection:
                    connection.execute(_PATIENCE, {"milliseconds": str(int(self.limits.statement_seconds * 1000))})
                    return act(connection)
            except DBAPIError as error:
                if attempt == _ATTEMPTS or not isinstance(error.orig, _COLLISIONS):
                    raise
        raise AssertionError  # the loop returns or raises

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


async def _serve(listening_socket: socket.socket, service: Service, limits: Limits, stop: threading.Event) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def watch() -> None:
        stop.wait()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, name="hl7 stop", daemon=True).start()
    await Server(listening_socket, limits, answer=service.answer, refuse=service.refuse).serve(ended)


def _home_of(connection: Connection, header: Header) -> tuple[str, Dialect]:
    """Give the trust and the dialect of the RIS that MSH-4 names."""
    row = connection.execute(select(ris).where(ris.c.sending_facility == header.sending_facility)).one_or_none()
    if row is None:
        raise MessageFault("MSH-4", Condition.UNKNOWN_KEY_IDENTIFIER, "no RIS is known by this sending facility")
    try:
        return row.trust_ods, read_dialect(row.dialect)
    except DialectNotValid as error:
        log.error("dialect not valid", facility=row.sending_facility, why=str(error))
        raise


def _orders(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[_Act]:
    orders = read_orders(octets, header, trust, dialect, received_at)
    return [
        partial(receive_order, order=one) if isinstance(one, Order) else partial(receive_home_reading, stated=one)
        for one in orders
    ]


def _home_reports(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[_Act]:
    reports = read_home_reports(octets, header, trust, dialect, received_at)
    return [partial(take_home_report, report=one) for one in reports]


def _update(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[_Act]:
    return [partial(receive_update, sent=read_update(octets, header, trust, dialect, received_at))]


def _merges(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[_Act]:
    merges, updates = read_merges(octets, header, trust, dialect, received_at)
    acts: list[_Act] = [partial(_take_merges, merges=merges)] if merges else []
    return [*acts, *(partial(receive_update, sent=one) for one in updates)]


def _take_merges(connection: Connection, merges: list[Merge]) -> Outcome:
    try:
        return receive_merges(connection, merges)
    except CyclicMerge as error:
        raise MessageFault("MRG-1", Condition.DUPLICATE_KEY_IDENTIFIER, str(error)) from None


def _unlink(octets: bytes, header: Header, trust: str, dialect: Dialect, received_at: datetime) -> list[_Act]:
    return [partial(receive_unlink, unlink=read_unlink(octets, header, trust, dialect, received_at))]


def _unsupported(header: Header) -> MessageFault:
    known = {message_type for message_type, _ in _READERS}
    condition = Condition.UNSUPPORTED_EVENT_CODE if header.message_type in known else Condition.UNSUPPORTED_MESSAGE_TYPE
    supported = ", ".join("^".join(one) for one in _READERS)
    return MessageFault("MSH-9", condition, f"messages taken here are {supported}")


def _internal(reason: str) -> MessageFault:
    return MessageFault("MSH", Condition.APPLICATION_INTERNAL_ERROR, reason)


def _acknowledge(header: Header, code: Code, fault: MessageFault | None = None) -> bytes:
    # By the machine's own clock: an answer must be possible without the database.
    return acknowledgement(header, code, datetime.now(UTC), uuid.uuid4().hex[:20], fault)


_Act = Callable[[Connection], Outcome]
_READERS: dict[tuple[str, str], Callable[[bytes, Header, str, Dialect, datetime], list[_Act]]] = {
    ("ORM", "O01"): _orders,
    ("OMI", "O23"): _orders,
    ("ORU", "R01"): _home_reports,
    ("ADT", "A08"): _update,
    ("ADT", "A31"): _update,
    ("ADT", "A40"): _merges,
    ("ADT", "A47"): _merges,
    ("ADT", "A37"): _unlink,
}
_COLLISIONS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation)
_PATIENCE = text("SELECT set_config('statement_timeout', :milliseconds, true)")
