"""What the reader of a whole association gives of each object is what reading that object alone gives."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_listener.header.read import UnreadableHeader, read_header
from dicom_listener.header.reader import HeaderReader
from dicom_listener.header.top_level import TopLevelWalk
from tests.dicom_listener.dicom_peers import ct_object, encoded
from worklist.intake.study import ReceivedObject

SYNTAXES: dict[str, bool] = {ImplicitVRLittleEndian: True, ExplicitVRLittleEndian: False}
ROOT = "1.2.826.0.1.3680043.8.498.5"
PIXELS = 4096

#: What a series changes from object to object, wanted or not, rightly or wrongly.
CHANGES: tuple[Callable[[Dataset, random.Random], object], ...] = (
    lambda one, seed: setattr(one, "InstanceNumber", str(seed.randrange(2000))),
    lambda one, seed: setattr(one, "AcquisitionTime", f"10{seed.randrange(60):02}{seed.randrange(60):02}"),
    lambda one, seed: setattr(one, "ContentTime", seed.choice(["", "101112", "101112.5"])),
    lambda one, seed: setattr(one, "SliceLocation", str(seed.uniform(-99, 99))[:14]),
    lambda one, seed: setattr(one, "ImagePositionPatient", [1, 2, seed.randrange(500)]),
    lambda one, seed: setattr(one, "SeriesInstanceUID", f"{ROOT}.{seed.randrange(2)}"),
    lambda one, seed: setattr(one, "StudyDescription", seed.choice(["CT Head", "CT Hand"])),
    lambda one, seed: setattr(one, "PatientName", seed.choice(["Oak^A", "Elm^B"])),
    lambda one, seed: one.__delitem__(seed.choice([each.tag for each in one])),
    lambda one, seed: one.add_new(0x00091001, "LO", "x" * seed.randrange(3)),
    lambda one, seed: one.add_new(0x00091002, "SQ", [Dataset()] * seed.randrange(2)),
    lambda one, seed: one.add_new(0x00091003, "OB", b"x" * 2 * seed.randrange(3)),
    lambda one, seed: setattr(one, "AcquisitionNumber", str(seed.randrange(9))),
    lambda one, seed: setattr(one, "SpecificCharacterSet", seed.choice(["ISO_IR 100", "ISO_IR 192", "ISO_IR 6"])),
)
WRONG_TIMES = ("99", "1O1112", "101112 ", "24")


@pytest.mark.parametrize("uid", SYNTAXES)
def test_objects_that_differ_anyhow_are_read_as_each_by_itself(uid: str) -> None:
    seed = random.Random(uid)
    for _ in range(150):
        assert_reads_alike(uid, [changed(seed, number, uid) for number in range(12)])


@pytest.mark.parametrize("uid", SYNTAXES)
def test_damaged_objects_of_a_series_are_read_as_each_by_itself(uid: str) -> None:
    seed = random.Random(uid)
    for _ in range(60):
        series = [usual(number, uid) for number in range(12)]
        for place in range(4, 12):
            octets = bytearray(series[place])
            if seed.random() < 0.3:
                del octets[seed.randrange(len(octets)) :]
            for _ in range(seed.randrange(3)):
                octets[seed.randrange(len(octets) or 1)] = seed.randrange(256)
            series[place] = bytes(octets)
        assert_reads_alike(uid, series)


@pytest.mark.parametrize("time", WRONG_TIMES)
def test_a_time_that_is_wrong_in_two_objects_is_a_fault_of_both(time: str) -> None:
    uid = ExplicitVRLittleEndian
    wrong = [usual(number, uid, AcquisitionTime=time) for number in (3, 4)]
    assert_reads_alike(uid, [usual(1, uid), usual(2, uid), *wrong, usual(5, uid)])


@pytest.mark.parametrize("uid", SYNTAXES)
def test_the_third_object_of_a_usual_series_is_not_walked_any_more(uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    read = TopLevelWalk.read
    monkeypatch.setattr(TopLevelWalk, "read", lambda *words: walks.append(words) or read(*words))  # type: ignore[func-returns-value]
    reader = HeaderReader("CT1")
    for number in range(40):
        reader.read(usual(number, uid), uid)
    assert len(walks) == 2


def usual(number: int, uid: str, **values: str) -> bytes:
    """Encode an object as modalities make them: number, position and times go on."""
    one = ct_object()
    one.SOPInstanceUID = f"{ROOT}.{number * 37}"
    one.InstanceNumber = str(number)
    one.AcquisitionTime = f"1011{number:02}"
    one.ContentTime = f"1012{number:02}"
    one.SliceLocation = str(number * 2.5)
    one.add_new(0x7FE00010, "OW", b"\0" * PIXELS)
    for keyword, value in values.items():
        one[keyword] = DataElement(one[keyword].tag, one[keyword].VR, value, validation_mode=IGNORE)
    return encoded(one, implicit=SYNTAXES[uid])


def changed(seed: random.Random, number: int, uid: str) -> bytes:
    one = ct_object()
    one.SOPInstanceUID = f"{ROOT}.{number * 37}"
    for change in seed.sample(CHANGES, seed.randrange(4)):
        change(one, seed)
    one.add_new(0x7FE00010, "OW", b"\0" * PIXELS)
    return encoded(one, implicit=SYNTAXES[uid])


def assert_reads_alike(uid: str, series: list[bytes]) -> None:
    reader = HeaderReader("CT1")
    for place, octets in enumerate(series):
        if place % 3 == 0:
            reader.passed(octets, uid)
        assert outcome(lambda: reader.read(octets, uid).received()) == outcome(lambda: read_header(octets, uid, "CT1"))  # noqa: B023


def outcome(read: Callable[[], ReceivedObject]) -> ReceivedObject | str:
    try:
        return read()
    except UnreadableHeader as unreadable:
        return str(unreadable)
