"""Ports for peers that must be told theirs before they listen."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

#: Above those of the system's own services, and below those that it gives to outgoing connections.
_NEVER_EPHEMERAL = 20000, 32768


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that is free, and that no connection which somebody opens meanwhile takes."""
    while True:
        port = random.randrange(*_NEVER_EPHEMERAL)
        with suppress(OSError), socket.socket() as bound:
            bound.bind((host, port))
            return port
