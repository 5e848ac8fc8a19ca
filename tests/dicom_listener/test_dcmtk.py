"""DCMTK's own tools are served."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.dicom_listener.dicom_peers import HOST, ct_object, running_listener


def run(tool: str, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} of DCMTK is not installed")
    return subprocess.run(
        [tool, "-v", *arguments[:-1], HOST, str(port), *arguments[-1:]],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "TCP_NODELAY": "1"},
    )


def ct_file(folder: Path, pixel_bytes: int) -> str:
    data_set = ct_object(Rows=500, Columns=pixel_bytes // 1000, BitsAllocated=16, SamplesPerPixel=1)
    data_set.add_new(0x7FE00010, "OW", b"\0" * pixel_bytes)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "object.dcm"
    data_set.save_as(path, enforce_file_format=True)
    return str(path)


def test_echoscu_gets_its_echo() -> None:
    with running_listener() as listener:
        done = run("echoscu", listener.port)
    assert done.returncode == 0, done.stderr
    assert "Received Echo Response (Success)" in done.stderr


@pytest.mark.parametrize("pdu_bytes", ["4096", "131072"])
def test_storescu_stores(tmp_path: Path, pdu_bytes: str) -> None:
    path = ct_file(tmp_path, 500_000)
    with running_listener() as listener:
        done = run("storescu", listener.port, "--max-pdu", pdu_bytes, path)
    assert done.returncode == 0, done.stderr
    assert "Received Store Response (Success)" in done.stderr
    assert [each.modality for each in listener.received] == ["CT"]
