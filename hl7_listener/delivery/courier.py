"""Brings messages to home RIS over MLLP: one courier for each, so that one that is away stops nobody else.

A message is sent, and sent again, until the RIS answers it; it is out of the line only when that is
written down. It must not decide what is told or what an answer means.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from hl7_listener.delivery import line
from hl7_listener.delivery.answer import NO_ANSWER, Answer, Verdict, read_answer
from hl7_listener.delivery.facts import NotToBeSent, read_telling
from hl7_listener.delivery.line import Taken
from hl7_listener.delivery.writing import write
from hl7_listener.dialect import Dialect, DialectNotValid, read_dialect
from hl7_listener.framing import Framer, FrameTooLong, FramingBroken, framed
from worklist.db.tables.network import ris
from worklist.home.told import MAY_BE_TOLD, DeliveryState
from worklist.log import events

log = structlog.get_logger(__name__)

_MAX_ANSWER_BYTES = 64 * 1024
_READ_BYTES = 16 * 1024
#: By the clock the line is looked at this often; a RIS that is away is tried again after the pause at first.
_LOOK_SECONDS, _SHORTEST_PAUSE = 1.0, 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """How long couriers wait, in seconds.

    `connect` and `answer` are for the RIS; a message that nobody settled comes back into the line after `lease`;
    `away` is the longest pause before a RIS that does not take connections is tried again; a connection without
    work is closed after `idle`. A report is undelivered, and pages somebody, after `undelivered`.
    """

    connect: float = 5.0
    answer: float = 30.0
    lease: float = 60.0
    away: float = 15.0
    idle: float = 20.0
    undelivered: float = 900.0


@dataclass(frozen=True, slots=True)
class Home:
    """Where a RIS takes messages, and how it wants them."""

    facility: str
    host: str
    port: int
    dialect: Dialect
    tls: bool = False


def homes(engine: Engine) -> dict[str, Home]:
    """Give every RIS that takes messages; one whose dialect is not valid is told nothing until it is mended."""
    found = {}
    with engine.connect() as connection:
        for row in connection.execute(select(ris).where(ris.c.host.is_not(None), ris.c.port.is_not(None))):
            try:
                found[row.sending_facility] = Home(
                    row.sending_facility, row.host, row.port, read_dialect(row.dialect), row.tls
                )
            except DialectNotValid as error:
                log.error("dialect not valid; nothing is sent", facility=row.sending_facility, why=str(error))
    return found


def follow(engine: Engine) -> int:
    """Put in line what the events ask to be told, up to the newest; gives how many events were taken."""
    taken = 0
    while count := events.consume(engine, line.CONSUMER, line.put_in_line, kinds=MAY_BE_TOLD):
        taken += count
    return taken


class Courier:
    """Brings one RIS its messages, over one connection that is kept while there is work."""

    def __init__(self, engine: Engine, home: Home, patience: Patience, tls: ssl.SSLContext | None = None) -> None:
        self._engine = engine
        self._home = home
        self._patience = patience
        self._tls = tls
        self._connection: socket.socket | None = None
        self._framer = _framer()

    def deliver(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Send what is in line until it is empty, the RIS is away or `stop`; gives how many it took.

        Raises
        ------
        OSError
            When the RIS takes no connection; nothing was taken out of the line.
        """
        acknowledged = 0
        while not stop():
            with self._engine.begin() as connection:
                if not line.is_anything_due(connection, self._home.facility):
                    return acknowledged
            self._connect()
            with self._engine.begin() as connection:
                taken = line.take_next(connection, self._home.facility, lease_seconds=self._patience.lease)
            if taken is None:
                return acknowledged
            message = self._message(taken)
            answer = message if isinstance(message, Answer) else self._ask(message, taken)
            with self._engine.begin() as connection:
                state = line.note_answer(connection, taken, answer)
            if state is DeliveryState.ACKNOWLEDGED:
                acknowledged += 1
            else:
                log.warning(
                    "message not taken",
                    facility=self._home.facility,
                    delivery=taken.id,
                    notice=taken.notice.value,
                    attempt=taken.attempt,
                    answer=answer.codes,
                    state=state.value,
                )
        return acknowledged

    def close(self) -> None:
        """Close the connection; the next message opens one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _message(self, taken: Taken) -> bytes | Answer:
        """Write a message; one that cannot be written is for a person, and must not hold up those behind it."""
        try:
            with self._engine.begin() as connection:
                telling = read_telling(connection, taken)
            return write(telling, self._home.dialect.sent, self._home.dialect.character_set)
        except DBAPIError:
            raise
        except NotToBeSent as why:
            return Answer(Verdict.NEVER, str(why))
        except Exception as error:
            log.exception("message cannot be written", facility=self._home.facility, delivery=taken.id)
            return Answer(Verdict.NEVER, f"it cannot be written ({type(error).__name__})")

    def _connect(self) -> None:
        if self._connection is not None and not self._is_broken():
            return
        self.close()
        connection = socket.create_connection((self._home.host, self._home.port), timeout=self._patience.connect)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = self._protected(connection) if self._home.tls else connection
        self._framer = _framer()

    def _protected(self, connection: socket.socket) -> socket.socket:
        try:
            if self._tls is None:
                raise ConnectionError("it takes messages over TLS, and there is no certificate of ours to show it")
            return self._tls.wrap_socket(connection, server_hostname=self._home.host)
        except OSError as error:
            connection.close()
            log.warning("connection not protected", facility=self._home.facility, why=str(error))
            raise

    def _is_broken(self) -> bool:
        """Whether the RIS closed the connection meanwhile, or said something that nobody asked for."""
        assert self._connection is not None
        self._connection.setblocking(False)
        try:
            # TLS has no look ahead; what is taken here was not asked for, and ends the connection.
            self._connection.recv(1) if self._home.tls else self._connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def _ask(self, message: bytes, taken: Taken) -> Answer:
        assert self._connection is not None
        try:
            self._connection.settimeout(self._patience.answer)
            self._connection.sendall(framed(message))
            while (octets := self._framer.next_message()) is None:
                received = self._connection.recv(_READ_BYTES)
                if not received:
                    raise ConnectionError
                self._framer.feed(received)
        except (OSError, FrameTooLong, FramingBroken):
            self.close()
            return NO_ANSWER
        answer = read_answer(octets, taken.control_id)
        if answer.verdict is Verdict.NO_ANSWER:
            self.close()  # whose answer comes next nobody could tell
        return answer


class Post:
    """The couriers of all RIS: keeps one for each that takes messages, as the configuration changes.

    Used from one thread.
    """

    def __init__(
        self, engine: Engine, patience: Patience, stop: threading.Event, tls: ssl.SSLContext | None = None
    ) -> None:
        self._engine = engine
        self._patience = patience
        self._stop = stop
        self._tls = tls
        self._rounds: dict[str, _Round] = {}
        self._dismissed: list[_Round] = []

    def step(self) -> None:
        """Put new messages in line and wake the couriers for them."""
        if follow(self._engine):
            for one in self._rounds.values():
                one.wake.set()

    def refresh(self) -> None:
        """Read anew where RIS are; page somebody for reports that do not arrive."""
        wanted = homes(self._engine)
        for facility, running in list(self._rounds.items()):
            if wanted.get(facility) != running.home:
                running.dismiss()  # what it has in hand is leased to it: its successor need not wait
                self._dismissed.append(self._rounds.pop(facility))
        for facility, home in wanted.items():
            if facility not in self._rounds:
                self._rounds[facility] = _Round(
                    Courier(self._engine, home, self._patience, self._tls), home, self._patience, self._stop
                )
        with self._engine.begin() as connection:
            line.page_undelivered(connection, after_seconds=self._patience.undelivered)

    def end(self) -> None:
        """Wait for the couriers to finish what they have in hand."""
        ending = [*self._rounds.values(), *self._dismissed]
        for one in ending:
            one.dismiss()
        for one in ending:
            one.join()


class _Round:
    """A courier's thread: delivers whenever it is woken, and by the clock what is to be sent again."""

    def __init__(self, courier: Courier, home: Home, patience: Patience, stop: threading.Event) -> None:
        self.home = home
        self.wake = threading.Event()
        self._dismissed = threading.Event()
        self._stop = stop
        self._patience = patience
        self._courier = courier
        self._thread = threading.Thread(target=self._run, name=f"courier {home.facility}", daemon=True)
        self._thread.start()

    def dismiss(self) -> None:
        """End the round when the message in hand is seen to."""
        self._dismissed.set()
        self.wake.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        pause, idle_since = _SHORTEST_PAUSE, time.monotonic()
        while not self._is_over():
            self.wake.clear()
            try:
                if self._courier.deliver(self._is_over):
                    pause, idle_since = _SHORTEST_PAUSE, time.monotonic()
            except OSError as error:
                log.warning("RIS is away", facility=self.home.facility, error=type(error).__name__)
                self._rest(pause)
                pause = min(pause * 2, self._patience.away)
                continue
            except Exception as error:
                # Whatever it is, this RIS must not stay without its reports until a restart.
                log.warning("not delivered; will try again", facility=self.home.facility, error=type(error).__name__)
                self._rest(_LOOK_SECONDS)
                continue
            if time.monotonic() - idle_since > self._patience.idle:
                self._courier.close()
            self.wake.wait(_LOOK_SECONDS)
        self._courier.close()

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_over() and time.monotonic() < until:
            self._dismissed.wait(_SHORTEST_PAUSE)

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._dismissed.is_set()


def _framer() -> Framer:
    return Framer(max_message_bytes=_MAX_ANSWER_BYTES, max_junk_bytes=1024)
