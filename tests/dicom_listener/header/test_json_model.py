"""The DICOM JSON model says what an encoded data set says, and what it gets wrong is named and left out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_listener.header.json_model import decode_data_set
from dicom_listener.header.read import UnreadableHeader, read_header, read_json_header
from tests.dicom_listener.dicom_peers import code, ct_object, encoded
from worklist.intake.study import Code, ReceivedObject


def read(changed: dict[str, Any] | None = None, **attributes: Any) -> ReceivedObject:
    sent = {**ct_object(**attributes).to_json_dict(), **(changed or {})}
    return read_json_header(decode_data_set(json.dumps(sent).encode()), "PACS_A")


def test_json_gives_the_facts_that_the_encoded_data_set_gives() -> None:
    item = code("CHEAD", meaning="CT Head")
    attributes: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Müller^Zoë=穆勒^佐伊",
        "AcquisitionDateTime": "20240105103000+0100",
        "ProcedureCodeSequence": [item],
        "RequestAttributesSequence": [],
        "StudyDescription": "CT Head",
        "RequestedProcedurePriority": "STAT",
    }
    assert read(**attributes) == read_header(encoded(ct_object(**attributes)), "1.2.840.10008.1.2", "PACS_A")
    assert read(**attributes).performed_codes == (Code("CHEAD", "NICIP", "CT Head"),)


def test_text_is_utf_8_whatever_the_data_set_says_of_its_character_set() -> None:
    said = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Zoë"}]}}
    assert read({**said, **name}).patient.family_name == "Müller"


@pytest.mark.parametrize(
    ("value", "family_name"),
    [
        ({"Alphabetic": "Probe^Anna"}, "Probe"),
        ({"Ideographic": "穆勒^佐伊"}, "穆勒"),
        ({"Alphabetic": None, "Phonetic": "みゅら^ぞい"}, "みゅら"),
        ("Probe^Anna", "Probe"),
        ({}, None),
        (None, None),
    ],
)
def test_a_person_name_is_the_first_group_that_says_anything(value: Any, family_name: str | None) -> None:
    assert read({"00100010": {"vr": "PN", "Value": [value]}}).patient.family_name == family_name


def test_several_values_are_several_values() -> None:
    received = read({"00080050": {"vr": "SH", "Value": ["A1", None, "A2"]}})
    assert received.accession_number == "A1"
    assert ("AccessionNumber", "has several values, the first was read") in received.header_faults


def test_a_number_is_read_as_its_digits() -> None:
    assert read({"00080050": {"vr": "SH", "Value": [12345]}}).accession_number == "12345"


def test_binary_in_the_message_is_decoded() -> None:
    inline = base64.b64encode(b"A-77 ").decode()
    assert read({"00080050": {"vr": "UN", "InlineBinary": inline}}).accession_number == "A-77"


def test_an_attribute_of_no_value_is_empty() -> None:
    received = read({"00080050": {"vr": "SH"}, "00081032": {"vr": "SQ"}})
    assert received.accession_number is None
    assert received.performed_codes == ()
    assert received.header_faults == ()


def test_keys_may_be_in_either_case_and_others_are_passed_over() -> None:
    sent: dict[str, Any] = {"0020000d": {"vr": "UI", "Value": ["1.2.3"]}, "StudyDate": 5, "0008,0050": []}
    assert read(sent, StudyInstanceUID=None).study_instance_uid == "1.2.3"


WRONG: list[tuple[str, Any, str, str]] = [
    ("00080050", "A1", "AccessionNumber", "is not a JSON object with vr and Value"),
    ("00080050", {"vr": "SH", "Value": "A1"}, "AccessionNumber", "has a Value that is no array"),
    ("00080050", {"vr": "SH", "Value": [True]}, "AccessionNumber", "has a value of another kind than its value"),
    ("00080050", {"vr": "SH", "Value": [["A1"]]}, "AccessionNumber", "has a value of another kind than its value"),
    ("00080050", {"vr": "SH", "Value": [1e999]}, "AccessionNumber", "has a value of another kind than its value"),
    ("00080050", {"vr": "SH", "Value": ["\ud800"]}, "AccessionNumber", "is not text in UTF-8"),
    ("00080050", {"vr": "SH", "Value": ["x"] * 257}, "AccessionNumber", "has too many values"),
    ("00080050", {"vr": "SH", "Value": ["x" * 2000]}, "AccessionNumber", "is longer than 1024 bytes"),
    ("00080050", {"vr": "SH", "Value": ["a\u0000b"]}, "AccessionNumber", "contains control characters"),
    ("00080050", {"vr": "SH", "BulkDataURI": "x"}, "AccessionNumber", "is not in the message but at an address"),
    ("00080050", {"vr": "UN", "InlineBinary": "?"}, "AccessionNumber", "is not base64"),
    ("00080050", {"vr": "UN", "InlineBinary": 5}, "AccessionNumber", "is binary of another kind or length"),
    ("00080050", {"vr": "UN", "InlineBinary": "/w=="}, "AccessionNumber", "is not in the declared character set"),
    ("00080050", {"vr": "SQ", "Value": [{}]}, "AccessionNumber", "is a sequence where a value is wanted"),
    ("00081032", {"vr": "LO", "Value": ["x"]}, "ProcedureCodeSequence", "is not a sequence of items"),
    ("00081032", {"vr": "SQ", "Value": ["x"]}, "ProcedureCodeSequence", "is not a sequence of items"),
    ("00081032", {"vr": "SQ", "Value": [{}] * 65}, "ProcedureCodeSequence", "has too many values"),
    ("00100010", {"vr": "PN", "Value": [{"Alphabetic": 5}]}, "PatientName", "has a name of another kind"),
]


@pytest.mark.parametrize(("tag", "attribute", "keyword", "reason"), WRONG)
def test_an_attribute_that_is_not_as_it_should_be_is_left_out_and_named(
    tag: str, attribute: Any, keyword: str, reason: str
) -> None:
    sent = {**ct_object(AccessionNumber=None, PatientName=None).to_json_dict(), tag: attribute}
    faults = dict(read_json_header(sent, "PACS_A").header_faults)
    assert faults[keyword].startswith(reason)


def test_a_tag_that_stands_twice_in_two_cases_is_named() -> None:
    twice = {"0020000d": {"vr": "UI", "Value": ["1.2.3"]}}
    assert dict(read(twice).header_faults) == {"StudyInstanceUID": "occurs more than once or cannot be followed"}


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"a": 1, "a": 2}', "names an attribute twice"),
        (b'{"a": {"b": 1, "b": 2}}', "names an attribute twice"),
        (b'{"a": Infinity}', "has a number that is none"),
        (b"[]", "is not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_data_set_is_refused_in_words(octets: bytes, reason: str) -> None:
    with pytest.raises(UnreadableHeader) as refused:
        decode_data_set(octets)
    assert str(refused.value) == f"DataSet: {reason}"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["vr", "Value", "InlineBinary", "Alphabetic", "00080100"]), inner, max_size=3)
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(["00080018", "0020000D", "0020000E", "00080016", "00081032", "00400275", "00100010"]), _JSON
    )
)
def test_whatever_is_sent_is_read_or_refused(changed: dict[str, Any]) -> None:
    sent = {**ct_object().to_json_dict(), **changed}
    told: ReceivedObject | UnreadableHeader
    try:
        told = read_json_header(sent, "PACS_A")
    except UnreadableHeader as refused:
        told = refused
    assert told.reason if isinstance(told, UnreadableHeader) else told.sop_instance_uid
