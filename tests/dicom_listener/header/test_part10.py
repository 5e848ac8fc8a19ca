"""Of a DICOM file the header is kept, however its bytes are cut, and never more than the bounds allow."""

from __future__ import annotations

import io
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_listener.header.part10 import FileHeader
from dicom_listener.header.read import UnreadableHeader
from dicom_listener.limits import Limits
from tests.dicom_listener.dicom_peers import ct_object, encoded
from worklist.intake.study import ReceivedObject

LIMITS = Limits(header_keep_bytes=256, header_bound_bytes=8192)


def a_file(transfer_syntax_uid: str = ExplicitVRLittleEndian, *, preamble: bool = True, **attributes: Any) -> bytes:
    one = ct_object(**attributes)
    one.file_meta = FileMetaDataset()
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    with io.BytesIO() as written:
        one.save_as(written, enforce_file_format=True)
        octets = written.getvalue()
    return octets if preamble else octets[132:]


def meta_of(octets: bytes) -> bytes:
    """Give a file up to the end of its meta information, by the group length that it states."""
    return octets[: 144 + int.from_bytes(octets[140:144], "little")]


def header_of(octets: bytes, cuts: list[int] | None = None, limits: Limits = LIMITS) -> FileHeader:
    header = FileHeader(limits)
    places = [0, *sorted(cut % (len(octets) + 1) for cut in cuts or ()), len(octets)]
    for start, end in pairwise(places):
        header.take(memoryview(octets)[start:end])
    return header


def read(octets: bytes, cuts: list[int] | None = None, limits: Limits = LIMITS) -> ReceivedObject:
    return header_of(octets, cuts, limits).read("PACS_A")


SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


@pytest.mark.parametrize("transfer_syntax_uid", SYNTAXES)
@pytest.mark.parametrize("preamble", [True, False])
def test_a_file_is_read_in_its_transfer_syntax(transfer_syntax_uid: str, preamble: bool) -> None:
    received = read(a_file(transfer_syntax_uid, preamble=preamble))
    assert received.accession_number == "0012345"
    assert received.series_instance_uid == "1.2.826.0.1.3680043.8.498.3"
    assert received.header_faults == ()


@given(cuts=st.lists(st.integers(0, 10_000), max_size=8), syntax=st.sampled_from(SYNTAXES))
def test_the_header_is_the_same_however_the_bytes_are_cut(cuts: list[int], syntax: str) -> None:
    octets = a_file(syntax, PixelData=bytes(20_000), BitsAllocated=16)
    assert read(octets, cuts) == read(octets)


def test_the_header_is_the_same_byte_by_byte() -> None:
    octets = a_file()
    assert read(octets, list(range(len(octets)))) == read(octets)


def test_pixels_go_by() -> None:
    header = header_of(a_file(PixelData=bytes(500_000), BitsAllocated=16), [1000])
    assert header.kept_bytes <= 1024
    assert header.read("PACS_A").header_faults == ()


def test_what_is_kept_grows_while_the_wanted_attributes_have_not_been_passed() -> None:
    late = a_file(PatientComments="x" * 5000, RequestedProcedurePriority="STAT")
    assert read(late).requested_procedure_priority == "STAT"


def test_no_more_is_kept_than_the_bound() -> None:
    header = header_of(a_file(PatientComments="y" * 9000), [100, 5000, 9000])
    assert header.kept_bytes <= LIMITS.header_bound_bytes
    with pytest.raises(UnreadableHeader, match="StudyInstanceUID: is missing, the data set is cut short"):
        header.read("PACS_A")


def test_a_data_set_that_inflates_without_end_is_held_to_the_bound() -> None:
    plain = encoded(ct_object(), implicit=False)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflate.compress(plain + bytes(64 * 1024 * 1024)) + deflate.flush()
    meta = meta_of(a_file(DeflatedExplicitVRLittleEndian))
    header = header_of(meta + bomb)
    assert len(bomb) < 100_000
    assert header.kept_bytes <= LIMITS.header_bound_bytes
    assert header.read("PACS_A").accession_number == "0012345"


def test_what_cannot_be_inflated_is_refused() -> None:
    meta = meta_of(a_file(DeflatedExplicitVRLittleEndian))
    with pytest.raises(UnreadableHeader, match="DataSet: cannot be inflated"):
        read(meta + b"\xff" * 100)


def test_the_meta_information_names_the_object_where_the_data_set_does_not() -> None:
    header = header_of(a_file(StudyInstanceUID=None))
    assert header.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert header.sop_instance_uid == "1.2.826.0.1.3680043.8.498.1"
    with pytest.raises(UnreadableHeader, match="StudyInstanceUID: is missing"):
        header.read("PACS_A")


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "DataSet: is missing or no DICOM file"),
        (b"\0" * 131, "DataSet: is missing or no DICOM file"),
        (b"\0" * 200, "DataSet: is not in a DICOM file"),
        (a_file()[:200], "DataSet: is missing or no DICOM file"),
        (b"\0" * 128 + b"DICM" + encoded(ct_object(), implicit=False), "TransferSyntaxUID: is missing"),
        (
            b"\0" * 128 + b"DICM\x02\0\x10\0UI\xff\xff" + b"1" * 65535,
            "DataSet: follows meta information over the limit",
        ),
        (b"\0" * 128 + b"DICM" + b"\x02\0\x02\x01UI\0\0" * 2000, "DataSet: follows meta information over the limit"),
    ],
    ids=["nothing", "preamble", "no prefix", "cut in meta", "no meta", "long value", "endless meta"],
)
def test_what_is_no_file_is_refused_in_words(octets: bytes, told: str) -> None:
    with pytest.raises(UnreadableHeader) as refused:
        read(octets, [50, 140, 700])
    assert str(refused.value) == told


def test_a_group_length_that_is_wrong_or_missing_does_not_matter() -> None:
    whole = a_file()
    assert read(whole[:132] + whole[144:]) == read(whole)
    assert read(whole[:140] + b"\xf0\0\0\0" + whole[144:]) == read(whole)


@given(octets=st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(octets: bytes) -> None:
    for sent in (octets, a_file()[:132] + octets, a_file(DeflatedExplicitVRLittleEndian)[:340] + octets):
        told: ReceivedObject | UnreadableHeader
        try:
            told = read(sent)
        except UnreadableHeader as refused:
            told = refused
        assert told.reason if isinstance(told, UnreadableHeader) else told.sop_instance_uid


def test_an_empty_data_set_lacks_what_identifies_it() -> None:
    with pytest.raises(UnreadableHeader, match="SOPClassUID: is missing"):
        read(meta_of(a_file()))
