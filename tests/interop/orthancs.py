"""Runs an Orthanc of a test's own, which knows radpool as a modality; asked over its REST interface."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.dicom_listener.dicom_peers import HOST
from tests.free_ports import free_port

needs_orthanc = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed (apt: orthanc)")

_READY_SECONDS = 60.0
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc: its REST interface and where it takes DICOM."""

    client: httpx.Client
    dicom_port: int


@contextmanager
def orthanc(folder: Path, radpool_port: int, ae_title: str = "PACS_WEST1") -> Iterator[Orthanc]:
    """Run one; with ports anew where somebody else took one before it could."""
    for _ in range(_ATTEMPTS):
        ports = free_port(), free_port()
        (folder / "orthanc.json").write_text(json.dumps(_configuration(folder, ae_title, *ports, radpool_port)))
        with (folder / "orthanc.log").open("wb") as log:
            process = subprocess.Popen(
                ["Orthanc", "--verbose", str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            with httpx.Client(base_url=f"http://{HOST}:{ports[0]}", timeout=60) as client:
                if _answers(client, process):
                    yield Orthanc(client, ports[1])
                    return
        finally:
            process.terminate()
            process.wait(30)
    raise AssertionError((folder / "orthanc.log").read_text(errors="replace")[-2000:])


def _configuration(folder: Path, ae_title: str, http_port: int, dicom_port: int, radpool_port: int) -> object:
    return {
        "Name": "PACS of a test",
        "StorageDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": ae_title,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
        "DicomModalities": {"radpool": ["RADPOOL", HOST, radpool_port]},
    }


def _answers(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            return client.get("/system", timeout=5).is_success
        except httpx.HTTPError:
            time.sleep(0.05)
    return False
