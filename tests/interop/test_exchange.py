"""A whole exchange: orders from a RIS, images by way of Orthanc, claims and reports, and the reports back to the RIS.

The RIS is killed twice meanwhile; nothing is missing in its book, nothing in it twice, and the order is kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from tests.cli.commanding import Server, serving, until
from tests.conftest import NETWORK
from tests.free_ports import free_port
from tests.hl7_listener.ris_peer import code_of, connected, order, result
from tests.interop.orthancs import needs_orthanc, orthanc

pytestmark = needs_orthanc

ROOT = Path(__file__).parents[2]
STUDIES = 300
#: Which of them are reported at home meanwhile.
AT_HOME = frozenset(range(0, STUDIES, 30))


@contextmanager
def ris_process(port: int, book: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a RIS; at the end of the block it is killed."""
    command = [sys.executable, "-m", "tests.interop.ris_process", str(port), str(book)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def radpool(tmp_path: Path) -> Iterator[tuple[Server, int]]:
    """A radpool whose RIS of RXA honours locks and takes messages at a port."""
    port = free_port()
    network = tmp_path / "network.toml"
    stated = f'sending_facility = "RIS_A"\nhost = "127.0.0.1"\nport = {port}\nlocks = "honoured"'
    network.write_text(NETWORK.read_text().replace('sending_facility = "RIS_A"', stated))
    with serving(tmp_path / "data", RADPOOL_QUIET_SECONDS="1") as server:
        server.command("import", str(network))
        server.command("user", "add", "reed", "--role", "reporter", "--reporter", "reed")
        server.command("user", "add", "manager", "--role", "network_manager")
        yield server, port


def test_three_hundred_studies_from_order_to_report_and_back_with_the_ris_killed_twice(
    radpool: tuple[Server, int], tmp_path: Path
) -> None:
    server, port = radpool
    book = tmp_path / "book"
    (tmp_path / "orthanc").mkdir()
    with (
        orthanc(tmp_path / "orthanc", int(server.run["dicom"].split(":")[1]), "PACS_A") as pacs,
        server.client("manager") as manager,
        server.client("reed") as reporter,
    ):
        with ris_process(port, book):
            send_orders(server)
            store_images(pacs.client)
            until(lambda: count(manager, "ready") == STUDIES, 120)
            report_at_home(server)
            verified = report_all(reporter, STUDIES // 3)
        # killed; what is reported meanwhile waits
        verified |= report_all(reporter, STUDIES // 3)
        with ris_process(port, book):
            until(lambda: len(read(book)) > len(verified) // 2, 60)
        with ris_process(port, book):
            verified |= report_all(reporter, STUDIES)
            until(lambda: waiting(manager) == 0, 120)
        states = Counter(one["state"] for one in items(manager))
        available = [one for one in items(manager) if one["state"] == "verified" and one["reported_at"] is None]
    assert states == {"verified": STUDIES - len(AT_HOME), "reported_elsewhere": len(AT_HOME)}
    assert available == []
    assert len(verified) == STUDIES - len(AT_HOME)
    assert_book(read(book), verified)


def assert_book(entries: list[dict[str, Any]], verified: set[str]) -> None:
    """Hold the RIS's book to what was done: each report once by its id, after the lock, of its patient."""
    once = {one["control_id"]: one for one in entries}
    reports: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in once.values():
        reports[one["accession"]].append(one)
    assert {number for number, told in reports.items() if told[-1]["kind"] == "ORU^R01"} == verified
    for number in verified:
        assert [(one["kind"], one["order_status"]) for one in reports[number]] == [("ORM^O01", "IP"), ("ORU^R01", "CM")]
        assert reports[number][-1]["words"] == [f"Report of {number}."]
        assert reports[number][-1]["patient"].startswith(f"H{number}^")
    first_heard = [one["control_id"] for one in entries]
    for told in reports.values():
        places = [first_heard.index(one["control_id"]) for one in told]
        assert places == sorted(places)


def number_of(study: int) -> str:
    return f"{study:06d}"


def patient_of(study: int) -> str:
    return f"PID|1||H{number_of(study)}^^^RXA^PI||Test^Tilda {study}||19600101|F"


def send_orders(server: Server) -> None:
    with connected(int(server.run["hl7"].split(":")[1])) as peer:
        for study in range(STUDIES):
            assert code_of(peer.tell(order(accession=number_of(study), pid=patient_of(study)))) == "AA"


def report_at_home(server: Server) -> None:
    with connected(int(server.run["hl7"].split(":")[1])) as peer:
        for study in sorted(AT_HOME):
            assert code_of(peer.tell(result(accession=number_of(study), pid=patient_of(study)))) == "AA"


def store_images(pacs: httpx.Client) -> None:
    kept = [pacs.post("/instances", content=image(study)).raise_for_status().json()["ID"] for study in range(STUDIES)]
    stored = pacs.post("/modalities/radpool/store", json=kept, timeout=120).raise_for_status().json()
    assert stored["FailedInstancesCount"] == 0


def image(study: int) -> bytes:
    """A chest X-ray without pixels, of an accession that was ordered."""
    moment = datetime.now(UTC)
    made = Dataset()
    made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{study}.1.1"
    made.StudyInstanceUID = f"1.2.826.0.1.3680043.10.1.{study}"
    made.SeriesInstanceUID = f"1.2.826.0.1.3680043.10.1.{study}.1"
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "1", 1, 1
    made.StudyDate, made.StudyTime = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    made.TimezoneOffsetFromUTC = "+0000"
    made.Modality, made.AccessionNumber = "DX", number_of(study)
    made.PatientID, made.IssuerOfPatientID = f"H{number_of(study)}", "RXA"
    made.PatientName, made.PatientBirthDate, made.PatientSex = f"Test^Tilda {study}", "19600101", "F"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    octets = BytesIO()
    made.save_as(octets, enforce_file_format=True)
    return octets.getvalue()


def report_all(reporter: httpx.Client, most: int) -> set[str]:
    """Claim and report until nothing is free, or `most` are reported; gives their accession numbers."""
    done: set[str] = set()
    while len(done) < most:
        made = reporter.post("/claims", json={})
        if made.status_code == 204:
            return done
        claim = made.raise_for_status().json()
        number = claim["item"]["accession_number"]
        given = {"token": claim["token"], "status": "verified", "text": f"Report of {number}."}
        reporter.post(f"/claims/{claim['claim_id']}/report", json=given).raise_for_status()
        done.add(number)
    return done


def items(manager: httpx.Client) -> list[dict[str, Any]]:
    """Walk every item, in whatever state."""
    found: list[dict[str, Any]] = []
    states = ["ordered", "arriving", "ready", "on_hold", "in_progress", "verified", "reported_elsewhere"]
    cursor: dict[str, str] = {}
    while True:
        page = manager.get("/worklist", params={"state": states, "limit": 500, **cursor}).raise_for_status().json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def count(manager: httpx.Client, state: str) -> int:
    time.sleep(0.2)
    return sum(one["state"] == state for one in items(manager))


def waiting(manager: httpx.Client) -> int:
    time.sleep(0.2)
    return len(manager.get("/deliveries", params={"limit": 500}).raise_for_status().json()["deliveries"])


def read(book: Path) -> list[dict[str, Any]]:
    """Read the RIS's book; a line that it was killed in the midst of was not answered."""
    lines = book.read_text().split("\n")[:-1] if book.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
