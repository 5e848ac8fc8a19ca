"""Who stands at the other end of a connection, and whether that is from where a sender may send.

Pure: no I/O, no clock, no settings. It must not know who the senders are.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Peer:
    """Who stands at the other end: its address, whether TLS protects the connection, and whom its certificate names.

    `certificate_subject` is a distinguished name as RFC 4514 writes it, of a certificate that was verified.
    """

    address: str
    protected: bool = False
    certificate_subject: str | None = None


def why_not_bound(peer: Peer, address: str | None, certificate_subject: str | None) -> str:
    """Say why who is bound to an address or network, a certificate or both does not stand there; empty when it does.

    What is bound to a certificate is not believed over an unprotected connection.
    """
    if address is not None and not _same_address(address, peer.address):
        return "from an address it is not bound to"
    if certificate_subject is not None and (
        peer.certificate_subject is None or not names_same(certificate_subject, peer.certificate_subject)
    ):
        return "without the certificate it is bound to"
    return ""


def subject_of(certificate: bytes) -> str:
    """Give the subject of a certificate (DER) as RFC 4514 writes it."""
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


def names_same(one: str, other: str) -> bool:
    """Whether two distinguished names in RFC 4514 form are the same, whatever the order or spacing they are written in.

    A name that cannot be read is only the same as its own text.
    """
    try:
        return _parts(one) == _parts(other)
    except ValueError:
        return one == other


def is_name(text: str) -> bool:
    """Whether a text is a distinguished name as RFC 4514 writes it."""
    try:
        return bool(_parts(text))
    except ValueError:
        return False


def _same_address(bound: str, peer_address: str) -> bool:
    """Whether a peer's address is the one, or in the network, that a sender is bound to."""
    try:
        return ipaddress.ip_address(peer_address) in ipaddress.ip_network(bound, strict=False)
    except ValueError:
        return bound == peer_address


def _parts(name: str) -> frozenset[tuple[str, str]]:
    parsed = x509.Name.from_rfc4514_string(name)
    parts = [(attribute.oid.dotted_string, str(attribute.value)) for attribute in parsed]
    if len(set(parts)) != len(parts):
        raise ValueError("a part stands twice")
    return frozenset(parts)
