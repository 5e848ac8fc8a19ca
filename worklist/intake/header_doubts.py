"""Says which exceptions a study's headers raise on its item, from what counts of them.

Pure: no I/O, no clock, no settings. It must not name a value, only keywords: values can identify a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from worklist.intake.header_truth import Truth

#: The kinds of the exceptions that say which number or date is not there or is not believed.
_KINDS = {
    "AccessionNumber": "missing-accession-number",
    "PatientID": "missing-patient-id",
    "PatientBirthDate": "birth-date-not-believed",
    "StudyDate": "study-date-not-believed",
}


@dataclass(frozen=True, slots=True, order=True)
class HeaderDoubt:
    """An exception that a study's headers raise: its kind, the source it is told of, and the reason."""

    kind: str
    source_ae_title: str
    detail: str


def doubts_of_headers(
    truth: Truth, facts: Mapping[str, Any], *, has_accession: bool, today: date
) -> frozenset[HeaderDoubt]:
    """Give the exceptions of a study with images; `today` is the local date, `has_accession` tells of its item."""
    found = {(_kind(fault), fault) for fault in facts.get("fault", ())}
    if not has_accession:
        found.add((_KINDS["AccessionNumber"], "AccessionNumber: missing"))
    if "PatientID" not in truth.values:
        found.add((_KINDS["PatientID"], "PatientID: missing"))
    if truth.values.get("PatientBirthDate", "") > today.isoformat():
        found.add((_KINDS["PatientBirthDate"], "PatientBirthDate: in the future"))
    # a source's own date may be a day ahead of ours
    if max(facts.get("study_date", ()), default="") > (today + timedelta(days=1)).isoformat():
        found.add((_KINDS["StudyDate"], "StudyDate: in the future"))
    if truth.lacks_modality:
        found.add(("missing-modality", "Modality: missing, and the SOP class is not of one modality"))
    for keyword, values in truth.contradicted:
        found.add(("contradictory-header", f"{keyword}: {values} values in objects that should agree"))
    return frozenset(HeaderDoubt(kind, truth.source_ae_title, detail) for kind, detail in found)


def no_image_detail(study_id: int) -> str:
    """Give the reason of the exception of a study that has no image, and so no item."""
    return f"nothing of study {study_id} is an image to report"


def _kind(fault: str) -> str:
    return _KINDS.get(fault.partition(":")[0], "unreadable-attribute")
