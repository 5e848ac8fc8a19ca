"""Reads the header of one DICOM object into the facts that the worklist takes.

It must not interpret: codes are not mapped, times not judged, and no value leaves it in an error.
The pixels are not here and are not missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from dicom_listener.header.data_elements import Ending, NestedTooDeep, Octets, read_elements, wanted_tags
from dicom_listener.header.json_model import UTF_8, pick_elements
from dicom_listener.header.values import AttributeReader, UnreadableHeader
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime, resolve

__all__ = ["UnreadableHeader", "read_header", "read_json_header", "wanted_attributes_passed"]

NHS_NUMBER_OID = "2.16.840.1.113883.2.1.4.1"
_NHS_ISSUERS = frozenset({"NHS", NHS_NUMBER_OID})
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_TEN_DIGITS = re.compile(r"[0-9]{10}")

_ENTITY = wanted_tags("LocalNamespaceEntityID", "UniversalEntityID")
_CODE = wanted_tags("CodeValue", "CodingSchemeDesignator", "CodeMeaning", "LongCodeValue", "URNCodeValue")
_PATIENT_IDENTITY = ("PatientID", "IssuerOfPatientID")
#: What is read of a header, and the last tag of it.
WANTED = wanted_tags(
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "AcquisitionDateTime",
    "StudyTime",
    "SeriesTime",
    "AcquisitionTime",
    "ContentTime",
    "AccessionNumber",
    "Modality",
    "InstitutionName",
    "TimezoneOffsetFromUTC",
    "StudyDescription",
    "InstitutionalDepartmentName",
    "PatientName",
    *_PATIENT_IDENTITY,
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "RequestingService",
    "RequestedProcedureDescription",
    "CurrentPatientLocation",
    "RequestedProcedurePriority",
    IssuerOfAccessionNumberSequence=_ENTITY,
    ProcedureCodeSequence=_CODE,
    IssuerOfPatientIDQualifiersSequence=_ENTITY,
    OtherPatientIDsSequence=wanted_tags(*_PATIENT_IDENTITY, IssuerOfPatientIDQualifiersSequence=_ENTITY),
    RequestedProcedureCodeSequence=_CODE,
    RequestAttributesSequence=wanted_tags(
        "AccessionNumber", IssuerOfAccessionNumberSequence=_ENTITY, RequestedProcedureCodeSequence=_CODE
    ),
)
LAST_WANTED = max(WANTED)


def read_header(data: Octets, transfer_syntax_uid: str, calling_ae_title: str) -> ReceivedObject:
    """Give the facts of an object from the first bytes of its encoded data set.

    The data may end anywhere. An attribute that cannot be read is left out and named, with the
    reason, in `header_faults`.

    Raises
    ------
    UnreadableHeader
        When a UID that identifies the object is missing or no UID, or sequences are nested too deep.
    """
    try:
        elements, faulty, ending = read_elements(data, transfer_syntax_uid, WANTED, LAST_WANTED)
    except NestedTooDeep:
        raise UnreadableHeader("DataSet", "has sequences nested too deep") from None
    faults: dict[tuple[str, str], None] = {}
    attributes = AttributeReader.of_data_set(elements, faults)
    for keyword in sorted(faulty):
        attributes.fault(keyword, "occurs more than once or cannot be followed")
    if ending not in {Ending.CUT, Ending.MALFORMED}:
        return _received(attributes, calling_ae_title, faults)
    attributes.fault("DataSet", f"{ending.value} before the last wanted attribute")
    try:
        return _received(attributes, calling_ae_title, faults)
    except UnreadableHeader as unreadable:
        reason = f"{unreadable.reason}, the data set {ending.value}"
        raise UnreadableHeader(unreadable.keyword, reason) from None


def read_json_header(data_set: Mapping[str, Any], calling_ae_title: str) -> ReceivedObject:
    """Give the facts of an object from its data set in the DICOM JSON model (PS3.18, Annex F).

    Raises
    ------
    UnreadableHeader
        When a UID that identifies the object is missing or no UID.
    """
    faults: dict[tuple[str, str], None] = {}
    elements = {**pick_elements(data_set, WANTED, faults), "SpecificCharacterSet": UTF_8}
    return _received(AttributeReader.of_data_set(elements, faults), calling_ae_title, faults)


def wanted_attributes_passed(data: Octets, transfer_syntax_uid: str) -> bool:
    """Tell whether more of the data set could add nothing to what `read_header` gives."""
    try:
        _, _, ending = read_elements(data, transfer_syntax_uid, {}, LAST_WANTED)
    except NestedTooDeep:
        return True
    return ending in {Ending.PASSED, Ending.MALFORMED}


def _received(
    attributes: AttributeReader, calling_ae_title: str, faults: dict[tuple[str, str], None]
) -> ReceivedObject:
    requests = _requests(attributes)
    accession_number, issuer = _accession(attributes, requests)
    study_date = attributes.day("StudyDate")
    return ReceivedObject(
        calling_ae_title=calling_ae_title,
        sop_class_uid=attributes.uid("SOPClassUID"),
        sop_instance_uid=attributes.uid("SOPInstanceUID"),
        study_instance_uid=attributes.uid("StudyInstanceUID"),
        series_instance_uid=attributes.uid("SeriesInstanceUID"),
        modality=attributes.text("Modality"),
        accession_number=accession_number,
        issuer_of_accession_number=issuer,
        patient=_patient(attributes),
        requested_codes=_requested_codes(attributes),
        performed_codes=tuple(dict.fromkeys(_codes(attributes, "ProcedureCodeSequence"))),
        study_description=attributes.description("StudyDescription")
        or attributes.description("RequestedProcedureDescription"),
        requesting_service=attributes.description("RequestingService"),
        institutional_department_name=attributes.description("InstitutionalDepartmentName"),
        current_patient_location=attributes.description("CurrentPatientLocation"),
        requested_procedure_priority=attributes.text("RequestedProcedurePriority"),
        patient_age=attributes.matching("PatientAge", _AGE),
        acquisition_ended=acquisition_ended(attributes),
        study_date=study_date[0] if study_date else None,
        requested_accession_numbers=tuple(sorted(requests)) if len(requests) > 1 else (),
        institution_name=attributes.description("InstitutionName"),
        header_faults=tuple(faults),
    )


def _requests(attributes: AttributeReader) -> dict[str, str | None]:
    """Give the accession numbers of the requests that the object satisfies, each with its issuer."""
    found: dict[str, str | None] = {}
    for request in attributes.items("RequestAttributesSequence"):
        number = request.text("AccessionNumber")
        if number is not None:
            found.setdefault(number, _entity(request, "IssuerOfAccessionNumberSequence"))
    return found


def _accession(attributes: AttributeReader, requests: Mapping[str, str | None]) -> tuple[str | None, str | None]:
    """Give the accession number and its issuer: the study's own, else that of the first of its requests."""
    own = attributes.text("AccessionNumber")
    if own is not None:
        return own, _entity(attributes, "IssuerOfAccessionNumberSequence")
    if not requests:
        return None, _entity(attributes, "IssuerOfAccessionNumberSequence")
    number, issuer = next(iter(requests.items()))
    return number, issuer or _entity(attributes, "IssuerOfAccessionNumberSequence")


def _entity(attributes: AttributeReader, keyword: str) -> str | None:
    for item in attributes.items(keyword):
        if entity := item.text("LocalNamespaceEntityID") or item.text("UniversalEntityID"):
            return entity
    return None


def _patient(attributes: AttributeReader) -> PatientAsSent:
    family_name, given_name = attributes.person_name("PatientName")
    birth_date = attributes.day("PatientBirthDate")
    return PatientAsSent(
        identifier=attributes.text("PatientID"),
        issuer=attributes.text("IssuerOfPatientID") or _entity(attributes, "IssuerOfPatientIDQualifiersSequence"),
        nhs_number=_nhs_number(attributes),
        family_name=family_name,
        given_name=given_name,
        birth_date=birth_date[0] if birth_date else None,
        sex=attributes.text("PatientSex"),
    )


def _nhs_number(attributes: AttributeReader) -> str | None:
    """Give the one identifier that is said to be issued as an NHS number; two that differ are none."""
    numbers = set()
    for identity in (attributes, *attributes.items("OtherPatientIDsSequence")):
        if not _issued_by_nhs(identity):
            continue
        text = (identity.text("PatientID") or "").replace(" ", "").replace("-", "")
        if _TEN_DIGITS.fullmatch(text):
            numbers.add(text)
        elif text:
            attributes.fault("PatientID", "is issued as an NHS number and is not ten digits")
    if len(numbers) > 1:
        attributes.fault("OtherPatientIDsSequence", "has several NHS numbers, none was read")
        return None
    return next(iter(numbers), None)


def _issued_by_nhs(identity: AttributeReader) -> bool:
    issuers = {identity.text("IssuerOfPatientID")}
    for qualifiers in identity.items("IssuerOfPatientIDQualifiersSequence"):
        issuers |= {qualifiers.text("LocalNamespaceEntityID"), qualifiers.text("UniversalEntityID")}
    return not _NHS_ISSUERS.isdisjoint(issuers)


def _requested_codes(attributes: AttributeReader) -> tuple[Code, ...]:
    holders = (*attributes.items("RequestAttributesSequence"), attributes)
    codes = (code for holder in holders for code in _codes(holder, "RequestedProcedureCodeSequence"))
    return tuple(dict.fromkeys(codes))


def _codes(attributes: AttributeReader, keyword: str) -> Iterator[Code]:
    for item in attributes.items(keyword):
        value = item.text("CodeValue") or item.text("LongCodeValue") or item.text("URNCodeValue")
        if value:
            scheme = item.text("CodingSchemeDesignator") or ""
            yield Code(value, scheme, item.description("CodeMeaning") or "")


def acquisition_ended(attributes: AttributeReader) -> LocalTime | None:
    """Give the best statement of when the acquisition ended, the most specific pair first."""
    offset = attributes.utc_offset("TimezoneOffsetFromUTC")
    if moment := attributes.moment("AcquisitionDateTime"):
        day, clock, own_offset, as_sent = moment
        return resolve(
            day,
            clock,
            as_sent=as_sent,
            source="AcquisitionDateTime",
            utc_offset=offset if own_offset is None else own_offset,
        )
    for source in ("Acquisition", "Content", "Series", "Study"):
        ended = _date_with_time(attributes, source, offset)
        if ended is not None:
            return ended
    return None


def _date_with_time(attributes: AttributeReader, which: str, offset: timedelta | None) -> LocalTime | None:
    day = attributes.day(f"{which}Date")
    clock = attributes.clock(f"{which}Time")
    if day is None or clock is None:
        return None
    return resolve(day[0], clock[0], as_sent=day[1] + clock[1], source=f"{which}Time", utc_offset=offset)
