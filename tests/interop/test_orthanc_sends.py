"""Orthanc as the PACS that sends: its REST `store` to our AE title, objects as it keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import Server
from tests.interop.demo_studies import studies_of_the_sender
from tests.interop.orthancs import needs_orthanc, orthanc
from tests.interop.sample_files import samples, shipped_files

#: Secondary captures of every form are taken and make no work of their own.
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Shipped files in seven compressed transfer syntaxes, one of each.
COMPRESSED = {
    "JPEG-LL.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
}

pytestmark = needs_orthanc


@pytest.fixture(scope="module")
def sender(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The REST interface of an Orthanc that sends to the server."""
    with orthanc(tmp_path_factory.mktemp("orthanc"), int(server.run["dicom"].split(":")[1])) as running:
        yield running.client


def test_studies_that_orthanc_stores_to_us_stand_on_the_worklist(
    server: Server, sender: httpx.Client, tmp_path: Path
) -> None:
    made = studies_of_the_sender(11, 30, server.now())
    for study in made:
        for number, dataset in enumerate(study.datasets):
            path = tmp_path / f"{number}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            sender.post("/instances", content=path.read_bytes()).raise_for_status()
    kept = sender.get("/studies").json()
    assert len(kept) == len(made)

    assert sender.post("/modalities/radpool/echo", json={}).status_code == 200
    sent = sender.post("/modalities/radpool/store", json=kept)

    sent.raise_for_status()
    assert sent.json()["FailedInstancesCount"] == 0
    ready = ("ready", "on_hold")
    found = server.settled(lambda: sum(item["state"] in ready for item in server.worklist()), len(made))
    assert found == len(made)
    assert {item["trust"] for item in server.worklist()} == {"RZ4"}


def test_orthanc_stores_compressed_objects_as_they_are(server: Server, sender: httpx.Client, tmp_path: Path) -> None:
    compressed = [path for path in shipped_files() if path.name in COMPRESSED]
    sent = list(samples(compressed, tmp_path, 6000))
    assert len({one.transfer_syntax_uid for one in sent}) == len(sent) == len(COMPRESSED)
    kept = [sender.post("/instances", content=one.path.read_bytes()).raise_for_status().json()["ID"] for one in sent]
    before = len(server.worklist())

    stored = sender.post("/modalities/radpool/store", json=kept).raise_for_status().json()

    assert (stored["InstancesCount"], stored["FailedInstancesCount"]) == (len(sent), 0)
    images = [one for one in sent if not one.sop_class_uid.startswith(SECONDARY_CAPTURE)]
    assert images
    assert server.settled(lambda: len(server.worklist()), before + len(images)) == before + len(images)
