"""The certificates of the tests do what they are named for, by OpenSSL's own judgement."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.certificates import Certificates, Credentials, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_client_of_the_authority_and_the_server_take_each_other(certificates: Certificates) -> None:
    assert taken(certificates, certificates.client) == "pacs-a.test"
    assert taken(certificates, certificates.other_client) == "pacs-b.test"


@pytest.mark.parametrize("who", ["expired_client", "client_of_another_authority", None])
def test_a_client_that_may_not_is_refused(certificates: Certificates, who: str | None) -> None:
    assert taken(certificates, getattr(certificates, who) if who else None) is None


def test_the_subject_is_written_as_rfc_4514_has_it(certificates: Certificates) -> None:
    assert certificates.client.subject == "CN=pacs-a.test,O=Synthetic"


def taken(certificates: Certificates, client: Credentials | None) -> str | None:
    """Give the common name by which the server took a client, None where it refused."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.authority)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(certificates.server.certificate, certificates.server.key)
    caller = ssl.create_default_context(cafile=certificates.authority)
    if client is not None:
        caller.load_cert_chain(client.certificate, client.key)
    found: list[str] = []
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(far, server_side=True) as wrapped:
                shown = x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")
                (name,) = shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
                found.append(str(name.value))
        except OSError:
            far.close()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        with caller.wrap_socket(near, server_hostname="localhost") as wrapped:
            wrapped.recv(1)
    except OSError:
        near.close()
    serving.join(10)
    return found[0] if found else None
