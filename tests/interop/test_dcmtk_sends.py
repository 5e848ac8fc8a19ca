"""DCMTK's storescu sends a folder of mixed studies to a whole radpool."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from allocation.configuration.read import read_files
from cli.demonstration.studies import DemoStudy
from tests.interop.conftest import NETWORK, Server
from tests.interop.demo_studies import studies_of_the_sender
from worklist.identity import age_at

pytestmark = pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed (apt: dcmtk)")

#: One source sends the whole folder, so all of it is this trust's.
AE_TITLE, TRUST = "PACS_EAST1", "RZ2"


@dataclass(frozen=True)
class Sent:
    """What a study's own headers say, read by the test."""

    accession_number: str
    exam_codes: frozenset[str]
    birth_date: date | None
    exam_date: date
    age: str | None


@pytest.fixture(scope="module")
def folder(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DemoStudy]]:
    """A folder of at least 500 files of 160 and more studies, their files mixed."""
    made = list(studies_of_the_sender(7, 190, server.now()))
    target = tmp_path_factory.mktemp("files")
    files = [dataset for study in made for dataset in study.datasets]
    assert len(files) >= 500
    for number, dataset in enumerate(sorted(files, key=lambda one: one.SOPInstanceUID[-6:])):
        dataset.save_as(target / f"{number:04d}.dcm", enforce_file_format=True)
    return target, made


def storescu(server: Server, folder: Path) -> None:
    host, port = server.run["dicom"].split(":")
    done = subprocess.run(
        ["storescu", "+sd", "+r", "-aet", AE_TITLE, "-aec", "RADPOOL", host, port, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_study_of_a_folder_of_500_files_stands_on_the_worklist_and_a_resend_changes_nothing(
    server: Server, folder: tuple[Path, list[DemoStudy]]
) -> None:
    path, made = folder
    wanted = {one.accession_number: one for study in made if (one := _sent(study)) is not None}

    storescu(server, path)

    server.settled(lambda: _complete(server), len(made), seconds=90)
    server.settled(lambda: 0, 1, seconds=8)  # late objects of a complete study are worked in some seconds later
    first = {item["id"]: item for item in server.worklist()}
    assert len(first) == len(made)
    by_accession = {item["accession_number"]: item for item in first.values() if item["accession_number"]}
    assert by_accession.keys() == wanted.keys()
    catalogue = set(_described().values())
    for number, sent in wanted.items():
        item = by_accession[number]
        assert item["trust"] == TRUST
        assert item["age_years"] == age_at(sent.birth_date, sent.exam_date, sent.age) or item["exceptions"], number
        codes = {exam["code"] for exam in item["exams"]} - {None}
        assert codes <= sent.exam_codes or not sent.exam_codes & catalogue, number
        assert codes or "unmapped-exam" in {one["kind"] for one in item["exceptions"]}, number
        start, due, limit = (_instant(item[key]) for key in ("clock_start_at", "due_at", "hard_limit_at"))
        assert start < due <= limit, number

    storescu(server, path)

    server.settled(lambda: 0, 1, seconds=2.5)  # more than the quiet period
    assert {item["id"]: item for item in server.worklist()} == first


def test_emergency_work_is_due_before_routine_work_of_the_same_hour(
    server: Server, folder: tuple[Path, list[DemoStudy]]
) -> None:
    items = [item for item in server.worklist() if item["modality"] == "XR" and item["age_years"] is not None]
    allowed: dict[str | None, set[float]] = {}
    for item in items:
        hours = (_instant(item["due_at"]) - _instant(item["clock_start_at"])).total_seconds() / 3600
        allowed.setdefault(item["urgency"], set()).add(hours)
    assert max(allowed["emergency"]) <= 12
    assert min(allowed["routine"]) >= 4


def test_a_file_that_is_not_dicom_is_left_out_by_the_sender_and_the_rest_arrives(
    server: Server, tmp_path: Path
) -> None:
    (study,) = studies_of_the_sender(8, 1, server.now())
    study.datasets[0].save_as(tmp_path / "good.dcm", enforce_file_format=True)
    (tmp_path / "bad.dcm").write_text("this is not DICOM")
    before = len(server.worklist())
    host, port = server.run["dicom"].split(":")
    subprocess.run(
        ["storescu", "+sd", "-nh", "-aet", AE_TITLE, host, port, str(tmp_path)], capture_output=True, check=False
    )
    assert server.settled(lambda: len(server.worklist()), before + 1) == before + 1


def test_an_unknown_ae_title_is_refused_and_shown(server: Server, folder: tuple[Path, list[DemoStudy]]) -> None:
    host, port = server.run["dicom"].split(":")
    done = subprocess.run(
        ["echoscu", "-aet", "STRANGER", host, port], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode != 0
    kinds = {one["kind"]: one for one in server.get("/exceptions", kind="association-refused")["exceptions"]}
    assert "unknown AE title" in kinds["association-refused"]["detail"]


def _sent(study: DemoStudy) -> Sent | None:
    """Read what the first image of a study says; None where it has no accession number."""
    images = [one for one in study.datasets if one.Modality not in ("SR", "PR", "KO")]
    header = images[0]
    asked = list(header.get("RequestAttributesSequence") or ())
    number = str(header.get("AccessionNumber", "") or (asked[0].get("AccessionNumber", "") if asked else ""))
    if not number:
        return None
    sequences = [one.get("RequestedProcedureCodeSequence") for one in asked]
    sequences += [header.get("RequestedProcedureCodeSequence"), header.get("ProcedureCodeSequence")]
    codes = {str(one.CodeValue) for sequence in sequences for one in sequence or ()}
    described = str(header.get("StudyDescription", ""))
    if described.upper() in _described():
        codes.add(_described()[described.upper()])
    if described.isupper() and described.isalpha():
        codes.add(described)
    birth = str(header.get("PatientBirthDate", "") or "")
    age = str(header.get("PatientAge", "") or "") or None
    return Sent(number, frozenset(codes), _date(birth), _date(str(header.StudyDate)) or date.min, age)


@cache
def _described() -> dict[str, str]:
    """Exact descriptions and the catalogue codes that they mean."""
    network = read_files(NETWORK).network
    return {exam.description.upper(): exam.code for exam in network.exam} | {
        alias.value.upper(): alias.exam for alias in network.exam_alias
    }


def _date(value: str) -> date | None:
    return datetime.strptime(value, "%Y%m%d").date() if value else None  # noqa: DTZ007 - a date alone


def _instant(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))


def _complete(server: Server) -> int:
    """Count the items that have all of their images: urgent ones are offered before."""
    return sum(item["state"] in ("ready", "on_hold") and not item["arriving"] for item in server.worklist())
