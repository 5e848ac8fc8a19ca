"""Command sets are read and written as pynetdicom reads and writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_listener.upper_layer.command_set import Command, Response, UnreadableCommand, decode_command, encode_response
from tests.dicom_listener.dicom_peers import command, element

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_a_request_written_by_pynetdicom_is_read() -> None:
    primitive = C_STORE()
    primitive.MessageID = 7
    primitive.AffectedSOPClassUID = CT
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.Priority = 2
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    message.command_set.CommandDataSetType = 1
    octets = encode(message.command_set, True, True)
    assert octets is not None
    assert decode_command(octets) == Command(1, 7, True, CT, "1.2.3")


def test_a_failure_response_is_octet_for_octet_what_pynetdicom_writes() -> None:
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo = 7
    primitive.AffectedSOPClassUID = CT
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.Status = 0xC000
    comment, offending = "StudyInstanceUID is missing", [0x0020000D]
    vars(primitive).update(ErrorComment=comment, OffendingElement=offending)
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    message._set_command_group_length()
    ours = encode_response(
        Command(1, 7, True, CT, "1.2.3"), Response(0xC000, "StudyInstanceUID is missing", 0x0020000D)
    )
    assert ours == encode(message.command_set, True, True)


def test_a_comment_is_cut_at_sixty_four_characters() -> None:
    response = encode_response(Command(1, 7, True), Response(0xC000, "x" * 100))
    assert b"x" * 64 in response
    assert b"x" * 65 not in response


def test_what_is_no_uid_is_not_repeated_in_a_response() -> None:
    octets = command(1, sop_instance_uid="<script>")
    assert decode_command(octets).sop_instance_uid == ""


@pytest.mark.parametrize("octets", [b"", b"\0", element(0x00000100, b"\x01"), command(1)[:-1]])
def test_a_broken_command_set_is_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableCommand):
        decode_command(octets)


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=200))
def test_random_octets_raise_nothing_else(octets: bytes) -> None:
    try:
        decode_command(octets)
    except UnreadableCommand:
        return
