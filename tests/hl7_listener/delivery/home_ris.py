"""A home RIS that takes messages over MLLP: it answers as it is told to, can be away, and can be killed."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from hl7_listener.framing import Framer, framed

#: Gives the answer to a message, or None for none.
Answers = Callable[[list[list[str]]], str | None]


def fields_of(message: bytes) -> list[list[str]]:
    """Give a message as segments of fields; `fields[0]` is the segment's name, MSH-2 stands at 1."""
    return [line.split("|") for line in message.decode("utf-8").split("\r") if line]


def control_id_of(message: list[list[str]]) -> str:
    return message[0][9]


def answer(code: str, message: list[list[str]], more: str = "") -> str:
    head = "MSH|^~\\&|RIS|RIS_A|RADPOOL|RADPOOL|20260610110000+0100||ACK|A1|P|2.4"
    return "\r".join(part for part in (head, f"MSA|{code}|{control_id_of(message)}", more) if part) + "\r"


def accepting(message: list[list[str]]) -> str:
    return answer("AA", message)


@dataclass
class HomeRis:
    """A RIS on a port of its own; `taken` is what it answered AA to, `heard` all that came."""

    port: int
    answers: Answers = accepting
    tls: ssl.SSLContext | None = None
    heard: list[list[list[str]]] = field(default_factory=list)
    taken: list[list[list[str]]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def converse(self, connection: socket.socket) -> None:
        framer = Framer(max_message_bytes=1 << 20, max_junk_bytes=0)
        with suppress(OSError), self._secured(connection) as connection:
            while octets := connection.recv(65536):
                framer.feed(octets)
                while (message := framer.next_message()) is not None:
                    said = fields_of(message)
                    reply = self.answers(said)
                    with self._lock:
                        self.heard.append(said)
                        self.raw.append(message)
                        if reply is not None and "\rMSA|AA|" in reply:
                            self.taken.append(said)
                    if reply is None:
                        return
                    connection.sendall(framed(reply.encode()))

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)


@contextmanager
def home_ris(answers: Answers = accepting, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[HomeRis]:
    """Run a RIS until the end of the block; its connections break then."""
    server = socket.create_server(("127.0.0.1", port))
    ris = HomeRis(server.getsockname()[1], answers, tls)
    open_connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                ris.connections += 1
                open_connections.append(connection)
                threading.Thread(target=ris.converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield ris
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        for connection in open_connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
