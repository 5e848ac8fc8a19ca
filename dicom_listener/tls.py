"""The handshake of a protected connection, and whom the peer's certificate names.

It must not decide whom a certificate lets in; admission does.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic

from worklist.feeds.peer import subject_of


class NotProtected(Exception):
    """A TLS handshake that failed; says why in fixed words."""


def wrapped(connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Give the protected form of a connection, before its handshake; the old form is of no use any more.

    Raises
    ------
    NotProtected
        When the connection is lost already.
    """
    try:
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    except OSError:
        raise NotProtected("connection lost") from None


def certificate_subject(connection: ssl.SSLSocket, seconds: float) -> str:
    """Do the handshake within `seconds` and give the subject of the peer's certificate (RFC 4514).

    Raises
    ------
    NotProtected
        When it fails; the connection stays the caller's to close.
    """
    deadline = monotonic() + seconds
    connection.settimeout(seconds)
    try:
        while True:
            try:
                connection.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.settimeout(max(0.001, deadline - monotonic()))
        certificate = connection.getpeercert(binary_form=True)
    except TimeoutError:
        raise NotProtected("handshake not done in time") from None
    except ssl.SSLCertVerificationError as error:
        raise NotProtected(f"certificate refused: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise NotProtected(f"handshake failed: {(error.reason or 'unknown').replace('_', ' ').lower()}") from None
    except (OSError, ValueError):
        raise NotProtected("connection lost in the handshake") from None
    if certificate is None:
        raise NotProtected("no certificate")
    return subject_of(certificate)
