"""A radpool that takes DICOM over TLS too and answers to one AE title, and what its audit says of those it refused.

It must not judge who may come in: the tests do.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from sqlalchemy import create_engine, text

from dicom_listener.client.checkpoint import stop_theft
from tests.attacks.attacked import PACS_TRUST, TESTS, Attacked
from tests.attacks.wire import HOST
from tests.certificates import Certificates, Credentials, make_certificates
from tests.cli.commanding import serving

AE_TITLE = "RADPOOL"


@dataclass(frozen=True)
class Protected(Attacked):
    """A running server with the certificates of all who speak to it."""

    certificates: Certificates

    @property
    def tls_port(self) -> int:
        return int(self.server.run["dicom_tls"].rsplit(":", 1)[1])

    def configure(self, words: str) -> None:
        """Import more of the configuration."""
        path = self.server.data / "more.toml"
        path.write_text(words)
        self.server.command("import", str(path))

    def refusals(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Give actor, action and detail of each refusal in the audit."""
        with self.owner.connect() as connection:
            return [(row.actor, row.action, json.loads(row.payload)) for row in connection.execute(_REFUSALS)]


@contextmanager
def protected(folder: Path, *words: str) -> Iterator[Protected]:
    """Run a radpool with the small network and DICOM over TLS until the block ends."""
    certificates = make_certificates(folder)
    settings = {
        "RADPOOL_AE_TITLE": AE_TITLE,
        "RADPOOL_QUIET_SECONDS": "0",
        "RADPOOL_DICOM_TLS_CERTIFICATE": str(certificates.server.certificate),
        "RADPOOL_DICOM_TLS_KEY": str(certificates.server.key),
        "RADPOOL_DICOM_TLS_AUTHORITIES": str(certificates.authority),
    }
    with serving(folder / "data", "--dicom-tls", "127.0.0.1:0", *words, **settings) as server:
        server.command("import", str(TESTS / "network.toml"))
        server.command("user", "add", "pacs", "--role", "pacs_manager", "--trust", PACS_TRUST)
        owner = create_engine(server.command("db-url", "--role", "owner").strip())
        try:
            with server.client("pacs") as person:
                yield Protected(server, person, owner, certificates)
        finally:
            owner.dispose()


def client_context(certificates: Certificates, client: Credentials | None) -> ssl.SSLContext:
    """Give the context of a client with or without credentials that checks whom it speaks to."""
    context = ssl.create_default_context(cafile=str(certificates.authority))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


@contextmanager
def association(
    port: int,
    ae_title: str,
    *,
    address: str = HOST,
    called: str = AE_TITLE,
    tls: ssl.SSLContext | None = None,
    services: Sequence[str] = (CTImageStorage, Verification),
) -> Iterator[Association]:
    """Associate with pynetdicom; released at the end where it was accepted."""
    entity = AE(ae_title=ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for each in services:
        entity.add_requested_context(each, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    made = entity.associate(
        HOST,
        port,
        ae_title=called,
        bind_address=(address, 0),
        tls_args=(tls, HOST) if tls is not None else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, stop_theft)],
    )
    try:
        yield made
    finally:
        if made.is_established:
            made.release()
        if made.is_alive():
            made.join(5)


_REFUSALS = text(
    "SELECT actor, action, payload FROM audit.entry"
    " WHERE action IN ('association refused', 'TLS connection refused') ORDER BY at, lane, sequence"
)
