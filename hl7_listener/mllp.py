"""Serves MLLP connections under the limits: one message at a time on each, answered before the next.

It must not know what is in a message: a function given to it turns one into its answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from hl7_listener.framing import Framer, FrameTooLong, FramingBroken, framed
from hl7_listener.limits import Limits

#: Gives the answer to a message. What it answers is durable by then.
Answer = Callable[[bytes], Awaitable[bytes]]
#: Gives the answer to the beginning of a message that is too long.
Refuse = Callable[[bytes], bytes]

_READ_BYTES = 64 * 1024

log = structlog.get_logger(__name__)


class Server:
    """An MLLP server on a bound, listening socket, which it owns from here on.

    `answer` takes a whole message, `refuse` the beginning of one that is too long.
    """

    def __init__(self, listening_socket: socket.socket, limits: Limits, *, answer: Answer, refuse: Refuse) -> None:
        self._listening_socket = listening_socket
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
        self._listening_socket.setblocking(False)
        server = await asyncio.start_server(self._accept, sock=self._listening_socket, limit=_READ_BYTES)
        try:
            await stop.wait()
        finally:
            server.close()
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

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # gone before we looked
            writer.transport.abort()
            return
        address = _peer_address(peer)
        if not self._has_room(address):
            log.warning("connection over the limit closed", peer=address)
            writer.transport.abort()
            return
        conversation = asyncio.current_task()
        assert conversation is not None
        self._conversations.add(conversation)
        self._by_address[address] += 1
        try:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await self._converse(reader, writer, address)
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            log.info("connection ended", peer=address, why=type(error).__name__)
        finally:
            self._conversations.discard(conversation)
            self._give_back(address)
            writer.close()

    def _has_room(self, address: str) -> bool:
        return (
            self._by_address.total() < self._limits.max_connections
            and self._by_address[address] < self._limits.max_connections_per_address
        )

    def _give_back(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        framer = Framer(max_message_bytes=self._limits.max_message_bytes, max_junk_bytes=self._limits.max_junk_bytes)
        while not self._ending:
            try:
                message = await self._next_message(reader, framer)
            except FramingBroken as error:
                log.warning("connection closed", peer=address, why=str(error))
                return
            except FrameTooLong as error:
                log.warning("connection closed", peer=address, why=str(error))
                await self._send(writer, self._refuse(error.beginning))
                await self._linger(reader, writer)
                return
            if message is None:
                return
            await self._reply(writer, message)

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

    async def _reply(self, writer: asyncio.StreamWriter, message: bytes) -> None:
        conversation = asyncio.current_task()
        assert conversation is not None
        self._answering.add(conversation)
        try:
            await self._send(writer, await self._answer(message))
        finally:
            self._answering.discard(conversation)

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(framed(answer))
        async with asyncio.timeout(self._limits.answer_seconds):
            await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read on for a moment: a close with bytes unread would take our last word from the peer."""
        writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.closing_seconds):
                while await reader.read(_READ_BYTES):
                    pass


def _peer_address(peer: tuple[str, ...]) -> str:
    """Give the address in one form, so that IPv4 counts the same through a socket for both."""
    ip = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
