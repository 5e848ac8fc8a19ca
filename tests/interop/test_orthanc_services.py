"""Orthanc asks us to commit to what it stored, and answers our queries."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_listener.client.commitment_report import CommitmentReports
from dicom_listener.client.echo import why_no_echo
from dicom_listener.client.find import ask_priors, ask_study, asking, sweep
from dicom_listener.client.query_address import QueryAddress
from dicom_listener.services.normalized import normalized_services
from dicom_listener.services.performed_procedure_step import StepAnswer
from tests.cli.commanding import until
from tests.dicom_listener.client.pacs_peers import MANNERS, archived
from tests.dicom_listener.dicom_peers import HOST, running_listener
from tests.free_ports import free_port
from tests.interop.orthancs import needs_orthanc, orthanc

pytestmark = needs_orthanc

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_orthanc_is_told_that_no_object_is_stored(tmp_path: Path) -> None:
    reached: list[QueryAddress] = []
    reports = CommitmentReports(lambda _: reached[0], MANNERS, attempt_after_seconds=(0.2, 1.0))
    services = normalized_services(lambda _: StepAnswer(), lambda _: None, reports.deliver)
    stop = threading.Event()
    sending = threading.Thread(target=reports.run, args=(stop,))
    with running_listener(other_services=services) as listener, orthanc(tmp_path, listener.port) as pacs:
        client = pacs.client
        reached.append(QueryAddress("PACS_WEST1", HOST, pacs.dicom_port, "PACS_WEST1"))
        sending.start()
        try:
            asked = {"DicomInstances": [{"SOPClassUID": CT, "SOPInstanceUID": f"1.2.3.{number}"} for number in (1, 2)]}
            answer = client.post("/modalities/radpool/storage-commitment", json=asked).raise_for_status().json()
            path = f"/storage-commitment/{answer['ID']}"
            until(lambda: client.get(path).json()["Status"] != "Pending")
            report = client.get(path).json()
        finally:
            stop.set()
            sending.join(10)
    assert report["Status"] == "Failure"
    assert report["Success"] == []
    assert sorted((each["SOPInstanceUID"], each["FailureReason"]) for each in report["Failures"]) == [
        ("1.2.3.1", 0x0112),
        ("1.2.3.2", 0x0112),
    ]


def test_orthanc_answers_our_queries(tmp_path: Path) -> None:
    with orthanc(tmp_path, free_port()) as running:
        client = running.client
        address = QueryAddress("PACS_WEST1", HOST, running.dicom_port, "PACS_WEST1")
        # Orthanc answers queries only of those whom it knows
        client.put("/modalities/asker", json={"AET": "RADPOOL", "Host": HOST, "Port": 1}).raise_for_status()
        for data_set in (archived(7), archived(7, number=2), archived(8, StudyDate="20240106")):
            data_set.file_meta = FileMetaDataset()
            data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            path = tmp_path / "object.dcm"
            data_set.save_as(path, enforce_file_format=True)
            client.post("/instances", content=path.read_bytes()).raise_for_status()
        assert why_no_echo(address, MANNERS) is None
        with asking(address, MANNERS) as pacs:
            study = ask_study(pacs, "1.2.826.0.1.3680043.8.498.7")
            unknown = ask_study(pacs, "1.2.3")
            priors = ask_priors(pacs, "P0008").studies
            swept = list(sweep(pacs, date(2024, 1, 5), date(2024, 1, 6)))
    assert study is not None
    assert (study.instances, study.series, study.modalities) == (2, 1, ("CT",))
    assert (study.accession_number, study.patient_identifier) == ("A0007", "P0007")
    assert unknown is None
    assert [each.accession_number for each in priors] == ["A0008"]
    assert [each.accession_number for each in swept] == ["A0007", "A0008"]
