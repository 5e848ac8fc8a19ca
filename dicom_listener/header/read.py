"""Reads the header of one DICOM object into the facts that the worklist takes.

It must not interpret: codes are not mapped, times not judged, and no value leaves it in an error.
The pixels are not here and are not missed.
"""

from __future__ import annotations

import re
<<<<<<< HEAD
from collections.abc import Iterator
from dataclasses import dataclass, replace
=======
from collections.abc import Iterator, Mapping
>>>>>>> e7db770646332451957b914639fdfa58098d855d
from datetime import timedelta
from typing import Any

from dicom_listener.header.character_set import CharacterSet
from dicom_listener.header.data_elements import Ending, NestedTooDeep, Octets, read_elements, wanted_tags
<<<<<<< HEAD
from dicom_listener.header.top_level import TopLevelWalk
=======
from dicom_listener.header.json_model import UTF_8, pick_elements
>>>>>>> e7db770646332451957b914639fdfa58098d855d
from dicom_listener.header.values import AttributeReader, UnreadableHeader
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime, resolve

<<<<<<< HEAD
__all__ = ["HeaderReader", "ObjectHeader", "UnreadableHeader", "read_header", "wanted_attributes_passed"]
=======
__all__ = ["UnreadableHeader", "read_header", "read_json_header", "wanted_attributes_passed"]
>>>>>>> e7db770646332451957b914639fdfa58098d855d

NHS_NUMBER_OID = "2.16.840.1.113883.2.1.4.1"
_NHS_ISSUERS = frozenset({"NHS", NHS_NUMBER_OID})
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_TEN_DIGITS = re.compile(r"[0-9]{10}")

_ENTITY = wanted_tags("LocalNamespaceEntityID", "UniversalEntityID")
_CODE = wanted_tags("CodeValue", "CodingSchemeDesignator", "CodeMeaning", "LongCodeValue", "URNCodeValue")
_PATIENT_IDENTITY = ("PatientID", "IssuerOfPatientID")
_WANTED = wanted_tags(
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
_LAST_WANTED = max(_WANTED)
#: What differs between the objects of a series in the usual case.
_OWN_TIMES = ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")
_OWN = ("SOPInstanceUID", *_OWN_TIMES)


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
        elements, faulty, ending = read_elements(data, transfer_syntax_uid, _WANTED, _LAST_WANTED)
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


<<<<<<< HEAD
@dataclass(frozen=True, slots=True)
class ObjectHeader:
    """One object's facts, as what it shares with others of its series and what is its own.

    `like` is the object of the series that was read whole; all but these two is the same in both.
    """

    like: ReceivedObject
    sop_instance_uid: str
    acquisition_ended: LocalTime | None

    def received(self) -> ReceivedObject:
        """Give the whole."""
        return replace(self.like, sop_instance_uid=self.sop_instance_uid, acquisition_ended=self.acquisition_ended)


class HeaderReader:
    """Reads the headers of one association, one after another: what a series repeats is read once.

    It gives what `read_header` gives. Objects of a series differ in few attributes; when the encoded values of
    all others equal the last object's, only those few are read.
    """

    def __init__(self, calling_ae_title: str) -> None:
        self._calling_ae_title = calling_ae_title
        self._walk = TopLevelWalk(_WANTED, _LAST_WANTED)
        self._walked: tuple[Octets, dict[str, bytes] | None] | None = None
        self._stated: tuple[str, dict[str, bytes]] | None = None
        self._like: ReceivedObject | None = None
        self._charset = CharacterSet(("ascii",), declared=True)
        self._times: tuple[list[bytes | None], LocalTime | None] | None = None

    def passed(self, data: bytes, transfer_syntax_uid: str) -> bool:
        """Tell whether more of the data set could add nothing; the walk is kept for `read` of the same bytes."""
        try:
            found = self._walk.read(data, transfer_syntax_uid)
        except NestedTooDeep:
            return True
        self._walked = data, found
        return found is not None or wanted_attributes_passed(data, transfer_syntax_uid)

    def read(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        """Give the facts of an object from the first bytes of its encoded data set.

        Raises
        ------
        UnreadableHeader
            As `read_header` does.
        """
        walked, self._walked = self._walked, None
        try:
            found = walked[1] if walked and walked[0] is data else self._walk.read(data, transfer_syntax_uid)
        except NestedTooDeep:
            found = None
        if found is None:
            return self._read_whole(data, transfer_syntax_uid)
        own = {keyword: value for keyword in _OWN if (value := found.pop(keyword, None)) is not None}
        if self._like is None or (transfer_syntax_uid, found) != self._stated:
            header = self._read_whole(data, transfer_syntax_uid)
            self._remember(header.like, transfer_syntax_uid, found)
            return header
        faults: dict[tuple[str, str], None] = {}
        attributes = AttributeReader({**found, **own}, faults, self._charset)
        uid = attributes.uid("SOPInstanceUID")
        ended = self._ended(attributes, own)
        return ObjectHeader(self._like, uid, ended) if not faults else self._read_whole(data, transfer_syntax_uid)

    def _read_whole(self, data: bytes, transfer_syntax_uid: str) -> ObjectHeader:
        received = read_header(data, transfer_syntax_uid, self._calling_ae_title)
        return ObjectHeader(received, received.sop_instance_uid, received.acquisition_ended)

    def _remember(self, received: ReceivedObject, transfer_syntax_uid: str, found: dict[str, bytes]) -> None:
        """Keep an object to compare the next with; not one with faults, which could lie in what is its own."""
        self._like = received if not received.header_faults else None
        self._stated = transfer_syntax_uid, found
        self._times = None

    def _ended(self, attributes: AttributeReader, own: dict[str, bytes]) -> LocalTime | None:
        times = [own.get(keyword) for keyword in _OWN_TIMES]
        if self._times is None or self._times[0] != times:
            self._times = times, _acquisition_ended(attributes)
        return self._times[1]
=======
def read_json_header(data_set: Mapping[str, Any], calling_ae_title: str) -> ReceivedObject:
    """Give the facts of an object from its data set in the DICOM JSON model (PS3.18, Annex F).

    Raises
    ------
    UnreadableHeader
        When a UID that identifies the object is missing or no UID.
    """
    faults: dict[tuple[str, str], None] = {}
    elements = {**pick_elements(data_set, _WANTED, faults), "SpecificCharacterSet": UTF_8}
    return _received(AttributeReader.of_data_set(elements, faults), calling_ae_title, faults)
>>>>>>> e7db770646332451957b914639fdfa58098d855d


def wanted_attributes_passed(data: Octets, transfer_syntax_uid: str) -> bool:
    """Tell whether more of the data set could add nothing to what `read_header` gives."""
    try:
        _, _, ending = read_elements(data, transfer_syntax_uid, {}, _LAST_WANTED)
    except NestedTooDeep:
        return True
    return ending in {Ending.PASSED, Ending.MALFORMED}


def _received(
    attributes: AttributeReader, calling_ae_title: str, faults: dict[tuple[str, str], None]
) -> ReceivedObject:
    accession_number, issuer = _accession(attributes)
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
        acquisition_ended=_acquisition_ended(attributes),
        study_date=study_date[0] if study_date else None,
        header_faults=tuple(faults),
    )


def _accession(attributes: AttributeReader) -> tuple[str | None, str | None]:
    """Give the accession number and its issuer: the study's own, else that of its requests."""
    own = attributes.text("AccessionNumber")
    if own is not None:
        return own, _entity(attributes, "IssuerOfAccessionNumberSequence")
    requests = [
        (number, _entity(request, "IssuerOfAccessionNumberSequence"))
        for request in attributes.items("RequestAttributesSequence")
        if (number := request.text("AccessionNumber")) is not None
    ]
    if not requests:
        return None, _entity(attributes, "IssuerOfAccessionNumberSequence")
    if len(set(requests)) > 1:
        attributes.fault("RequestAttributesSequence", "has several accession numbers, the first was read")
    number, issuer = requests[0]
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


def _acquisition_ended(attributes: AttributeReader) -> LocalTime | None:
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
