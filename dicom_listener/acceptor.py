"""Accepts connections under the limits and gives each a thread that runs its association.

It must not read a byte of a connection, and knows of DICOM only which services there are.
"""

from __future__ import annotations

import ipaddress
import logging
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from functools import partial
from time import monotonic

from dicom_listener.admission import Admit
from dicom_listener.limits import Limits
from dicom_listener.services.echo import echo
from dicom_listener.services.storage import Receive, Refuse, store
from dicom_listener.upper_layer.association import Association, Service
from dicom_listener.upper_layer.command_set import C_ECHO_RQ, C_STORE_RQ
from dicom_listener.upper_layer.stream import Drain

_ACCEPT_PAUSE_SECONDS = 0.1


class Acceptor:
    """A DICOM listener on a bound, listening socket, which it owns from here on.

    `receive` returns when an object's facts are durable, `refuse` when an object that cannot be
    taken stands in a list that people see. Both are called from many threads. `called_ae_title`
    None takes any.
    """

    def __init__(
        self,
        listening_socket: socket.socket,
        limits: Limits,
        admit: Admit,
        receive: Receive,
        log: logging.Logger | None = None,
        *,
        refuse: Refuse,
        other_services: Mapping[int, Service] | None = None,
        called_ae_title: str | None = None,
    ) -> None:
        self._listening_socket = listening_socket
        self._limits = limits
        self._admit = admit
        self._log = log or logging.getLogger(__name__)
        self._called_ae_title = called_ae_title
        self._services: Mapping[int, Service] = {
            C_ECHO_RQ: echo,
            C_STORE_RQ: partial(store, receive=receive, refuse=refuse),
            **(other_services or {}),
        }
        self._slots = _Slots(limits)
        self._drain = Drain()
        self._threads: set[threading.Thread] = set()
        self._wake, self._waking = socket.socketpair()
        self._finished = threading.Event()
        self._serving: int | None = None

    @property
    def associations(self) -> dict[str, int]:
        """The open connections by peer address."""
        return self._slots.taken()

    def serve_forever(self) -> None:
        """Accept until `stop`, then let the associations end and return."""
        self._serving = threading.get_ident()
        try:
            self._accept_until_stopped()
        finally:
            self._listening_socket.close()
            if not self._drain.requested:
                self._drain.begin(self._limits.drain_seconds)
            self._wait_for_associations()
            self._wake.close()
            self._waking.close()
            self._finished.set()

    def stop(self) -> None:
        """End: idle associations are aborted, messages in hand have `Limits.drain_seconds` left.

        Returns when all is over; in the serving thread (a signal handler) at once.
        """
        if not self._drain.requested:
            self._drain.begin(self._limits.drain_seconds)
            self._waking.send(b"\0")
        if self._serving is not None and self._serving != threading.get_ident():
            self._finished.wait()

    def _accept_until_stopped(self) -> None:
        self._listening_socket.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening_socket, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._drain.requested:
                selector.select()
                try:
                    connection, address = self._listening_socket.accept()
                except (BlockingIOError, ConnectionError):
                    continue
                except OSError as error:
                    # no file handle or memory left: some come back when associations end
                    self._log.error("accept failed: errno=%s", error.errno)
                    self._wake_wait()
                    continue
                self._begin(connection, _peer_address(address))

    def _wake_wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            selector.select(_ACCEPT_PAUSE_SECONDS)

    def _begin(self, connection: socket.socket, peer_address: str) -> None:
        if not self._slots.take(peer_address):
            connection.close()
            self._log.warning("connection over the limit closed: peer=%s", peer_address)
            return
        thread = threading.Thread(
            target=self._run, args=(connection, peer_address), name=f"association {peer_address}", daemon=True
        )
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            self._slots.give_back(peer_address)
            connection.close()
            self._log.error("connection closed, no thread left: peer=%s", peer_address)

    def _run(self, connection: socket.socket, peer_address: str) -> None:
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                Association(
                    connection,
                    peer_address,
                    limits=self._limits,
                    admit=self._admit,
                    services=self._services,
                    drain=self._drain,
                    log=self._log,
                    called_ae_title=self._called_ae_title,
                ).run()
        except Exception as error:
            self._log.error("association lost: peer=%s error=%s", peer_address, type(error).__name__)
        finally:
            self._slots.give_back(peer_address)
            self._threads.discard(threading.current_thread())

    def _wait_for_associations(self) -> None:
        """Wait as long as a message in hand may take, and the A-ABORT after it."""
        until = self._drain.until + self._limits.closing_seconds + 1
        for thread in tuple(self._threads):
            thread.join(max(0.0, until - monotonic()))


class _Slots:
    """Counts connections in all and by address; a place is taken and given back exactly once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        with self._lock:
            if self._by_address.total() >= self._limits.max_associations:
                return False
            if self._by_address[address] >= self._limits.max_associations_per_address:
                return False
            self._by_address[address] += 1
            return True

    def give_back(self, address: str) -> None:
        with self._lock:
            self._by_address[address] -= 1
            if self._by_address[address] == 0:
                del self._by_address[address]

    def taken(self) -> dict[str, int]:
        with self._lock:
            return {address: count for address, count in self._by_address.items() if count}


def _peer_address(address: tuple[str, ...]) -> str:
    """Give the address in one form, so that IPv4 counts the same through a socket for both."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
