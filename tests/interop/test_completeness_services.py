"""What a PACS and a modality say beside their objects, through a whole radpool: steps, notices, counts, commitment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from dicom_listener.conformance import INSTANCE_AVAILABILITY_NOTIFICATION, MODALITY_PERFORMED_PROCEDURE_STEP
from tests.attacks.attacked import Attacked, attacked
from tests.attacks.objects import ROOT
from tests.attacks.protected import association
from tests.attacks.senders import Study, data_set_of, make_study
from tests.cli.commanding import until
from tests.dicom_listener.services.requests import CT, new_step, with_values
from tests.interop.orthancs import Orthanc, needs_orthanc, orthanc
from worklist.local_time import LONDON

STEP = MODALITY_PERFORMED_PROCEDURE_STEP
#: PS3.3, C.14.1.1.
NO_SUCH_OBJECT_INSTANCE = 0x0112
NOTICE = INSTANCE_AVAILABILITY_NOTIFICATION
SOURCES = """
[[source]]
ae_title = "MODALITY"
trust = "RXA"
address = "127.0.0.1"
completeness = { signals = ["procedure_step"], quiet_seconds = 3600, longest_wait_seconds = 7200 }

[[source]]
ae_title = "PACS_TELLS"
trust = "RXA"
address = "127.0.0.1"
completeness = { signals = ["availability_notice"], quiet_seconds = 3600, longest_wait_seconds = 7200 }
"""
ORTHANC = """
[[source]]
ae_title = "ORTHANC"
trust = "RXA"
address = "127.0.0.1"
completeness = {{ signals = ["expected_count"], quiet_seconds = 1, longest_wait_seconds = 12 }}
query = {{ host = "127.0.0.1", port = {port}, ae_title = "ORTHANC"{window} }}
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Give a radpool with sources that tell of their studies, which never go quiet by themselves."""
    with attacked(tmp_path_factory.mktemp("asked")) as running:
        configure(running, SOURCES)
        yield running


def test_a_completed_procedure_step_completes_its_study_with_the_true_end_of_acquisition(asked: Attacked) -> None:
    study = make_study(9001, series=1, objects=3)
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    local = ended.astimezone(LONDON)
    step_uid = f"{ROOT}.9001"
    scheduled = with_values(StudyInstanceUID=study.study_instance, AccessionNumber="ACC9001")
    made = [with_values(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid) for uid in sorted(study.instances)]
    completed = with_values(
        PerformedProcedureStepStatus="COMPLETED",
        PerformedProcedureStepEndDate=local.strftime("%Y%m%d"),
        PerformedProcedureStepEndTime=local.strftime("%H%M%S"),
        PerformedSeriesSequence=[with_values(SeriesInstanceUID=series_of(study), ReferencedImageSequence=made)],
    )
    with association(asked.port, "MODALITY", services=(STEP, CT)) as peer:
        status, _ = peer.send_n_create(new_step(ScheduledStepAttributesSequence=[scheduled]), STEP, step_uid)
        assert status.Status == 0
        for one in study.objects[0]:
            assert peer.send_c_store(data_set_of(one)).Status == 0
        until(lambda: item_of(asked, study) is not None)
        assert item_of(asked, study)["completed_by"] is None
        status, _ = peer.send_n_set(completed, STEP, step_uid)
        assert status.Status == 0
    item = completed_item(asked, study)
    assert item["completed_by"] == "procedure-step"
    assert datetime.fromisoformat(item["clock_start_at"]) == ended
    assert item["clock_start_source"] == "PerformedProcedureStepEndTime"
    assert asked.person.get(f"/items/{item['id']}").json()["clock_start_at"] == item["clock_start_at"]
    assert item["exceptions"] == []


def test_a_notice_of_availability_completes_a_study_once_all_that_it_names_is_here(asked: Attacked) -> None:
    study = make_study(9002, series=1, objects=3)
    references = [
        with_values(InstanceAvailability="ONLINE", ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid)
        for uid in sorted(study.instances)
    ]
    notice = with_values(
        StudyInstanceUID=study.study_instance,
        ReferencedSeriesSequence=[with_values(SeriesInstanceUID=series_of(study), ReferencedSOPSequence=references)],
    )
    with association(asked.port, "PACS_TELLS", services=(NOTICE, CT)) as peer:
        first, *others = study.objects[0]
        assert peer.send_c_store(data_set_of(first)).Status == 0
        status, _ = peer.send_n_create(notice, NOTICE, f"{ROOT}.9002")
        assert status.Status == 0
        until(lambda: item_of(asked, study) is not None)
        assert item_of(asked, study)["completed_by"] is None
        for one in others:
            assert peer.send_c_store(data_set_of(one)).Status == 0
    assert completed_item(asked, study)["completed_by"] == "availability-notice"


@needs_orthanc
def test_orthanc_is_asked_what_it_holds_and_told_that_nothing_is_kept_here(asked: Attacked, tmp_path: Path) -> None:
    part, whole, never = (make_study(number, series=1, objects=4) for number in (9003, 9004, 9005))
    with orthanc(tmp_path, asked.port, "ORTHANC") as pacs:
        configure(asked, ORTHANC.format(port=pacs.dicom_port, window=""))
        held = {study.number: hold(pacs, study) for study in (part, whole, never)}
        send(pacs, held[9004])
        send(pacs, held[9003][:3])
        assert completed_item(asked, whole)["completed_by"] == "expected-count"
        item = completed_item(asked, part)
        assert item["completed_by"] == "longest-wait"
        assert "instance-count-mismatch" in [one["kind"] for one in item["exceptions"]]

        send(pacs, held[9003][3:])
        until(lambda: item_of(asked, part)["exceptions"] == [], 40)

        assert "study-never-sent" not in kinds(asked)
        configure(asked, ORTHANC.format(port=pacs.dicom_port, window=", from = 00:00:00, to = 00:00:00"))
        until(lambda: "study-never-sent" in kinds(asked), 40)
        assert kinds(asked).count("study-never-sent") == 1
        send(pacs, held[9005])
        until(lambda: "study-never-sent" not in kinds(asked))

        report = ask_for_commitment(pacs, whole)
    assert report["Status"] == "Failure"
    assert report["Success"] == []
    assert {each["SOPInstanceUID"] for each in report["Failures"]} == whole.instances
    assert {each["FailureReason"] for each in report["Failures"]} == {NO_SUCH_OBJECT_INSTANCE}


def configure(asked: Attacked, words: str) -> None:
    path = asked.server.data / "more.toml"
    path.write_text(words)
    asked.server.command("import", str(path))


def series_of(study: Study) -> str:
    return f"{ROOT}.3.{study.number}.0"


def item_of(asked: Attacked, study: Study) -> Any:
    """Give the item of a study, None where there is none yet."""
    return next((item for item in asked.items() if item["accession_number"] == f"ACC{study.number}"), None)


def completed_item(asked: Attacked, study: Study) -> Any:
    """Give the item of a study once it is complete."""
    until(lambda: (item := item_of(asked, study)) is not None and item["completed_by"] is not None, 60)
    return item_of(asked, study)


def kinds(asked: Attacked) -> list[str]:
    return [kind for kind, _ in asked.exceptions()]


def hold(pacs: Orthanc, study: Study) -> list[str]:
    """Put a study of today into an Orthanc and give its ids of the objects."""
    ids = []
    for one in study.objects[0]:
        kept = BytesIO()
        data_set = data_set_of(one)
        data_set.StudyDate = f"{datetime.now(LONDON):%Y%m%d}"
        data_set.save_as(kept, enforce_file_format=True)
        ids.append(str(pacs.client.post("/instances", content=kept.getvalue()).raise_for_status().json()["ID"]))
    return ids


def send(pacs: Orthanc, ids: list[str]) -> None:
    """Let an Orthanc store objects to radpool."""
    sent = pacs.client.post("/modalities/radpool/store", json=ids).raise_for_status().json()
    assert sent["FailedInstancesCount"] == 0


def ask_for_commitment(pacs: Orthanc, study: Study) -> Any:
    """Let an Orthanc ask radpool to commit to a study and give what it was reported."""
    wanted = [{"SOPClassUID": CT, "SOPInstanceUID": uid} for uid in sorted(study.instances)]
    asked = pacs.client.post("/modalities/radpool/storage-commitment", json={"DicomInstances": wanted})
    path = f"/storage-commitment/{asked.raise_for_status().json()['ID']}"
    until(lambda: pacs.client.get(path).json()["Status"] != "Pending", 40)
    return pacs.client.get(path).json()
