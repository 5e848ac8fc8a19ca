"""Reads one answer to a study-level query (PS3.4, C.6.2.1.2) into the facts that the worklist takes.

It must not believe more than was said: a value that cannot be read is left out, and an answer without a study's UID
is none.
"""

from __future__ import annotations

from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dicom_listener.header.data_elements import Elements
from dicom_listener.header.values import AttributeReader, UnreadableHeader
from worklist.intake.study import StudyAtSource

#: What a query asks to be told.
KEYS = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ModalitiesInStudy",
    "StudyDescription",
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_MOST_INSTANCES = 1_000_000
_MOST_MODALITIES = 16


def read_answer(answer: Dataset, source: str) -> StudyAtSource | None:
    """Give what an answer says of one study; None when it does not name one."""
    attributes = AttributeReader.of_data_set(_elements(answer), {})
    try:
        study_instance_uid = attributes.uid("StudyInstanceUID")
    except UnreadableHeader:
        return None
    study_date = attributes.day("StudyDate")
    return StudyAtSource(
        ae_title=source,
        study_instance_uid=study_instance_uid,
        accession_number=attributes.text("AccessionNumber"),
        patient_identifier=attributes.text("PatientID"),
        study_date=study_date[0] if study_date else None,
        modalities=_modalities(attributes),
        description=attributes.description("StudyDescription"),
        instances=_number(attributes, "NumberOfStudyRelatedInstances"),
        series=_number(attributes, "NumberOfStudyRelatedSeries"),
    )


def issuer_of(answer: Dataset) -> str | None:
    """Give who issued the patient's identifier by an answer; None when it does not say so."""
    return AttributeReader.of_data_set(_elements(answer), {}).text("IssuerOfPatientID")


def _elements(answer: Dataset) -> Elements:
    """Give the values as they were sent: pydicom decodes one when it is first looked at, and we do that ourselves."""
    elements: Elements = {}
    for keyword in ("SpecificCharacterSet", *KEYS):
        if keyword not in answer:
            continue
        element: Any = answer.get_item(keyword)
        if isinstance(element, RawDataElement):
            elements[keyword] = element.value or b""
        elif keyword == "SpecificCharacterSet":
            # the one that is decoded with the data set
            value = element.value
            elements[keyword] = (value if isinstance(value, str) else "\\".join(value or ())).encode("ascii", "replace")
    return elements


def _modalities(attributes: AttributeReader) -> tuple[str, ...]:
    words = (attributes.description("ModalitiesInStudy") or "").split()
    return tuple(dict.fromkeys(word for word in words if word.isalnum()))[:_MOST_MODALITIES]


def _number(attributes: AttributeReader, keyword: str) -> int | None:
    text = attributes.text(keyword) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return None
    number = int(text)
    return number if number <= _MOST_INSTANCES else None
