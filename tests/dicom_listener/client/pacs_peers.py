"""PACS for the client's tests: DCMTK's dcmqrscp, and a scripted query provider of pynetdicom."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.conformance import STUDY_ROOT_FIND, VERIFICATION
from tests.dicom_listener.dicom_peers import HOST, ct_object
from tests.free_ports import free_port

MANNERS = Manners(connect_seconds=5, answer_seconds=5, pause_seconds=0)


def opens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a process listens; false when it ended, because somebody else took the port."""
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process.poll() is None
    return False


@contextmanager
def scripted_pacs(
    find: Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]], **address: Any
) -> Iterator[QueryAddress]:
    """Run a query provider that answers as it is told."""
    ae = AE(ae_title="PACS")
    ae.add_supported_context(STUDY_ROOT_FIND, ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
    assert server is not None
    try:
        yield QueryAddress("PACS_WEST1", HOST, server.server_address[1], "PACS", **address)
    finally:
        server.shutdown()


@contextmanager
def dcmqrscp(folder: Path, *objects: Dataset) -> Iterator[QueryAddress]:
    """Run DCMTK's archive with some objects in it."""
    if shutil.which("dcmqrscp") is None:
        pytest.skip("dcmqrscp of DCMTK is not installed")
    storage = folder / "storage"
    storage.mkdir()
    port, process = _started(folder, storage)
    try:
        for number, data_set in enumerate(objects):
            data_set.file_meta = FileMetaDataset()
            data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            data_set.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        files = [str(folder / f"{number}.dcm") for number in range(len(objects))]
        subprocess.run(
            ["storescu", "-aec", "ARCHIVE", HOST, str(port), *files], check=True, timeout=60, capture_output=True
        )
        yield QueryAddress("PACS_WEST1", HOST, port, "ARCHIVE")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _started(folder: Path, storage: Path) -> tuple[int, subprocess.Popen[bytes]]:
    configuration = folder / "dcmqrscp.cfg"
    for _ in range(5):
        port = free_port()
        configuration.write_text(
            f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nARCHIVE {storage} RW (100, 1024mb) ANY\nAETable END\n"
        )
        process = subprocess.Popen(
            ["dcmqrscp", "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if opens(port, process):
            return port, process
        process.kill()
        process.wait(10)
    raise AssertionError("dcmqrscp did not start")


def archived(study: int, **values: Any) -> Dataset:
    """Give an object of a numbered study."""
    uid = f"1.2.826.0.1.3680043.8.498.{study}"
    number = values.pop("number", 1)
    return ct_object(
        StudyInstanceUID=uid,
        SeriesInstanceUID=f"{uid}.1",
        SOPInstanceUID=f"{uid}.1.{number}",
        PatientID=f"P{study:04}",
        AccessionNumber=f"A{study:04}",
        **values,
    )
