"""Every service of DIMSE-N answers a hostile data set with a failure status, says no value of it and goes on."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_listener.conformance import STORAGE_COMMITMENT_PUSH_MODEL, Status
from tests.dicom_listener.dicom_peers import A_ABORT, element, encoded, nested, p_data
from tests.dicom_listener.services.requests import (
    CHANGE_STEP,
    COMMIT,
    CREATE_STEP,
    SERIES,
    STUDY,
    TAKE_NOTICE,
    Asked,
    commitment,
    completed_step,
    keeping,
    new_step,
    notice,
    padded,
)

SOUND = {
    "N-CREATE of a step": (CREATE_STEP, new_step()),
    "N-SET of a step": (CHANGE_STEP, completed_step()),
    "N-CREATE of a notice": (TAKE_NOTICE, notice("ONLINE")),
    "N-ACTION": (COMMIT, commitment()),
}
#: A UID or term in each sound data set, to put something else of even length in its place.
PLACES = {
    "N-CREATE of a step": (0x0020000D, STUDY),
    "N-SET of a step": (0x0020000E, SERIES),
    "N-CREATE of a notice": (0x0020000D, STUDY),
    "N-ACTION": (0x00081195, "1.2.826.0.1.3680043.8.498.9"),
}
ASKED = pytest.mark.parametrize("what", SOUND)


def ask_twice(what: str, data: bytes, caplog: pytest.LogCaptureFixture) -> int:
    """Give the status for hostile data; the same association must then take sound data."""
    asked, sound = SOUND[what]
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(asked.context())
        status = asked.ask(peer, data)
        assert [*kept.steps, *kept.notices, *kept.commitments] == []
        assert asked.ask(peer, encoded(sound), message_id=2) == 0
        assert len([*kept.steps, *kept.notices, *kept.commitments]) == 1
    assert "failed" not in caplog.text
    assert "not kept" not in caplog.text
    return status


def with_value(what: str, value: bytes, length: int | None = None) -> bytes:
    """Give sound data with one value replaced; the enclosing items have no length of their own."""
    tag, sound = PLACES[what]
    data_set = SOUND[what][1]
    written = encoded(_open_ended(data_set))
    there = element(tag, padded(sound))
    assert there in written
    head = struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length)
    return written.replace(there, head + value)


def _open_ended(data_set: Dataset) -> Dataset:
    for each in data_set:
        if each.VR == "SQ":
            each.is_undefined_length = True
            for item in each.value:
                item.is_undefined_length_sequence_item = True
                _open_ended(item)
    return data_set


@ASKED
@pytest.mark.parametrize("undefined", [False, True], ids=["lengths", "delimiters"])
def test_two_hundred_nested_sequences(what: str, undefined: bool, caplog: pytest.LogCaptureFixture) -> None:
    data = encoded(nested(200, undefined=undefined)) + encoded(SOUND[what][1])
    assert ask_twice(what, data, caplog) == Status.INVALID_ATTRIBUTE_VALUE


@ASKED
@pytest.mark.parametrize(
    "value",
    [b"1." * 150, b"1.2\r\n.3", b"\x1b$B!!1.", b"SECRET^VALUE", b"1" * 2000],
    ids=["300 characters", "control characters", "escape sequence", "no UID", "2000 characters"],
)
def test_a_value_that_is_none(what: str, value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert ask_twice(what, with_value(what, value), caplog) == Status.INVALID_ATTRIBUTE_VALUE
    assert "SECRET" not in caplog.text


@ASKED
@pytest.mark.parametrize("length", [0xFFFFFFFE, 0xFFFFFFFF, 0x7FFFFFFF, 1001], ids=hex)
def test_a_length_that_lies(what: str, length: int, caplog: pytest.LogCaptureFixture) -> None:
    assert ask_twice(what, with_value(what, b"1.2.3.4 ", length), caplog) == Status.INVALID_ATTRIBUTE_VALUE


@ASKED
@pytest.mark.parametrize("data", [b"\xff" * 1000, b"\0" * 7, b"GET / HTTP/1.1\r\n\r\n"], ids=["ff", "short", "http"])
def test_what_is_no_data_set(what: str, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert ask_twice(what, data, caplog) == Status.INVALID_ATTRIBUTE_VALUE


@ASKED
def test_no_data_at_all(what: str, caplog: pytest.LogCaptureFixture) -> None:
    assert ask_twice(what, b"", caplog) == Status.MISSING_ATTRIBUTE


@ASKED
def test_more_than_is_kept(what: str, caplog: pytest.LogCaptureFixture) -> None:
    data = encoded(SOUND[what][1]) + element(0x7FE00010, b"\0" * 3_000_000)
    assert ask_twice(what, data, caplog) == Status.RESOURCE_LIMITATION


def test_a_mebibyte_of_empty_items_is_answered_at_once(caplog: pytest.LogCaptureFixture) -> None:
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 130_000
    before = time.process_time()
    assert ask_twice("N-ACTION", element(0x00081199, items), caplog) == Status.INVALID_ATTRIBUTE_VALUE
    assert time.process_time() - before < 2


@pytest.mark.parametrize("asked", [CREATE_STEP, CHANGE_STEP, TAKE_NOTICE, COMMIT], ids=list(SOUND))
def test_a_class_other_than_the_contexts_is_unknown(asked: Asked) -> None:
    other = replace(asked, sop_class_uid="1.2.840.10008.1.1").command()
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(asked.context())
        peer.send(p_data(3, other) + p_data(2, encoded(commitment())))
        assert peer.read_status()[0] == Status.NO_SUCH_SOP_CLASS


def test_a_response_that_nobody_asked_for_ends_the_association() -> None:
    body = element(0x00000002, padded(STORAGE_COMMITMENT_PUSH_MODEL))
    body += element(0x00000100, b"\x00\x81") + element(0x00000120, b"\1\0") + element(0x00000800, b"\x01\x01")
    body += element(0x00000900, b"\0\0")
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        peer.send(p_data(3, element(0x00000000, struct.pack("<L", len(body))) + body))
        assert peer.read_pdu() == (A_ABORT, bytes((0, 0, 2, 6)))
