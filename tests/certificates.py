"""Certificates for tests: an authority, a server, and clients that may, may no longer, and never might.

Everything is made anew for each folder and valid for the loopback alone. It must not be used outside tests.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM files of one party: its certificate, its key, and its subject as RFC 4514 writes it."""

    certificate: Path
    key: Path
    subject: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """What one test needs; an anonymous client has no credentials and needs only `authority`."""

    authority: Path
    server: Credentials
    client: Credentials
    other_client: Credentials
    expired_client: Credentials
    client_of_another_authority: Credentials


def make_certificates(folder: Path) -> Certificates:
    """Make them all in a folder that exists."""
    ours, other = _Authority.make("radpool test authority"), _Authority.make("authority of somebody else")
    authority = folder / "authority.pem"
    authority.write_bytes(ours.certificate.public_bytes(Encoding.PEM))
    return Certificates(
        authority=authority,
        server=ours.issue(
            folder, "radpool.test", ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        ),  # it also opens associations
        client=ours.issue(folder, "pacs-a.test", ExtendedKeyUsageOID.CLIENT_AUTH),
        other_client=ours.issue(folder, "pacs-b.test", ExtendedKeyUsageOID.CLIENT_AUTH),
        expired_client=ours.issue(folder, "pacs-expired.test", ExtendedKeyUsageOID.CLIENT_AUTH, days=(-30, -1)),
        client_of_another_authority=other.issue(folder, "pacs-forged.test", ExtendedKeyUsageOID.CLIENT_AUTH),
    )


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str) -> _Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        certificate = (
            _builder(subject, subject, key.public_key(), (-1, 30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def issue(
        self, folder: Path, name: str, *purposes: x509.ObjectIdentifier, days: tuple[int, int] = (-1, 30)
    ) -> Credentials:
        """Issue for a name and the loopback's addresses, valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        places = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            _builder(subject, self.certificate.subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        written = Credentials(folder / f"{name}.pem", folder / f"{name}.key", subject.rfc4514_string())
        written.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        written.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        written.key.chmod(0o600)
        return written


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * _DAY)
        .not_valid_after(now + days[1] * _DAY)
    )


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Synthetic"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
