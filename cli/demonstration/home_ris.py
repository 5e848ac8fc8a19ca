"""The home RIS of a demonstration: one for each trust, on a port of its own, that takes messages over MLLP.

Each answers AA to reports (ORU^R01) and notices (ORM^O01) that name an accession of its trust's, and counts what it
took once for each control id. They must not tell the server anything.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from allocation.configuration.document import Network, Ris
from hl7_listener.fault import MessageFault
from hl7_listener.framing import Framer, FrameTooLong, FramingBroken, framed
from hl7_listener.header import Header, codec_of, read_header
from worklist.home.told import Locks

_HOST = "127.0.0.1"
_MOST_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_REPORT, _NOTICE = "ORU^R01", "ORM^O01"


@dataclass(frozen=True, slots=True)
class Taken:
    """What home RIS took: reports by their standing (`P`, `F`, `C`), notices, and reports by trust."""

    reports: Mapping[str, int]
    notices: int
    by_trust: Mapping[str, int]

    @property
    def all_reports(self) -> int:
        """How many reports arrived."""
        return sum(self.reports.values())


@dataclass(slots=True)
class HomeRis:
    """One RIS: whose it is, where it takes messages, and what it took by control id."""

    trust: str
    facility: str
    listening: socket.socket
    taken: dict[str, str] = field(default_factory=dict)
    _connections: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listening.getsockname()[1])

    def serve(self) -> None:
        """Take connections until the listening socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                with self._lock:
                    self._connections.append(connection)
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """End listening and break what is connected."""
        for one in (self.listening, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def standings(self) -> list[str]:
        """Give of each message taken the report's standing; empty for a notice."""
        with self._lock:
            return list(self.taken.values())

    def answer(self, message: bytes) -> bytes:
        """Answer one message: AA for what it takes, AR for what it could file nowhere."""
        header = read_header(message)
        segments = _segments(message, header)
        accession = segments.get("ORC", [])[3:4]
        is_ours = header.receiving_facility == self.facility and header.kind in (_REPORT, _NOTICE)
        if not is_ours or not any(accession):
            return _acknowledge(header, "AR")
        with self._lock:
            self.taken[header.control_id] = segments["OBR"][25] if header.kind == _REPORT else ""
        return _acknowledge(header, "AA")

    def _converse(self, connection: socket.socket) -> None:
        framer = Framer(max_message_bytes=_MOST_BYTES, max_junk_bytes=0)
        with connection, suppress(OSError, FrameTooLong, FramingBroken, MessageFault):
            while octets := connection.recv(_READ_BYTES):
                framer.feed(octets)
                while (message := framer.next_message()) is not None:
                    connection.sendall(framed(self.answer(message)))


@contextmanager
def home_systems(network: Network) -> Iterator[HomeSystems]:
    """Run a RIS for each of a network's until the block ends."""
    systems = [HomeRis(row.trust, row.sending_facility, socket.create_server((_HOST, 0))) for row in network.ris]
    threads = [threading.Thread(target=one.serve, name=f"RIS of {one.trust}", daemon=True) for one in systems]
    for thread in threads:
        thread.start()
    try:
        yield HomeSystems(systems)
    finally:
        for one in systems:
            one.close()
        for thread in threads:
            thread.join()


@dataclass(frozen=True, slots=True)
class HomeSystems:
    """The RIS of a demonstration, at work."""

    systems: Sequence[HomeRis]

    def connected(self, network: Network) -> Network:
        """Give the network as it is when these RIS are there: they take messages, and keep their own people out."""
        ports = {one.facility: one.port for one in self.systems}
        rows = tuple(_at(row, ports[row.sending_facility]) for row in network.ris)
        return network.model_copy(update={"ris": rows})

    def taken(self) -> Taken:
        """Give what was taken so far."""
        standings = {one.trust: one.standings() for one in self.systems}
        every = [standing for of_trust in standings.values() for standing in of_trust]
        by_trust = {trust: sum(map(bool, of_trust)) for trust, of_trust in sorted(standings.items())}
        return Taken(Counter(filter(None, every)), every.count(""), by_trust)


def _at(row: Ris, port: int) -> Ris:
    return row.model_copy(update={"host": _HOST, "port": port, "locks": Locks.HONOURED})


def _segments(message: bytes, header: Header) -> dict[str, list[str]]:
    """Give the fields of the first segment of each name; the name is field 0."""
    lines = message.decode(codec_of(header.character_set, "MSH-18")).split("\r")
    found: dict[str, list[str]] = {}
    for fields in (line.split(header.separators[0]) for line in lines if line):
        found.setdefault(fields[0], fields)
    return found


def _acknowledge(header: Header, code: str) -> bytes:
    separator = header.separators[0]
    beginning = separator.join(["MSH", header.separators[1:], header.receiving_application, header.receiving_facility])
    control_id = f"A{header.control_id}"[:20]
    rest = ["", "", "ACK", control_id, "P", header.version]
    head = separator.join([beginning, header.sending_application, header.sending_facility, *rest])
    return f"{head}\r{separator.join(['MSA', code, header.control_id])}\r".encode()
