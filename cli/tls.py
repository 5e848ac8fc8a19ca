"""TLS by the profile of BCP 195: versions 1.2 and 1.3, client certificates always (for DICOM PS3.15, B.12).

It must not decide whom a certificate lets in; the listeners' admission does.
"""

from __future__ import annotations

import ssl
from pathlib import Path


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
