"""What goes over the wire, judged by Wireshark's DICOM dissector: no malformed PDU and no error, on our own port."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_listener.client.checkpoint import stop_theft
from dicom_listener.client.echo import why_no_echo
from dicom_listener.client.find import ask_priors, ask_study, asking
from dicom_listener.client.query_address import QueryAddress
from dicom_listener.conformance import (
    INSTANCE_AVAILABILITY_NOTIFICATION,
    MODALITY_PERFORMED_PROCEDURE_STEP,
    STORAGE_COMMITMENT_PUSH_MODEL,
    Status,
)
from tests.attacks.attacked import PACS, STRANGER, Attacked
from tests.attacks.objects import CONTEXT_OF, Element, ct_object
from tests.attacks.protected import association
from tests.attacks.wire import ABORTED, BIG_ENDIAN, EXPLICIT, IMPLICIT, associate_rq, p_data
from tests.dicom_listener.client.pacs_peers import MANNERS, scripted_pacs
from tests.dicom_listener.dicom_peers import encoded
from tests.dicom_listener.services.requests import (
    COMMIT,
    STEP,
    commitment,
    completed_step,
    new_step,
    notice,
    with_values,
)

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None or os.geteuid() != 0,
    reason="tshark is not installed (apt: tshark) or this is not root, who may capture",
)

_READY_SECONDS = 15
SERVICE_NAMES = ("C-ECHO", "C-FIND", "C-STORE", "N-ACTION", "N-CREATE", "N-SET")
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)


@dataclass(frozen=True)
class Capture:
    """What went over some ports."""

    file: Path
    ports: tuple[int, ...]


def echo(radpool: Attacked) -> None:
    ae = AE(ae_title=PACS)
    association = ae.associate(
        "127.0.0.1",
        radpool.port,
        contexts=[build_context(Verification)],
        evt_handlers=[(evt.EVT_CONN_OPEN, stop_theft)],
    )
    assert association.send_c_echo().Status == 0
    association.release()


def store_in_each_uncompressed_syntax(radpool: Attacked) -> None:
    with radpool.peer() as peer:
        peer.associate(PACS)
        for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN):
            sent = ct_object(pixels=60_000)
            assert peer.store(CONTEXT_OF[syntax], sent.sop_instance, sent.encoded(syntax)) == 0
        peer.release()


def store_what_is_refused(radpool: Attacked) -> None:
    with radpool.peer() as peer:
        peer.associate(PACS)
        assert peer.store(CONTEXT_OF[EXPLICIT], "1.2.3", ct_object().encoded()) == 0xA900
        nameless = ct_object().but(Element(0x0020000D, "UI", b""))
        assert peer.store(CONTEXT_OF[EXPLICIT], nameless.sop_instance, nameless.encoded()) & 0xF000 == 0xC000
        peer.release()


def be_rejected(radpool: Attacked) -> None:
    ae = AE(ae_title=STRANGER)
    association = ae.associate("127.0.0.1", radpool.port, contexts=[build_context(Verification)])
    assert association.is_rejected


def propose_what_is_not_taken(radpool: Attacked) -> None:
    ae = AE(ae_title=PACS)
    contexts = [
        build_context(CTImageStorage, "1.2.840.10008.1.2.1.99"),
        build_context("1.2.840.10008.5.1.4.31"),
        build_context(Verification),
    ]
    association = ae.associate("127.0.0.1", radpool.port, contexts=contexts)
    assert association.is_established
    association.release()


def abort(radpool: Attacked) -> None:
    with radpool.peer() as peer:
        peer.associate(PACS)
        assert peer.echo() == 0
        peer.send(ABORTED)
        assert peer.closed_within(2)


def be_aborted(radpool: Attacked) -> None:
    """Let the listener say A-ABORT itself: a second A-ASSOCIATE-RQ is not expected."""
    with radpool.peer() as peer:
        peer.associate(PACS)
        peer.send(associate_rq(PACS))
        answer = peer.read()
        assert answer is not None
        assert answer[0] == ABORT


def tell_of_a_step(radpool: Attacked) -> None:
    with association(radpool.port, PACS, services=(MODALITY_PERFORMED_PROCEDURE_STEP,)) as peer:
        assert peer.send_n_create(new_step(), MODALITY_PERFORMED_PROCEDURE_STEP, STEP)[0].Status == 0
        assert peer.send_n_set(completed_step(), MODALITY_PERFORMED_PROCEDURE_STEP, STEP)[0].Status == 0
        again = peer.send_n_set(completed_step(4), MODALITY_PERFORMED_PROCEDURE_STEP, STEP)
        assert again[0].Status == Status.PROCESSING_FAILURE


def tell_of_availability(radpool: Attacked) -> None:
    with association(radpool.port, PACS, services=(INSTANCE_AVAILABILITY_NOTIFICATION,)) as peer:
        told = notice("ONLINE", "ONLINE")
        assert peer.send_n_create(told, INSTANCE_AVAILABILITY_NOTIFICATION, f"{STEP}.1")[0].Status == 0


def ask_for_commitment(radpool: Attacked) -> None:
    """The report follows on the same association: this source has no address of its own."""
    with radpool.peer() as peer:
        peer.associate(PACS, [(1, STORAGE_COMMITMENT_PUSH_MODEL, (IMPLICIT,))])
        peer.send(p_data(1, 3, COMMIT.command()) + p_data(1, 2, encoded(commitment(3))))
        kinds = [answer[0] for answer in (peer.read(), peer.read(), peer.read()) if answer is not None]
        assert kinds == [P_DATA] * 3  # the response, the report's command and its data set
        peer.release()


def many_studies(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """Answer a query with more than anybody wants, until told to end."""
    for number in range(5):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        yield 0xFF00, with_values(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.3.{number}")
        time.sleep(0.05)


def be_asked(address: QueryAddress) -> None:
    """What we say as a client: C-ECHO, C-FIND, C-CANCEL and the report of a storage commitment."""
    assert why_no_echo(address, MANNERS) is None
    with asking(address, replace(MANNERS, max_answers=2)) as pacs:
        ask_study(pacs, "1.2.3")
        ask_priors(pacs, "P1", "RXA")


#: Every service that is spoken; a new one is added here.
SERVICES: tuple[Callable[[Attacked], None], ...] = (
    echo,
    store_in_each_uncompressed_syntax,
    store_what_is_refused,
    be_rejected,
    propose_what_is_not_taken,
    abort,
    be_aborted,
    tell_of_a_step,
    tell_of_availability,
    ask_for_commitment,
)


@pytest.fixture(scope="module")
def capture(radpool: Attacked, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Everything that went over our port while each service ran once, and what we said to a PACS."""
    file = tmp_path_factory.mktemp("wire") / "run.pcapng"
    with scripted_pacs(many_studies) as address, capturing(file, radpool.port, address.port):
        for service in SERVICES:
            service(radpool)
        be_asked(address)
    return Capture(file, (radpool.port, address.port))


def test_wireshark_finds_nothing_malformed_in_any_service(capture: Capture) -> None:
    assert dissected(capture, FAULTS, "frame.number", "_ws.expert.message", "_ws.malformed") == []


def test_wireshark_sees_every_kind_of_pdu(capture: Capture) -> None:
    """Without it an empty capture would be clean."""
    rows = dissected(capture, "dicom", "dicom.pdu.type")
    seen = {int(number, 0) for row in rows for number in row.split(",") if number}
    assert seen == {ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT}


def test_wireshark_sees_every_request_and_its_response(capture: Capture) -> None:
    told = "\n".join(tshark(capture, "dicom", "-o", 'gui.column.format:"Info","%i"'))
    spoken = set(re.findall(r"[CN]-[A-Z-]+-R(?:Q|SP)(?!-)", told))
    assert spoken == {
        *(f"{name}-{side}" for name in SERVICE_NAMES for side in ("RQ", "RSP")),
        "C-CANCEL-RQ",
        "N-EVENT-REPORT-RQ",
    }


def test_wireshark_would_tell_of_a_malformed_pdu(radpool: Attacked, tmp_path: Path) -> None:
    """The control: a PDV that claims more than its PDU has."""
    file = tmp_path / "bad.pcapng"
    with capturing(file, radpool.port), radpool.peer() as peer:
        peer.associate(PACS)
        peer.send(b"\x04\x00\x00\x00\x00\x08\x00\x00\xff\xff\x01\x03\x00\x00")
        assert peer.closed_within(3)
    assert dissected(Capture(file, (radpool.port,)), FAULTS, "frame.number") != []


#: What the dissectors mark as malformed, and what they call an error.
FAULTS = "_ws.malformed || _ws.expert.severity == error"


@contextmanager
def capturing(file: Path, *ports: int) -> Iterator[None]:
    """Capture the loopback's traffic of some ports into a file until the block ends."""
    of_ports = " or ".join(f"tcp port {port}" for port in ports)
    words = ["dumpcap", "-q", "-i", "lo", "-f", of_ports, "-w", str(file)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("File: "):
                break
        else:
            pytest.skip("dumpcap may not capture here")
        try:
            yield
            _wait_until_written(file)
        finally:
            process.terminate()
            process.communicate(timeout=_READY_SECONDS)


def _wait_until_written(file: Path) -> None:
    """Wait until the capture has not grown for a while: the kernel hands packets over in batches."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        if file.stat().st_size != size:
            size, since = file.stat().st_size, time.monotonic()
        time.sleep(0.1)


def dissected(capture: Capture, matching: str, *fields: str) -> list[str]:
    """Give the fields of the frames that match, its ports taken as DICOM."""
    return tshark(capture, matching, "-T", "fields", *(word for field in fields for word in ("-e", field)))


def tshark(capture: Capture, matching: str, *options: str) -> list[str]:
    """Give what tshark tells of the frames that match, line by line."""
    words = ["tshark", "-r", str(capture.file), "-2", "-Y", matching, *options]
    words += [word for port in capture.ports for word in ("-d", f"tcp.port=={port},dicom")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
