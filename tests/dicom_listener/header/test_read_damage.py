"""Random and damaged octets are read or refused, and raise nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_listener.header.read import UnreadableHeader, read_header, wanted_attributes_passed
from tests.dicom_listener.dicom_peers import code, ct_object, encoded

SYNTAXES = st.sampled_from([ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])


def assert_read_or_refused(data: bytes, uid: str) -> None:
    try:
        received = read_header(data, uid, "CT1")
    except UnreadableHeader as unreadable:
        told = str(unreadable)
    else:
        told = str(received.header_faults)
    assert "Probe" not in told
    wanted_attributes_passed(data, uid)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400), uid=SYNTAXES)
def test_random_octets_raise_nothing_else(data: bytes, uid: str) -> None:
    assert_read_or_refused(data, uid)


def mutable_object() -> Dataset:
    request = Dataset()
    request.RequestedProcedureCodeSequence = Sequence([code("CSKUH")])
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "9990000018", "NHS"
    return ct_object(
        SpecificCharacterSet="ISO_IR 192",
        AcquisitionDateTime="20240704101112.5+0100",
        TimezoneOffsetFromUTC="+0100",
        OtherPatientIDsSequence=Sequence([other]),
        RequestAttributesSequence=Sequence([request]),
    )


@settings(max_examples=600, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), max_size=6),
    end=st.integers(0, 2000),
    uid=SYNTAXES,
)
def test_damaged_objects_raise_nothing_else(edits: list[tuple[int, bytes]], end: int, uid: str) -> None:
    data = bytearray(
        encoded(mutable_object(), implicit=uid == ImplicitVRLittleEndian, little=uid != ExplicitVRBigEndian)
    )
    for position, octets in edits:
        start = position % len(data)
        data[start : start + len(octets)] = octets
    assert_read_or_refused(bytes(data[:end]), uid)
    assert_read_or_refused(bytes(data), uid)
