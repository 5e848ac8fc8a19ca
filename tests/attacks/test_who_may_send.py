"""Who is let in by AE title, address and certificate; all others are refused, and each of them is in the audit."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

from dicom_listener.conformance import STUDY_ROOT_FIND
from tests.attacks.protected import AE_TITLE, Protected, association, client_context, protected
from tests.attacks.senders import Study, data_set_of, make_study, write_files
from tests.attacks.wire import HOST, Peer, associate_rq
from tests.certificates import Credentials
from tests.cli.commanding import until

UNKNOWN, ELSEWHERE = "unknown AE title", "AE title from an address it is not bound to"
WITHOUT, NOT_OURS = "AE title without the certificate it is bound to", "called AE title is not ours"
#: A handshake that takes longer is given up, and two seconds later its place is free.
EVICTED_SECONDS = 12.0


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with protected(tmp_path_factory.mktemp("door")) as running:
        client, other = running.certificates.client, running.certificates.other_client
        running.configure(
            f"""
            [[source]]
            ae_title = "TLS_A"
            trust = "RXA"
            certificate_subject = "{client.subject}"
            quiet_seconds = 0

            [[source]]
            ae_title = "TLS_B"
            trust = "RXB"
            certificate_subject = "{other.subject}"

            [[source]]
            ae_title = "TLS_PLACED"
            trust = "RXA"
            address = "127.0.0.2"
            certificate_subject = "{client.subject}"
            """
        )
        yield running


@pytest.fixture(autouse=True)
def the_listener_survives(door: Protected) -> Iterator[None]:
    """Hold this module's own listener to it that nobody at the door ends a process of it."""
    before = door.listening_processes()
    yield
    assert door.listening_processes() == before, door.server.log()[-2000:]


@pytest.mark.parametrize(
    ("ae_title", "address", "called", "why"),
    [
        ("STRANGER", HOST, AE_TITLE, UNKNOWN),
        ("PACS_A", "127.0.0.2", AE_TITLE, ELSEWHERE),
        ("PACS_A", HOST, "SOMEBODY", NOT_OURS),
        ("TLS_A", HOST, AE_TITLE, WITHOUT),
        ("TLS_PLACED", "127.0.0.2", AE_TITLE, WITHOUT),
    ],
)
def test_an_association_is_refused_without_protection(
    door: Protected, ae_title: str, address: str, called: str, why: str
) -> None:
    before = len(door.refusals())
    with association(door.port, ae_title, address=address, called=called) as made:
        assert not made.is_established
    told = {"why": why, "called": called, "peer": address, "tls": False}
    assert door.refusals()[before:] == [(f"dicom:{ae_title}", "association refused", told)]


@pytest.mark.parametrize(
    ("ae_title", "address", "called", "who", "why"),
    [
        ("STRANGER", HOST, AE_TITLE, "client", UNKNOWN),
        ("TLS_B", HOST, AE_TITLE, "client", WITHOUT),
        ("TLS_A", HOST, AE_TITLE, "other_client", WITHOUT),
        ("TLS_PLACED", HOST, AE_TITLE, "client", ELSEWHERE),
        ("TLS_PLACED", "127.0.0.2", AE_TITLE, "other_client", WITHOUT),
        ("TLS_A", HOST, "SOMEBODY", "client", NOT_OURS),
    ],
)
def test_an_association_is_refused_although_the_certificate_is_good(
    door: Protected, ae_title: str, address: str, called: str, who: str, why: str
) -> None:
    before = len(door.refusals())
    with over_tls(door, getattr(door.certificates, who), ae_title, address, called) as made:
        assert made.is_rejected
    told = {"why": why, "called": called, "peer": address, "tls": True}
    assert door.refusals()[before:] == [(f"dicom:{ae_title}", "association refused", told)]


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (None, "peer did not return a certificate"),
        ("expired_client", "certificate refused: certificate has expired"),
        ("client_of_another_authority", "certificate refused: unable to get local issuer certificate"),
    ],
)
def test_a_connection_is_refused_without_a_certificate_that_holds(door: Protected, who: str | None, why: str) -> None:
    before = len(door.refusals())
    context = client_context(door.certificates, getattr(door.certificates, who) if who else None)
    assert refused(door, context)
    (told,) = new_refusals(door, before)
    assert told[:2] == ("dicom", "TLS connection refused")
    assert told[2]["peer"] == HOST
    assert why in told[2]["why"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_version_of_tls_that_is_too_old_is_refused(door: Protected, version: ssl.TLSVersion) -> None:
    before = len(door.refusals())
    context = client_context(door.certificates, door.certificates.client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert refused(door, context)
    (told,) = new_refusals(door, before)
    assert "unsupported protocol" in told[2]["why"]


def test_a_version_of_tls_that_is_new_enough_is_taken(door: Protected) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(door.certificates, door.certificates.client)
        context.minimum_version = context.maximum_version = version
        assert not refused(door, context)


def test_a_request_without_tls_is_refused_where_tls_is_spoken(door: Protected) -> None:
    before = len(door.refusals())
    with Peer(door.tls_port) as peer:
        peer.send(associate_rq("PACS_A"))
        assert peer.closed_within(2)
    (told,) = new_refusals(door, before)
    assert told[:2] == ("dicom", "TLS connection refused")
    assert told[2]["why"].startswith("handshake failed")


def test_tls_is_refused_where_it_is_not_spoken(door: Protected) -> None:
    before = len(door.refusals())
    context = client_context(door.certificates, door.certificates.client)
    with (
        socket.create_connection((HOST, door.port), 5) as connection,
        pytest.raises(ssl.SSLError),
        context.wrap_socket(connection, server_hostname=HOST),
    ):
        pass
    assert new_refusals(door, before) == [
        ("dicom", "TLS connection refused", {"why": "TLS on the unprotected port", "peer": HOST})
    ]


def test_pynetdicom_is_let_in_by_its_certificate_and_its_object_is_work(door: Protected) -> None:
    before = door.refusals()
    ((one,),) = make_study(8001, series=1, objects=1).objects
    with over_tls(door, door.certificates.client, "TLS_A", HOST) as made:
        assert made.is_established
        assert made.send_c_echo().Status == 0
        assert made.send_c_store(data_set_of(one)).Status == 0
    until(lambda: "ACC8001" in [item["accession_number"] for item in door.items()])
    with over_tls(door, door.certificates.client, "TLS_PLACED", "127.0.0.2") as made:
        assert made.is_established
    assert door.refusals() == before


@pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed (apt: dcmtk)")
def test_dcmtk_is_let_in_by_its_certificate_and_a_thousandth_object_too(door: Protected, tmp_path: Path) -> None:
    study = make_study(8002, series=2, objects=100)
    files = write_files(tmp_path, [study])
    assert dcmtk(door, "echoscu", "TLS_A", door.certificates.client) == 0
    assert dcmtk(door, "storescu", "TLS_A", door.certificates.client, "--max-pdu", "131072", *map(str, files)) == 0
    assert dcmtk(door, "echoscu", "TLS_A", door.certificates.other_client) != 0
    until(lambda: door.objects("RXA") >= 200)


def test_silent_clients_hold_nobody_up_and_are_turned_out(door: Protected) -> None:
    before = len(door.refusals())
    silent = [Peer(door.tls_port, f"127.0.0.{10 + number % 4}") for number in range(20)]
    began = time.monotonic()
    try:
        while time.monotonic() < began + 3:
            with over_tls(door, door.certificates.client, "TLS_A", HOST) as made:
                assert made.send_c_echo().Status == 0
        assert all(peer.closed_within(began + EVICTED_SECONDS - time.monotonic()) for peer in silent)
    finally:
        for peer in silent:
            peer.socket.close()
    until(lambda: len(door.refusals()) == before + len(silent))
    assert {told["why"] for _, _, told in door.refusals()[before:]} == {"handshake not done in time"}


@pytest.mark.parametrize(
    ("place", "who", "trusted"),
    [(HOST, "server", True), ("127.0.0.3", "server", False), (HOST, "client_of_another_authority", False)],
    ids=["its own certificate", "another host's certificate", "another authority's certificate"],
)
def test_a_pacs_is_asked_over_tls_only_where_its_certificate_is_its_own(
    door: Protected, place: str, who: str, trusted: bool
) -> None:
    study = make_study(8100 + len(door.items()), series=1, objects=2)
    ae_title = f"TLS_PACS_{study.number}"
    with queried_over_tls(door, place, getattr(door.certificates, who), study) as (port, asked):
        door.configure(
            f"""
            [[source]]
            ae_title = "{ae_title}"
            trust = "RXA"
            address = "127.0.0.1"
            completeness = {{ signals = ["expected_count"], quiet_seconds = 0, longest_wait_seconds = 15 }}
            query = {{ host = "{place}", port = {port}, ae_title = "PACS", tls = true }}
            """
        )
        with association(door.port, ae_title) as made:
            for one in study.objects[0]:
                assert made.send_c_store(data_set_of(one)).Status == 0
        until(lambda: (item := item_of(door, study)) is not None and item["completed_by"] is not None, 40)
    assert bool(asked) == trusted
    assert item_of(door, study)["completed_by"] == ("expected-count" if trusted else "longest-wait")


def test_no_refusal_tells_more_than_who_came_from_where(door: Protected) -> None:
    """After all that the tests before sent, objects with patients among it."""
    told = door.refusals()
    assert len(told) > 20
    assert {frozenset(detail) for _, _, detail in told} == {
        frozenset({"why", "peer"}),
        frozenset({"why", "peer", "called", "tls"}),
    }
    door.server.command("verify-audit")


def over_tls(
    door: Protected, who: Credentials, ae_title: str, address: str, called: str = AE_TITLE
) -> AbstractContextManager[Association]:
    """Associate with pynetdicom over TLS."""
    context = client_context(door.certificates, who)
    return association(door.tls_port, ae_title, address=address, called=called, tls=context)


@contextmanager
def queried_over_tls(door: Protected, place: str, who: Credentials, study: Study) -> Iterator[tuple[int, list[str]]]:
    """Run a PACS that asks for our certificate and holds one study; gives its port and what it was asked about."""
    asked: list[str] = []

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(str(event.identifier.StudyInstanceUID))
        answer = Dataset()
        answer.QueryRetrieveLevel = "STUDY"
        answer.StudyInstanceUID = study.study_instance
        answer.NumberOfStudyRelatedInstances = str(len(study.instances))
        yield 0xFF00, answer

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(door.certificates.authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(who.certificate, who.key)
    entity = AE(ae_title="PACS")
    entity.add_supported_context(STUDY_ROOT_FIND)
    server = entity.start_server((place, 0), block=False, ssl_context=context, evt_handlers=[(evt.EVT_C_FIND, find)])
    assert server is not None
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()


def item_of(door: Protected, study: Study) -> Any:
    """Give the item of a study, None where there is none yet."""
    return next((item for item in door.items() if item["accession_number"] == f"ACC{study.number}"), None)


def refused(door: Protected, context: ssl.SSLContext) -> bool:
    """Whether a client is refused in the handshake; in TLS 1.3 it hears of that when it reads."""
    connection = socket.create_connection((HOST, door.tls_port), 5)
    try:
        with context.wrap_socket(connection, server_hostname=HOST) as secured:
            secured.sendall(associate_rq("TLS_A"))
            return secured.recv(1) == b""
    except OSError:
        return True
    finally:
        connection.close()


def new_refusals(door: Protected, before: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Wait for refusals that are told of when the peer has gone already."""
    until(lambda: len(door.refusals()) > before, 5)
    return door.refusals()[before:]


def dcmtk(door: Protected, tool: str, ae_title: str, who: Credentials, *words: str) -> int:
    """Run a tool of DCMTK over TLS and give its exit status."""
    protection = ["+tls", str(who.key), str(who.certificate), "+cf", str(door.certificates.authority)]
    options = [word for word in words if not word.endswith(".dcm")]
    files = words[len(options) :]
    return subprocess.run(
        [tool, *protection, "-aet", ae_title, "-aec", AE_TITLE, *options, HOST, str(door.tls_port), *files],
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode
