"""Where a server listens: HOST:PORT as people write it, bound to sockets and written again."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, each HOST:PORT; port 0 takes a free one."""

    http: str = "127.0.0.1:8080"
    dicom: str = "127.0.0.1:11112"
    hl7: str = "127.0.0.1:2575"
    dicom_tls: str | None = None
    hl7_tls: str | None = None


def listen(where: str) -> socket.socket:
    """Bind and listen on HOST:PORT; port 0 takes a free one.

    Raises
    ------
    ValueError
        If the words are not HOST:PORT.
    OSError
        If the port is taken or not allowed.
    """
    host, _, port = where.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{where!r} is not HOST:PORT")
    family = socket.AF_INET6 if ":" in host.strip("[]") else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), int(port)))
        bound.listen(1024)
    except OSError:
        bound.close()
        raise
    return bound


def listen_for(name: str, where: str) -> socket.socket:
    """Bind and listen on what an option of this name says; an error names the option."""
    try:
        return listen(where)
    except OSError as error:
        raise OSError(
            error.errno, f"--{name.replace('_', '-')} {where}: {error.strerror}; take another port, or 0 for a free one"
        ) from None


def place_of(bound: socket.socket) -> str:
    """Give the HOST:PORT of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
