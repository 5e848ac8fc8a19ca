"""The walk over data elements finds what is wanted and stays within bounds."""

from __future__ import annotations

import struct

import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_listener.header.data_elements import Ending, NestedTooDeep, read_elements, wanted_tags
from tests.dicom_listener.dicom_peers import ct_object, element, encoded, nested

UNDEFINED = 0xFFFFFFFF
WANTED = wanted_tags("Modality", "StudyInstanceUID", ProcedureCodeSequence=wanted_tags("CodeValue"))
LAST = 0x0020000D
STUDY_UID = element(0x0020000D, b"1.2.3\0")
DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)


def head(tag: int, length: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


@pytest.mark.parametrize(
    ("uid", "implicit", "little"),
    [
        (ImplicitVRLittleEndian, True, True),
        (ExplicitVRLittleEndian, False, True),
        (ExplicitVRBigEndian, False, False),
    ],
)
def test_wanted_values_are_found_in_each_encoding(uid: str, implicit: bool, little: bool) -> None:
    data = encoded(ct_object(), implicit=implicit, little=little)
    found, faulty, ending = read_elements(data, uid, WANTED, LAST)
    assert found == {"Modality": b"CT", "StudyInstanceUID": b"1.2.826.0.1.3680043.8.498.2\0"}
    assert faulty == frozenset()
    assert ending is Ending.PASSED


def test_data_cut_inside_a_value_end_the_walk_before_it() -> None:
    data = element(0x00080060, b"CT") + head(0x0020000D, 26) + b"1.2.826"
    found, _, ending = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert (found, ending) == ({"Modality": b"CT"}, Ending.CUT)


def test_a_length_of_four_gigabytes_is_not_believed() -> None:
    data = head(0x00080060, 0xFFFFFFF0) + STUDY_UID
    found, _, ending = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert (found, ending) == ({}, Ending.CUT)


def test_an_unwanted_sequence_of_undefined_length_is_stepped_over() -> None:
    item = head(0xFFFEE000, UNDEFINED) + element(0x00080060, b"MR") + ITEM_END
    data = head(0x00081110, UNDEFINED) + item + DELIMITER + STUDY_UID
    found, _, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found == {"StudyInstanceUID": b"1.2.3\0"}


def test_encapsulated_fragments_of_an_unwanted_value_are_stepped_over() -> None:
    fragment = head(0xFFFEE000, 4) + b"\xfe\xff\xdd\xe0"
    private = struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, UNDEFINED)
    uid = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 6) + b"1.2.3\0"
    data = private + fragment + fragment + DELIMITER + uid
    found, _, _ = read_elements(data, ExplicitVRLittleEndian, WANTED, LAST)
    assert found == {"StudyInstanceUID": b"1.2.3\0"}


def test_a_sequence_sent_as_un_of_undefined_length_is_read_as_implicit_little_endian() -> None:
    item = head(0xFFFEE000, UNDEFINED) + element(0x00080100, b"XCHES ") + ITEM_END
    data = struct.pack("<HH2sHL", 0x0008, 0x1032, b"UN", 0, UNDEFINED) + item + DELIMITER
    found, _, _ = read_elements(data, ExplicitVRLittleEndian, WANTED, LAST)
    assert found == {"ProcedureCodeSequence": [{"CodeValue": b"XCHES "}]}


def test_private_octets_that_begin_like_an_item_do_no_harm() -> None:
    data = element(0x00091001, head(0xFFFEE000, 90) + b"junk") + STUDY_UID
    found, _, ending = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found == {"StudyInstanceUID": b"1.2.3\0"}
    assert ending is Ending.ENDED


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
def test_two_hundred_nested_sequences_are_refused(undefined: bool, implicit: bool) -> None:
    data = encoded(nested(200, undefined=undefined), implicit=implicit)
    uid = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    with pytest.raises(NestedTooDeep):
        read_elements(data, uid, WANTED, LAST)


def test_thirty_nested_sequences_are_not() -> None:
    data = encoded(nested(30, undefined=True)) + STUDY_UID
    found, _, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found == {"StudyInstanceUID": b"1.2.3\0"}


def test_a_hundred_thousand_opened_sequences_are_refused_without_recursion() -> None:
    opening = head(0x00081110, UNDEFINED) + head(0xFFFEE000, UNDEFINED)
    with pytest.raises(NestedTooDeep):
        read_elements(opening * 100_000, ImplicitVRLittleEndian, WANTED, LAST)


def test_a_repeated_attribute_counts_the_first_time_and_is_at_fault() -> None:
    data = element(0x00080060, b"CT") + element(0x00080060, b"MR")
    found, faulty, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found == {"Modality": b"CT"}
    assert faulty == {"Modality"}


def test_a_broken_wanted_sequence_of_known_length_does_not_hide_what_follows() -> None:
    data = element(0x00081032, b"no item!") + STUDY_UID
    found, faulty, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found["StudyInstanceUID"] == b"1.2.3\0"
    assert faulty == {"ProcedureCodeSequence"}


def test_more_than_sixty_four_items_are_a_fault() -> None:
    data = element(0x00081032, (head(0xFFFEE000, 0)) * 65) + STUDY_UID
    found, faulty, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert len(found["ProcedureCodeSequence"]) == 64
    assert faulty == {"ProcedureCodeSequence"}


def test_a_sequence_where_a_value_is_wanted_is_a_fault() -> None:
    data = head(0x00080060, UNDEFINED) + head(0xFFFEE000, 0) + DELIMITER + STUDY_UID
    found, faulty, _ = read_elements(data, ImplicitVRLittleEndian, WANTED, LAST)
    assert found == {"StudyInstanceUID": b"1.2.3\0"}
    assert faulty == {"Modality"}
