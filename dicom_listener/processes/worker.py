"""Runs the associations of the connections that the acceptor hands over, a thread each.

It must not accept connections, count them or know the database: what it asks for comes over the link.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

from dicom_listener.admission import Admit
from dicom_listener.limits import Limits
from dicom_listener.processes.link import Link, LinkLost
from dicom_listener.tls import NotProtected, certificate_subject, wrapped
from dicom_listener.upper_layer.association import Association, Service
from dicom_listener.upper_layer.negotiator import Negotiator
from dicom_listener.upper_layer.stream import Drain
from worklist.feeds.peer import Peer

#: An association calls no deeper than this, and two hundred may be open.
_STACK_BYTES = 512 * 1024


class Worker:
    """One worker.

    `tls` is the context of protected connections, `on_unprotected` is told of failed handshakes, `on_told` of
    messages that concern others: the journal, above all.
    """

    def __init__(
        self,
        link: Link,
        limits: Limits,
        admit: Admit,
        services: Mapping[int, Service],
        log: logging.Logger,
        *,
        tls: ssl.SSLContext | None = None,
        on_unprotected: Callable[[str, str], None] | None = None,
        on_told: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._link = link
        self._limits = limits
        self._negotiator = Negotiator(limits.max_pdu_bytes)
        self._admit = admit
        self._services = services
        self._log = log
        self._tls = tls
        self._on_unprotected = on_unprotected
        self._on_told = on_told
        self._drain = Drain()
        self._open: dict[int, socket.socket] = {}
        self._established: set[int] = set()
        self._threads: set[threading.Thread] = set()

    def run(self) -> None:
        """Serve until the acceptor says so or is gone; messages in hand have `Limits.drain_seconds` left."""
        with contextlib.suppress(ValueError):
            threading.stack_size(_STACK_BYTES)
        while (message := self._link.receive()) is not None:
            kind, fields, connection = message
            if kind == "connection" and connection is not None:
                self._begin(fields["number"], fields["address"], connection, protected=fields["protected"])
            elif kind == "close":
                self._cut(fields["number"])
            elif kind == "drain":
                # the link is still needed: a message in hand is not acknowledged without the acceptor's process
                self._drain.begin(self._limits.drain_seconds)
                threading.Thread(target=self._end, daemon=True).start()
            elif self._on_told is not None:
                self._on_told(kind, fields)
        self._drain.begin(0.0)
        self._wait()
        self._link.close()

    def _begin(self, number: int, address: str, connection: socket.socket, *, protected: bool) -> None:
        self._open[number] = connection
        thread = threading.Thread(
            target=self._run, args=(number, address, connection, protected), name=f"association {address}", daemon=True
        )
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            self._log.error("connection closed, no thread left: peer=%s", address)
            self._over(number, connection)

    def _run(self, number: int, address: str, connection: socket.socket, protected: bool) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            peer = Peer(address)
            if protected:
                connection = secured = self._protected(number, connection)
                subject = certificate_subject(secured, self._limits.association_seconds)
                peer = Peer(address, protected=True, certificate_subject=subject)
            association = Association(
                connection,
                peer,
                limits=self._limits,
                negotiator=self._negotiator,
                admit=self._admit,
                services=self._services,
                drain=self._drain,
                log=self._log,
                on_established=partial(self._establish, number, address),
            )
            association.run()
            if association.begun_with_tls:
                raise NotProtected("TLS on the unprotected port")
        except NotProtected as failed:
            self._log.warning("TLS refused: peer=%s why=%s", address, failed)
            if self._on_unprotected is not None:
                with contextlib.suppress(Exception):
                    self._on_unprotected(address, str(failed))
        except Exception as error:
            self._log.error("association lost: peer=%s error=%s", address, type(error).__name__)
        finally:
            self._over(number, connection)
            self._threads.discard(threading.current_thread())

    def _protected(self, number: int, connection: socket.socket) -> ssl.SSLSocket:
        if self._tls is None:
            raise NotProtected("no certificate of ours")
        protected = wrapped(connection, self._tls)
        self._open[number] = protected
        return protected

    def _establish(self, number: int, address: str) -> None:
        self._established.add(number)
        self._link.send("established", {"number": number, "address": address})

    def _over(self, number: int, connection: socket.socket) -> None:
        self._open.pop(number, None)
        self._established.discard(number)
        with contextlib.suppress(OSError):
            connection.close()
        with contextlib.suppress(LinkLost):
            self._link.send("over", {"number": number})

    def _cut(self, number: int) -> None:
        """End a connection that has to give way, unless it has become an association meanwhile."""
        connection = self._open.get(number)
        if connection is not None and number not in self._established:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _wait(self) -> None:
        """Wait as long as a message in hand may take, and the A-ABORT after it."""
        until = self._drain.until + self._limits.closing_seconds + 1
        for thread in tuple(self._threads):
            thread.join(max(0.0, until - monotonic()))

    def _end(self) -> None:
        self._wait()
        with contextlib.suppress(LinkLost):
            self._link.send("drained")
