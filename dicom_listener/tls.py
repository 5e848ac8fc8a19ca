"""TLS for DICOM by the profile of BCP 195: versions 1.2 and 1.3, client certificates always (PS3.15, B.12).

It must not decide whom a certificate lets in; admission does.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from time import monotonic

from cryptography import x509


class NotProtected(Exception):
    """A TLS handshake that failed; says why in fixed words."""


def server_context(certificate: Path, key: Path, authorities: Path) -> ssl.SSLContext:
    """Give the context in which peers are asked for a certificate of one of the authorities (PEM files).

    Raises
    ------
    OSError
        When a file cannot be read or is no certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # RFC 9325 (BCP 195), 4.2: forward secrecy and authenticated encryption only
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!SHA1")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_ECDH_USE
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authorities)
    return context


def client_context(certificate: Path, key: Path, authorities: Path) -> ssl.SSLContext:
    """Give the context for connections that we open: the peer's certificate is checked, also for its host's name."""
    context = ssl.create_default_context(cafile=str(authorities))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


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
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


def names_same(one: str, other: str) -> bool:
    """Whether two distinguished names in RFC 4514 form are the same, whatever the order or spacing they are written in.

    A name that cannot be read is only the same as its own text.
    """
    try:
        return _parts(one) == _parts(other)
    except ValueError:
        return one == other


def _parts(name: str) -> frozenset[tuple[str, str]]:
    parsed = x509.Name.from_rfc4514_string(name)
    parts = [(attribute.oid.dotted_string, str(attribute.value)) for attribute in parsed]
    if len(set(parts)) != len(parts):
        raise ValueError("a part stands twice")
    return frozenset(parts)
