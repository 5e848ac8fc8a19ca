"""The header reader gives the facts of an object as sent, and no value in any fault."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_listener.header.read import UnreadableHeader, read_header, wanted_attributes_passed
from tests.dicom_listener.dicom_peers import code, ct_object, element, encoded, nested
from worklist.intake.study import Code, PatientAsSent, ReceivedObject


def read(data_set: Dataset) -> ReceivedObject:
    return read_header(encoded(data_set), ImplicitVRLittleEndian, "CT1")


def read_raw(tag: int, value: bytes) -> ReceivedObject:
    """Read the synthetic CT object with one attribute replaced by raw octets."""
    data_set = ct_object()
    if tag in data_set:
        del data_set[tag]
    before = encoded(data_set[:tag])
    return read_header(before + element(tag, value) + encoded(data_set[tag:]), ImplicitVRLittleEndian, "CT1")


def entity(identifier: str) -> Dataset:
    item = Dataset()
    item.UniversalEntityID = identifier
    return item


def identity(number: str, issuer: str | None = None, *qualifiers: Dataset) -> Dataset:
    item = Dataset()
    item.PatientID = number
    if issuer:
        item.IssuerOfPatientID = issuer
    if qualifiers:
        item.IssuerOfPatientIDQualifiersSequence = Sequence(qualifiers)
    return item


@pytest.mark.parametrize(
    ("uid", "implicit", "little"),
    [
        (ImplicitVRLittleEndian, True, True),
        (ExplicitVRLittleEndian, False, True),
        (ExplicitVRBigEndian, False, False),
        ("1.2.840.10008.1.2.4.70", False, True),
    ],
)
def test_the_facts_are_the_same_in_every_encoding(uid: str, implicit: bool, little: bool) -> None:
    received = read_header(encoded(ct_object(), implicit=implicit, little=little), uid, "CT1")
    assert received.calling_ae_title == "CT1"
    assert received.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert received.sop_instance_uid == "1.2.826.0.1.3680043.8.498.1"
    assert received.study_instance_uid == "1.2.826.0.1.3680043.8.498.2"
    assert received.series_instance_uid == "1.2.826.0.1.3680043.8.498.3"
    assert (received.modality, received.accession_number) == ("CT", "0012345")
    assert (received.study_description, received.patient_age) == ("CT Head", "074Y")
    assert received.study_date == date(2024, 1, 5)
    assert received.patient == PatientAsSent("P0001", None, None, "Probe", "Anna", date(1950, 1, 1), "F")
    assert received.header_faults == ()


def test_context_of_the_request_is_read() -> None:
    received = read(
        ct_object(
            RequestingService="Emergency Medicine",
            InstitutionalDepartmentName="A&E",
            CurrentPatientLocation="RESUS",
            RequestedProcedurePriority="STAT",
        )
    )
    assert received.requesting_service == "Emergency Medicine"
    assert received.institutional_department_name == "A&E"
    assert received.current_patient_location == "RESUS"
    assert received.requested_procedure_priority == "STAT"


def test_requested_codes_of_the_requests_come_before_those_of_the_study() -> None:
    request = Dataset()
    request.RequestedProcedureCodeSequence = Sequence([code("CSKUH", meaning="CT Head")])
    received = read(
        ct_object(
            RequestAttributesSequence=Sequence([request]),
            RequestedProcedureCodeSequence=Sequence([code("XCHES"), code("XABDO"), code("CSKUH", meaning="CT Head")]),
            ProcedureCodeSequence=Sequence([code("303653007", "SCT")]),
        )
    )
    assert received.requested_codes == (
        Code("CSKUH", "NICIP", "CT Head"),
        Code("XCHES", "NICIP"),
        Code("XABDO", "NICIP"),
    )
    assert received.performed_codes == (Code("303653007", "SCT"),)


def test_a_code_longer_than_sixteen_characters_is_read_from_its_own_attribute() -> None:
    item = Dataset()
    item.LongCodeValue = "12345678901234567890"
    item.CodingSchemeDesignator = "SCT"
    received = read(ct_object(ProcedureCodeSequence=Sequence([item])))
    assert received.performed_codes == (Code("12345678901234567890", "SCT"),)


def test_the_accession_number_is_taken_from_the_request_when_the_study_has_none() -> None:
    request = Dataset()
    request.AccessionNumber = "000777"
    request.IssuerOfAccessionNumberSequence = Sequence([entity("RXX")])
    received = read(ct_object(AccessionNumber="", RequestAttributesSequence=Sequence([request])))
    assert (received.accession_number, received.issuer_of_accession_number) == ("000777", "RXX")


def test_the_local_namespace_names_the_issuer_before_the_universal_one() -> None:
    issuer = entity("1.2.3")
    issuer.LocalNamespaceEntityID = "RXX"
    received = read(ct_object(IssuerOfAccessionNumberSequence=Sequence([issuer])))
    assert received.issuer_of_accession_number == "RXX"


def test_the_description_falls_back_to_that_of_the_requested_procedure() -> None:
    received = read(ct_object(StudyDescription=None, RequestedProcedureDescription="CT Kopf"))
    assert received.study_description == "CT Kopf"


@pytest.mark.parametrize(
    "others",
    [
        [identity("999 000 0018", "NHS")],
        [identity("H123", "RXX"), identity("999-000-0018", "2.16.840.1.113883.2.1.4.1")],
        [identity("9990000018", None, entity("2.16.840.1.113883.2.1.4.1"))],
    ],
)
def test_the_nhs_number_is_the_other_identifier_whose_issuer_is_the_nhs(others: list[Dataset]) -> None:
    received = read(ct_object(OtherPatientIDsSequence=Sequence(others)))
    assert received.patient.nhs_number == "9990000018"
    assert received.patient.identifier == "P0001"


def test_the_nhs_number_is_the_patient_id_itself_when_the_nhs_issued_it() -> None:
    received = read(ct_object(PatientID="9990000018", IssuerOfPatientID="NHS"))
    assert received.patient.nhs_number == "9990000018"


def test_two_nhs_numbers_are_none_and_a_fault() -> None:
    others = Sequence([identity("9990000018", "NHS"), identity("9990000026", "NHS")])
    received = read(ct_object(OtherPatientIDsSequence=others))
    assert received.patient.nhs_number is None
    assert [keyword for keyword, _ in received.header_faults] == ["OtherPatientIDsSequence"]


def test_an_nhs_number_that_is_not_ten_digits_is_none_and_a_fault() -> None:
    received = read(ct_object(PatientID="99900018", IssuerOfPatientID="NHS"))
    assert received.patient.nhs_number is None
    assert [keyword for keyword, _ in received.header_faults] == ["PatientID"]


@pytest.mark.parametrize(
    ("attributes", "source", "as_sent", "at"),
    [
        (
            {"AcquisitionDateTime": "20240704101112.5", "AcquisitionDate": "20240101"},
            "AcquisitionDateTime",
            "20240704101112.5",
            datetime(2024, 7, 4, 9, 11, 12, 500000, tzinfo=UTC),
        ),
        (
            {"AcquisitionDateTime": "20240704101112+0300", "TimezoneOffsetFromUTC": "+0000"},
            "AcquisitionDateTime",
            "20240704101112+0300",
            datetime(2024, 7, 4, 7, 11, 12, tzinfo=UTC),
        ),
        (
            {"AcquisitionDateTime": "20240704", "AcquisitionDate": "20240705", "AcquisitionTime": "09"},
            "AcquisitionTime",
            "2024070509",
            datetime(2024, 7, 5, 8, tzinfo=UTC),
        ),
        (
            {"ContentDate": "20240705", "ContentTime": "0915", "SeriesDate": "20240101", "SeriesTime": "10"},
            "ContentTime",
            "202407050915",
            datetime(2024, 7, 5, 8, 15, tzinfo=UTC),
        ),
        (
            {"AcquisitionDate": "20240705", "SeriesDate": "20240705", "SeriesTime": "101500"},
            "SeriesTime",
            "20240705101500",
            datetime(2024, 7, 5, 9, 15, tzinfo=UTC),
        ),
        (
            {"TimezoneOffsetFromUTC": "-0500"},
            "StudyTime",
            "20240105103000",
            datetime(2024, 1, 5, 15, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_end_of_acquisition_is_the_most_specific_time_sent(
    attributes: dict[str, str], source: str, as_sent: str, at: datetime
) -> None:
    ended = read(ct_object(**attributes)).acquisition_ended
    assert ended is not None
    assert (ended.source, ended.as_sent, ended.at) == (source, as_sent, at)


def test_an_offset_from_utc_is_kept_as_the_zone() -> None:
    ended = read(ct_object(TimezoneOffsetFromUTC="+0100")).acquisition_ended
    assert ended is not None
    assert ended.zone == "+0100"


def test_a_study_date_without_a_time_gives_no_end_of_acquisition() -> None:
    received = read(ct_object(StudyTime=None))
    assert received.acquisition_ended is None
    assert received.study_date == date(2024, 1, 5)


@pytest.mark.parametrize(
    ("tag", "value", "keyword"),
    [
        (0x00080020, b"20241332", "StudyDate"),
        (0x00080020, b"00010101", "StudyDate"),
        (0x00080020, b"yesterday ", "StudyDate"),
        (0x00080030, b"256000", "StudyTime"),
        (0x0008002A, b"2024AB", "AcquisitionDateTime"),
        (0x0008002A, b"2024010199", "AcquisitionDateTime"),
        (0x00080201, b"+9900 ", "TimezoneOffsetFromUTC"),
        (0x00100030, b"19500231", "PatientBirthDate"),
        (0x00101010, b"074 ", "PatientAge"),
        (0x00080050, b"A" * 300, "AccessionNumber"),
        (0x00080050, b"123\x07456", "AccessionNumber"),
        (0x00080050, b"A\\B ", "AccessionNumber"),
        (0x00100020, b"P\x001", "PatientID"),
        (0x00081030, b"X" * 4000, "StudyDescription"),
        (0x00100010, b"N" * 300, "PatientName"),
    ],
)
def test_a_value_that_cannot_be_read_is_a_fault_that_does_not_repeat_it(tag: int, value: bytes, keyword: str) -> None:
    faults = read_raw(tag, value).header_faults
    assert [name for name, _ in faults] == [keyword]
    assert value.strip().decode() not in str(faults)


def test_an_identifier_that_is_too_long_is_left_out_rather_than_cut() -> None:
    assert read_raw(0x00080050, b"A" * 300).accession_number is None


def test_a_description_that_is_too_long_is_cut_visibly() -> None:
    description = read_raw(0x00081030, b"X" * 300).study_description
    assert description == "X" * 63 + "…"


def test_padding_is_stripped_and_leading_zeros_are_kept() -> None:
    assert read_raw(0x00080050, b" 000123 \0").accession_number == "000123"


@pytest.mark.parametrize(
    ("charset", "name", "expected"),
    [
        (b"ISO_IR 192", "Żółw^Łucja".encode(), ("Żółw", "Łucja")),
        (b"ISO_IR 100", "Müller^Jörg".encode("latin_1"), ("Müller", "Jörg")),
        (b"ISO_IR 144", "Юля".encode("iso8859_5"), ("Юля", None)),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", ("Yamada", "Tarou")),
        (b"ISO 2022 IR 6\\ISO 2022 IR 126", b"\x1b-F\xc4^\x1b-F\xd8", ("Δ", "Ψ")),
    ],
)
def test_names_are_decoded_in_the_declared_character_set(
    charset: bytes, name: bytes, expected: tuple[str, str | None]
) -> None:
    data = element(0x00080005, charset) + encoded(ct_object()[:0x00100010]) + element(0x00100010, name)
    data += encoded(ct_object()[0x00100011:])
    patient = read_header(data, ImplicitVRLittleEndian, "CT1").patient
    assert (patient.family_name, patient.given_name) == expected


def test_octets_outside_the_declared_character_set_leave_the_name_out() -> None:
    data = element(0x00080005, b"ISO_IR 192") + encoded(ct_object()[:0x00100010])
    data += element(0x00100010, b"M\xfcller") + encoded(ct_object()[0x00100011:])
    received = read_header(data, ImplicitVRLittleEndian, "CT1")
    assert received.patient.family_name is None
    assert received.header_faults == (("PatientName", "is not in the declared character set"),)


def test_an_undeclared_character_set_is_read_as_latin_1_and_told() -> None:
    received = read_raw(0x00100010, b"Zo\xeb^A ")
    assert received.patient.family_name == "Zoë"
    assert [keyword for keyword, _ in received.header_faults] == ["PatientName"]


@pytest.mark.parametrize("charset", [b"zlib", b"rot13", b"ISO_IR 999", b"\xff\xfe", b"ISO_IR 100\\base64"])
def test_a_character_set_that_does_not_exist_is_a_fault(charset: bytes) -> None:
    data = element(0x00080005, charset) + encoded(ct_object())
    received = read_header(data, ImplicitVRLittleEndian, "CT1")
    assert [keyword for keyword, _ in received.header_faults] == ["SpecificCharacterSet"]
    assert received.patient.family_name == "Probe"


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_missing_uid_makes_the_header_unreadable(keyword: str) -> None:
    with pytest.raises(UnreadableHeader) as raised:
        read(ct_object(**{keyword: None}))
    assert (raised.value.keyword, raised.value.reason) == (keyword, "is missing")


@pytest.mark.parametrize("value", [b"1." * 33 + b"1", b"1.2.x", b"1.2\n3", b"..", b"1.2.\xb2"])
def test_what_is_not_a_uid_makes_the_header_unreadable_without_being_repeated(value: bytes) -> None:
    with pytest.raises(UnreadableHeader) as raised:
        read_raw(0x0020000D, value)
    assert raised.value.keyword == "StudyInstanceUID"
    assert value.decode("latin_1") not in str(raised.value)


def test_two_hundred_nested_sequences_make_the_header_unreadable() -> None:
    data_set = ct_object()
    data_set.update(nested(200))
    with pytest.raises(UnreadableHeader) as raised:
        read(data_set)
    assert raised.value.keyword == "DataSet"


def test_data_cut_before_the_pixels_lose_nothing() -> None:
    data_set = ct_object()
    header = encoded(data_set)
    data_set.add_new(0x7FE00010, "OW", b"\0" * 1000)
    cut = encoded(data_set)[: len(header) + 20]
    assert read_header(cut, ImplicitVRLittleEndian, "CT1").header_faults == ()


def test_data_cut_inside_the_header_are_told() -> None:
    data_set = ct_object(RequestedProcedurePriority="STAT")
    received = read_header(encoded(data_set)[:-2], ImplicitVRLittleEndian, "CT1")
    assert received.requested_procedure_priority is None
    assert [keyword for keyword, _ in received.header_faults] == ["DataSet"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x08\x00\x16\x00\xff\xff\xff\x7f1.2", "is missing, the data set is cut short"),
        (b"\xfe\xff\x00\xe0\0\0\0\0", "is missing, the data set is malformed"),
    ],
)
def test_a_uid_missing_from_a_broken_data_set_is_told_as_such(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableHeader) as raised:
        read_header(data, ImplicitVRLittleEndian, "CT1")
    assert (raised.value.keyword, raised.value.reason) == ("SOPClassUID", reason)


def test_more_is_asked_for_until_the_last_wanted_attribute_is_passed() -> None:
    data_set = ct_object(RequestedProcedurePriority="STAT")
    data_set.add_new(0x00409096, "LO", "later")
    data = encoded(data_set)
    assert not wanted_attributes_passed(data[:-20], ImplicitVRLittleEndian)
    assert wanted_attributes_passed(data, ImplicitVRLittleEndian)
