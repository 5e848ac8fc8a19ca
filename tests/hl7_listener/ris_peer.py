"""A home RIS for tests: its messages, and a raw MLLP peer that can also break the protocol."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

import worklist.feeds.peer
from hl7_listener.desk import Sent
from hl7_listener.framing import Framer, framed
from hl7_listener.limits import Limits
from hl7_listener.mllp import Port
from hl7_listener.service import serve

_ids = itertools.count(1)
#: Who stands at the other end of a message that no connection brought.
PEER = worklist.feeds.peer.Peer("127.0.0.1")
PID = "PID|1||H100^^^RXA^PI~999 000 0018^^^NHS^NH||Test^Tilda||19800611|F"


def order(
    control: str = "NW",
    accession: str = "000123",
    *,
    minute: int = 0,
    kind: str = "ORM^O01",
    facility: str = "RIS_A",
    msh_18: str = "",
    pid: str = PID,
    pv1: str = "PV1|1|I|WARD4",
    orc_7: str = "",
    obr: str = "OBR|1|P77||XCHES^XR Chest^NICIP",
    more: str = "",
) -> str:
    """An order message, made `minute` minutes after ten o'clock in London on the day of the tests."""
    segments = (
        msh(kind, facility, minute, msh_18),
        pid,
        pv1,
        f"ORC|{control}|P77|{accession}||||{orc_7}",
        obr,
        more,
    )
    return "\r".join(segment for segment in segments if segment)


def result(
    status: str = "F", accession: str = "000123", *, minute: int = 30, facility: str = "RIS_A", pid: str = PID
) -> str:
    """A result message with the words of a report."""
    made = f"2026061010{minute:02d}"
    return "\r".join(
        (
            msh("ORU^R01", facility, minute),
            pid,
            f"ORC|RE||{accession}",
            f"OBR|1|P77|REP1|XCHES^XR Chest^NICIP||||||||||||||||||{made}|||{status}",
            "OBX|1|TX|XCHES||The lungs are clear. ^~\\&||||||" + status,
        )
    )


def adt(event: str, *segments: str, minute: int = 0, facility: str = "RIS_A", evn_2: str = "") -> str:
    """A message on patients, made `minute` minutes after ten o'clock in London on the day of the tests."""
    made = evn_2 or f"2026061010{minute:02d}"
    return "\r".join((msh(f"ADT^{event}", facility, minute), f"EVN|{event[:3]}|{made}", *segments))


def msh(kind: str, facility: str = "RIS_A", minute: int = 0, msh_18: str = "", *, control_id: str | None = None) -> str:
    control_id = f"MSG{next(_ids)}" if control_id is None else control_id
    return f"MSH|^~\\&|RIS|{facility}|RADPOOL|NET|2026061010{minute:02d}||{kind}|{control_id}|P|2.4||||||{msh_18}"


@dataclass
class Peer:
    """One connection to the listener."""

    connection: socket.socket
    _framer: Framer = field(default_factory=lambda: Framer(max_message_bytes=1 << 20, max_junk_bytes=0))

    def tell(self, message: str | bytes) -> list[list[str]]:
        """Send a message and give the acknowledgement as segments of fields."""
        self.send(message)
        return self.hear()

    def send(self, message: str | bytes) -> None:
        self.connection.sendall(framed(message.encode("latin_1") if isinstance(message, str) else message))

    def hear(self) -> list[list[str]]:
        while (answer := self._framer.next_message()) is None:
            octets = self.connection.recv(65536)
            if not octets:
                raise ConnectionError("the listener closed")
            self._framer.feed(octets)
        text = answer.decode("latin_1")  # it is answered with the field separator of the message
        return [segment.split(text[3]) for segment in text.split("\r") if segment]

    def is_closed(self) -> bool:
        """Whether the listener ends the connection; waits for it."""
        try:
            return self.connection.recv(1) == b""
        except ConnectionError:
            return True


def sent(message: str) -> Sent:
    """A message as the listener takes it from a connection of this machine."""
    return Sent(message.encode(), PEER)


def code_of(acknowledgement: list[list[str]]) -> str:
    return next(segment[1] for segment in acknowledgement if segment[0] == "MSA")


def error_of(acknowledgement: list[list[str]]) -> str:
    return next(segment[8] for segment in acknowledgement if segment[0] == "ERR")


@contextmanager
def listening(engine: Engine, limits: Limits | None = None, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run the listener in a thread and give its port."""
    listening_socket = socket.create_server(("127.0.0.1", 0), backlog=200)
    ports = [Port(listening_socket, tls)]
    port = int(listening_socket.getsockname()[1])
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(ports, engine, limits or Limits(), stop))
    thread.start()
    try:
        yield port
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def connected(port: int) -> Iterator[Peer]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield Peer(connection)
