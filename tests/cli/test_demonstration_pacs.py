"""The demonstration's PACS send everything, unaltered, over real associations."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from cli.demonstration.pacs import send, send_files
from cli.demonstration.studies import pydicom_test_files, studies
from tests.free_ports import free_port

STUDIES = studies(5, 24, datetime(2026, 11, 25, 10, 30, tzinfo=UTC))
OBJECTS = [each for study in STUDIES for each in study.datasets]


@dataclass
class Peer:
    """A storage SCP that notes what it was sent and answers as it is told."""

    port: int = 0
    answer: Callable[[int], int | None] = lambda number: 0x0000  # noqa: ARG005
    received: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event: Event) -> int:
        request: Any = event.request
        octets = request.DataSet.getvalue()
        with self.lock:
            self.received.append(
                (
                    event.assoc.requestor.ae_title,
                    str(request.AffectedSOPInstanceUID),
                    str(event.context.transfer_syntax),
                    octets,
                )
            )
            status = self.answer(len(self.received))
        if status is None:
            event.assoc.abort()
            return 0x0110
        return status

    @property
    def instances(self) -> list[str]:
        return [uid for _, uid, _, _ in self.received]


@pytest.fixture
def peer() -> Iterator[Peer]:
    noted = Peer()
    entity = AE(ae_title="RADPOOL")
    entity.require_called_aet = True
    syntaxes = sorted({_syntax(path) for path in pydicom_test_files()} | {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), syntaxes)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, noted.take)])
    assert server is not None
    noted.port = server.server_address[1]
    yield noted
    server.shutdown()


def test_every_object_arrives_from_the_source_it_belongs_to_and_is_counted_once(peer: Peer) -> None:
    sent = send(STUDIES, "127.0.0.1", peer.port, "RADPOOL", senders=3)
    assert (sent.objects, sent.accepted, sent.refused) == (len(OBJECTS), len(OBJECTS), ())
    expected = {(study.ae_title, each.SOPInstanceUID) for study in STUDIES for each in study.datasets}
    # what was taken and not answered in time comes again, as from any PACS
    assert {(title, uid) for title, uid, _, _ in peer.received} == expected
    assert sent.seconds > 0


def test_objects_arrive_in_the_transfer_syntax_that_they_state(peer: Peer) -> None:
    send(STUDIES, "127.0.0.1", peer.port, "RADPOOL", senders=2)
    stated = {each.SOPInstanceUID: each.file_meta.TransferSyntaxUID for each in OBJECTS}
    assert {uid: syntax for _, uid, syntax, _ in peer.received} == stated


def test_progress_counts_every_object(peer: Peer) -> None:
    counted: list[int] = []
    send(STUDIES, "127.0.0.1", peer.port, "RADPOOL", senders=2, progress=counted.append)
    assert sum(counted) == len(OBJECTS)


def test_a_failure_status_refuses_that_object_alone_and_is_told_without_identifiers(peer: Peer) -> None:
    peer.answer = lambda number: 0xA700 if number == 3 else 0x0000
    sent = send(STUDIES, "127.0.0.1", peer.port, "RADPOOL", senders=1)
    assert sent.accepted == len(OBJECTS) - 1
    assert [reason.partition(": ")[2] for reason in sent.refused] == ["status 0xA700"]


def test_a_lost_association_is_opened_again_and_nothing_is_missing(peer: Peer) -> None:
    peer.answer = lambda number: None if number in {2, 9} else 0x0000
    sent = send(STUDIES, "127.0.0.1", peer.port, "RADPOOL", senders=1)
    assert (sent.accepted, sent.refused) == (len(OBJECTS), ())
    assert set(peer.instances) == {each.SOPInstanceUID for each in OBJECTS}


def test_an_association_refused_is_told_and_counts_every_object(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.demonstration.pacs._SECONDS_BEFORE_NEXT_TRY", 0.001)
    sent = send(STUDIES[:1], "127.0.0.1", peer.port, "NOBODY", senders=1)
    assert sent.accepted == 0
    assert sent.refused == (f"{STUDIES[0].ae_title}: association rejected",) * len(STUDIES[0].datasets)


# pynetdicom leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_listening_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.demonstration.pacs._SECONDS_BEFORE_NEXT_TRY", 0.001)
    sent = send(STUDIES[:1], "127.0.0.1", free_port(), "RADPOOL", senders=1)
    assert sent.refused == (f"{STUDIES[0].ae_title}: no association",) * len(STUDIES[0].datasets)


def test_pydicom_s_files_arrive_octet_by_octet_as_they_are_stored(peer: Peer) -> None:
    paths = [
        Path(str(get_testdata_file(name)))
        for name in ("JPEG2000.dcm", "MR_small_RLE.dcm", "rtplan.dcm", "CT_small.dcm")
    ]
    sent = send_files(paths, "PACS_NORTH1", "127.0.0.1", peer.port, "RADPOOL", senders=1)
    assert (sent.accepted, sent.refused) == (4, ())
    for _, _, syntax, octets in peer.received:
        path = next(path for path in paths if path.read_bytes().endswith(octets))
        assert syntax == _syntax(path)


def test_all_of_pydicom_s_files_are_accepted_or_refused_with_a_reason(peer: Peer) -> None:
    files = pydicom_test_files()
    sent = send_files(files, "PACS_NORTH1", "127.0.0.1", peer.port, "RADPOOL", senders=2)
    assert sent.objects == len(files)
    assert sent.accepted + len(sent.refused) == len(files)
    assert sent.accepted > 0.9 * len(files)


@pytest.mark.skipif(shutil.which("storescp") is None, reason="DCMTK is not installed")
def test_dcmtk_takes_every_object(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        ["storescp", "--fork", "-od", str(tmp_path), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as storescp:
        try:
            _wait_for(port)
            sent = send(STUDIES, "127.0.0.1", port, "STORESCP", senders=3)
        finally:
            storescp.terminate()
    assert (sent.accepted, sent.refused) == (len(OBJECTS), ())
    assert len(list(tmp_path.iterdir())) == len(OBJECTS)


def _syntax(path: Path) -> str:
    return str(read_file_meta_info(path).TransferSyntaxUID)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the peer did not start")
