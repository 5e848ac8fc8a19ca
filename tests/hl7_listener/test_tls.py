"""MLLP over TLS: who has no certificate of the authority is not spoken to, and a RIS may be bound to its own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import text

from cli.tls import server_context
from hl7_listener.limits import Limits
from tests.certificates import Certificates, Credentials, make_certificates
from tests.conftest import Database
from tests.hl7_listener.ris_peer import Peer, code_of, connected, error_of, listening, order
from tests.worklist.arrivals import doubts_of


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def context_of(certificates: Certificates, client: Credentials | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.authority))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


def ours(certificates: Certificates) -> ssl.SSLContext:
    server = certificates.server
    return server_context(server.certificate, server.key, certificates.authority)


@contextmanager
def protected(port: int, context: ssl.SSLContext) -> Iterator[Peer]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        yield Peer(secured)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_orders_come_over_tls(network: Database, certificates: Certificates, version: ssl.TLSVersion) -> None:
    context = context_of(certificates, certificates.client)
    context.minimum_version = context.maximum_version = version
    with listening(network.app, tls=ours(certificates)) as port, protected(port, context) as peer:
        assert code_of(peer.tell(order())) == "AA"
        assert code_of(peer.tell(order(accession="A2"))) == "AA"


@pytest.mark.parametrize("who", ["expired_client", "client_of_another_authority", None])
def test_without_a_certificate_of_the_authority_nothing_is_taken(
    network: Database, certificates: Certificates, who: str | None
) -> None:
    context = context_of(certificates, getattr(certificates, who) if who else None)
    with (
        listening(network.app, tls=ours(certificates)) as port,
        pytest.raises((ssl.SSLError, ConnectionError)),
        protected(port, context) as peer,
    ):
        peer.tell(order())
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM item")) == 0


def test_plain_words_on_the_protected_port_are_not_taken_and_hold_no_place(
    network: Database, certificates: Certificates
) -> None:
    limits = Limits(message_seconds=0.3, max_connections_per_address=2)
    with listening(network.app, limits, tls=ours(certificates)) as port:
        with connected(port) as peer:
            peer.send(order())
            with suppress(ConnectionError):
                while peer.connection.recv(4096):  # an alert of TLS may come
                    pass
        with connected(port) as silent, connected(port) as other:
            assert silent.is_closed()
            assert other.is_closed()
        with protected(port, context_of(certificates, certificates.client)) as known:
            assert code_of(known.tell(order())) == "AA"


def test_a_facility_is_bound_to_its_certificate(network: Database, certificates: Certificates) -> None:
    with network.owner.begin() as connection:
        bound = text("UPDATE ris SET certificate_subject = :subject WHERE sending_facility = 'RIS_A'")
        connection.execute(bound, {"subject": certificates.client.subject})
    with listening(network.app, tls=ours(certificates)) as port:
        with protected(port, context_of(certificates, certificates.client)) as peer:
            assert code_of(peer.tell(order())) == "AA"
        with protected(port, context_of(certificates, certificates.other_client)) as peer:
            answer = peer.tell(order(accession="A2"))
    assert code_of(answer) == "AR"
    assert error_of(answer) == "MSH-4: a sending facility without the certificate it is bound to"
    assert doubts_of(network.app) == {"message-refused"}
