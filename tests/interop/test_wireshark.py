"""What goes over the wire, judged by Wireshark's DICOM dissector: no malformed PDU and no error, on our own port."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_listener.client.checkpoint import stop_theft
from tests.attacks.attacked import PACS, STRANGER, Attacked
from tests.attacks.objects import CONTEXT_OF, Element, ct_object
from tests.attacks.wire import ABORTED, BIG_ENDIAN, EXPLICIT, IMPLICIT, associate_rq

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None or os.geteuid() != 0,
    reason="tshark is not installed (apt: tshark) or this is not root, who may capture",
)

_READY_SECONDS = 15
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)


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


#: Every service that is spoken; a new one is added here.
SERVICES: tuple[Callable[[Attacked], None], ...] = (
    echo,
    store_in_each_uncompressed_syntax,
    store_what_is_refused,
    be_rejected,
    propose_what_is_not_taken,
    abort,
    be_aborted,
)


@pytest.fixture(scope="module")
def capture(radpool: Attacked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that went over our port while each service ran once."""
    file = tmp_path_factory.mktemp("wire") / "run.pcapng"
    with capturing(radpool.port, file):
        for service in SERVICES:
            service(radpool)
    return file


def test_wireshark_finds_nothing_malformed_in_any_service(radpool: Attacked, capture: Path) -> None:
    assert dissected(radpool, capture, FAULTS, "frame.number", "_ws.expert.message", "_ws.malformed") == []


def test_wireshark_sees_every_kind_of_pdu(radpool: Attacked, capture: Path) -> None:
    """Without it an empty capture would be clean."""
    rows = dissected(radpool, capture, "dicom", "dicom.pdu.type")
    seen = {int(number, 0) for row in rows for number in row.split(",") if number}
    assert seen == {ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT}


def test_wireshark_would_tell_of_a_malformed_pdu(radpool: Attacked, tmp_path: Path) -> None:
    """The control: a PDV that claims more than its PDU has."""
    file = tmp_path / "bad.pcapng"
    with capturing(radpool.port, file), radpool.peer() as peer:
        peer.associate(PACS)
        peer.send(b"\x04\x00\x00\x00\x00\x08\x00\x00\xff\xff\x01\x03\x00\x00")
        assert peer.closed_within(3)
    assert dissected(radpool, file, FAULTS, "frame.number") != []


#: What the dissectors mark as malformed, and what they call an error.
FAULTS = "_ws.malformed || _ws.expert.severity == error"


@contextmanager
def capturing(port: int, file: Path) -> Iterator[None]:
    """Capture the loopback's traffic of one port into a file until the block ends."""
    words = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)]
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


def dissected(radpool: Attacked, file: Path, matching: str, *fields: str) -> list[str]:
    """Give the fields of the frames that match, our port taken as DICOM."""
    words = ["tshark", "-r", str(file), "-d", f"tcp.port=={radpool.port},dicom", "-2", "-Y", matching, "-T", "fields"]
    words += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
