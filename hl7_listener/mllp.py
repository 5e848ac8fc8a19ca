"""Serves MLLP connections under the limits: one message at a time on each, answered before the next.

It must not know what is in a message: a function given to it turns one into its answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import structlog

from hl7_listener.framing import Framer, FrameTooLong, FramingBroken, framed
from hl7_listener.limits import Limits
from worklist.feeds.peer import Peer, subject_of

#: Gives the answer to a message of a peer. What it answers is durable by then.
Answer = Callable[[bytes, Peer], Awaitable[bytes]]
#: Gives the answer to the beginning of a message that is too long.
Refuse = Callable[[bytes], bytes]

_READ_BYTES = 64 * 1024
#: Pause after a connection could not be taken, in seconds.
_BREATH = 0.05

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Port:
    """A bound, listening socket, and the context in which its connections are protected, if they are."""

    listening_socket: socket.socket
    tls: ssl.SSLContext | None = None


class Server:
    """An MLLP server on ports, which it owns from here on.

    `answer` takes a whole message, `refuse` the beginning of one that is too long.
    """

    def __init__(self, ports: Sequence[Port], limits: Limits, *, answer: Answer, refuse: Refuse) -> None:
        self._ports = ports
        self._limits = limits
        self._answer = answer
        self._refuse = refuse
        self._by_address: Counter[str] = Counter()
        self._conversations: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._ending = False

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; then messages in hand are answered and the rest is closed."""
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(self._limits.workers, thread_name_prefix="hl7")
        )
        doors = [asyncio.create_task(self._admit(port)) for port in self._ports]
        try:
            await stop.wait()
        finally:
            for door in doors:
                door.cancel()
            await asyncio.gather(*doors, return_exceptions=True)
            for port in self._ports:
                port.listening_socket.close()
            await self._end()

    async def _end(self) -> None:
        self._ending = True
        for conversation in self._conversations - self._answering:
            conversation.cancel()
        if self._conversations:
            _, late = await asyncio.wait(self._conversations, timeout=self._limits.drain_seconds)
            for conversation in late:
                conversation.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _admit(self, port: Port) -> None:
        """Take connections; each holds a place from here on, also before its handshake is done."""
        loop = asyncio.get_running_loop()
        port.listening_socket.setblocking(False)
        while True:
            try:
                connection, peer = await loop.sock_accept(port.listening_socket)
            except OSError as error:  # no descriptor left, or the peer has gone
                log.warning("connection not taken", why=type(error).__name__)
                await asyncio.sleep(_BREATH)
                continue
            address = _peer_address(peer)
            if not self._has_room(address):
                log.warning("connection over the limit closed", peer=address)
                connection.close()
                continue
            self._by_address[address] += 1
            conversation = asyncio.create_task(self._hold(connection, address, port.tls))
            self._conversations.add(conversation)
            conversation.add_done_callback(self._conversations.discard)

    async def _hold(self, connection: socket.socket, address: str, tls: ssl.SSLContext | None) -> None:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, writer = await self._opened(connection, tls)
            try:
                await self._converse(reader, writer, _peer_of(address, writer))
            finally:
                writer.close()
        except ssl.SSLError as error:
            log.warning("connection not protected", peer=address, why=error.reason or "handshake failed")
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            log.info("connection ended", peer=address, why=type(error).__name__)
        finally:
            connection.close()
            self._give_back(address)

    async def _opened(
        self, connection: socket.socket, tls: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        seconds = self._limits.message_seconds if tls else None
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=tls, ssl_handshake_timeout=seconds
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _has_room(self, address: str) -> bool:
        return (
            self._by_address.total() < self._limits.max_connections
            and self._by_address[address] < self._limits.max_connections_per_address
        )

    def _give_back(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        framer = Framer(max_message_bytes=self._limits.max_message_bytes, max_junk_bytes=self._limits.max_junk_bytes)
        while not self._ending:
            try:
                message = await self._next_message(reader, framer)
            except FramingBroken as error:
                log.warning("connection closed", peer=peer.address, why=str(error))
                return
            except FrameTooLong as error:
                log.warning("connection closed", peer=peer.address, why=str(error))
                await self._send(writer, self._refuse(error.beginning))
                await self._linger(reader, writer)
                return
            if message is None:
                return
            await self._reply(writer, message, peer)

    async def _next_message(self, reader: asyncio.StreamReader, framer: Framer) -> bytes | None:
        """Wait for the next message; None when the peer has closed. Junk keeps no connection alive."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.idle_seconds
        in_message = False
        while (message := framer.next_message()) is None:
            if framer.begun and not in_message:
                in_message, until = True, loop.time() + self._limits.message_seconds
            async with asyncio.timeout_at(until):
                octets = await reader.read(_READ_BYTES)
            if not octets:
                return None
            framer.feed(octets)
        return message

    async def _reply(self, writer: asyncio.StreamWriter, message: bytes, peer: Peer) -> None:
        conversation = asyncio.current_task()
        assert conversation is not None
        self._answering.add(conversation)
        try:
            await self._send(writer, await self._answer(message, peer))
        finally:
            self._answering.discard(conversation)

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(framed(answer))
        async with asyncio.timeout(self._limits.answer_seconds):
            await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read on for a moment: a close with bytes unread would take our last word from the peer."""
        if writer.can_write_eof():  # TLS cannot
            writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.closing_seconds):
                while await reader.read(_READ_BYTES):
                    pass


def _peer_of(address: str, writer: asyncio.StreamWriter) -> Peer:
    """Give who stands at the other end; with TLS its certificate was verified in the handshake."""
    protection = writer.get_extra_info("ssl_object")
    if protection is None:
        return Peer(address)
    certificate = protection.getpeercert(binary_form=True)
    return Peer(address, protected=True, certificate_subject=subject_of(certificate) if certificate else None)


def _peer_address(peer: tuple[str, ...]) -> str:
    """Give the address in one form, so that IPv4 counts the same through a socket for both."""
    ip = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
