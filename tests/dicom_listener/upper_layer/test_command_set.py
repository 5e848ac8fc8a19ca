"""Command sets are read and written as pynetdicom reads and writes them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP, N_ACTION_RQ, N_ACTION_RSP, N_EVENT_REPORT_RQ
from pynetdicom.dimse_primitives import C_STORE, N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode

from dicom_listener.upper_layer.command_set import (
    Command,
    Report,
    Response,
    UnreadableCommand,
    decode_command,
    encode_report,
    encode_response,
)
from tests.dicom_listener.dicom_peers import command, element

CT = "1.2.840.10008.5.1.4.1.1.2"
COMMITMENT = "1.2.840.10008.1.20.1"


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


def test_a_request_of_dimse_n_names_the_class_instance_and_action_that_it_asks_for() -> None:
    primitive = N_ACTION()
    primitive.MessageID = 7
    primitive.RequestedSOPClassUID = COMMITMENT
    primitive.RequestedSOPInstanceUID = "1.2.3"
    primitive.ActionTypeID = 1
    message = N_ACTION_RQ()
    message.primitive_to_message(primitive)
    message.command_set.CommandDataSetType = 1
    octets = encode(message.command_set, True, True)
    assert octets is not None
    assert decode_command(octets) == Command(0x0130, 7, True, COMMITMENT, "1.2.3", action_type_id=1)


def test_the_response_to_an_action_is_octet_for_octet_what_pynetdicom_writes() -> None:
    primitive = N_ACTION()
    primitive.MessageIDBeingRespondedTo = 7
    primitive.AffectedSOPClassUID = COMMITMENT
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.ActionTypeID = 1
    primitive.Status = 0
    message = N_ACTION_RSP()
    message.primitive_to_message(primitive)
    message._set_command_group_length()
    ours = encode_response(Command(0x0130, 7, True, COMMITMENT, "1.2.3", action_type_id=1), Response(0))
    assert ours == encode(message.command_set, True, True)


def test_an_event_report_is_octet_for_octet_what_pynetdicom_writes() -> None:
    primitive = N_EVENT_REPORT()
    primitive.MessageID = 7
    primitive.AffectedSOPClassUID = COMMITMENT
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.EventTypeID = 2
    message = N_EVENT_REPORT_RQ()
    message.primitive_to_message(primitive)
    message.command_set.CommandDataSetType = 1
    message._set_command_group_length()
    assert encode_report(Report(COMMITMENT, "1.2.3", 2, b""), 7) == encode(message.command_set, True, True)


def test_the_response_names_an_instance_that_we_created_and_the_error_id() -> None:
    octets = encode_response(Command(0x0140, 7, True, CT), Response(0x0110, error_id=0xA710, sop_instance_uid="2.25.7"))
    assert element(0x00001000, b"2.25.7") in octets
    assert element(0x00000903, b"\x10\xa7") in octets


def test_a_comment_is_cut_at_sixty_four_characters() -> None:
    response = encode_response(Command(1, 7, True), Response(0xC000, "x" * 100))
    assert b"x" * 64 in response
    assert b"x" * 65 not in response


def test_what_is_no_uid_is_not_repeated_in_a_response() -> None:
    read = decode_command(command(1, sop_instance_uid="<script>"))
    assert (read.sop_instance_uid, read.sop_instance_uid_malformed) == ("", True)


@pytest.mark.parametrize("octets", [b"", b"\0", element(0x00000100, b"\x01"), command(1)[:-1]])
def test_a_broken_command_set_is_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableCommand):
        decode_command(octets)


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=200))
def test_random_octets_raise_nothing_else(octets: bytes) -> None:
    told = None
    with suppress(UnreadableCommand):
        told = decode_command(octets)
    assert told is None or all(0 <= number <= 0xFFFF for number in (told.field, told.message_id or 0))
