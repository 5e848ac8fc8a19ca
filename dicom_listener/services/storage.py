"""The Storage service (PS3.4, Annex B): hands an object's header on and answers with what came of it.

It must not answer success before the function that keeps the fact has returned, and must not let
a header value into a status, a comment or a log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from dicom_listener.admission import Source
from dicom_listener.header.read import UnreadableHeader
from dicom_listener.header.reader import HeaderReader, ObjectHeader
from dicom_listener.upper_layer.command_set import Response
from dicom_listener.upper_layer.message import Message

#: PS3.7, Annex C, and PS3.4, Table B.2-1.
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What came of an object: a C-STORE status and, for a failure, a comment without header values."""

    status: int = SUCCESS
    comment: str = ""


#: Keeps an object's facts and returns only when they are durable (docs/decisions/0009-own-c-store-path.md).
Receive = Callable[[ObjectHeader], StoreAnswer]
#: Puts an object that cannot be taken before people: calling AE title, keyword, reason.
Refuse = Callable[[str, str, str], None]


def store(message: Message, source: Source, receive: Receive, refuse: Refuse) -> Response:
    """Answer a C-STORE-RQ.

    An object that will never be readable is refused for good once it stands in the exception list;
    whatever fails on our side asks the sender to try again.
    """
    if not message.context.is_storage:
        return Response(SOP_CLASS_NOT_SUPPORTED, "C-STORE belongs to a Storage SOP Class")
    try:
        header = _header_of(message, source)
    except UnreadableHeader as unreadable:
        return _refused(CANNOT_UNDERSTAND, source, unreadable, refuse)
    if header.sop_instance_uid != message.command.sop_instance_uid:
        mismatch = UnreadableHeader("SOPInstanceUID", "differs between command and data set")
        return _refused(DATA_SET_DOES_NOT_MATCH_SOP_CLASS, source, mismatch, refuse)
    try:
        answer = receive(header)
    except Exception as error:
        return _try_again("receive", source, error)
    return Response(answer.status, answer.comment)


def _header_of(message: Message, source: Source) -> ObjectHeader:
    if not message.data_set:
        raise UnreadableHeader("DataSet", "is missing")
    reader = message.reader or HeaderReader(source.ae_title)
    return reader.read(message.data_set, message.context.transfer_syntax_uid)


def _refused(status: int, source: Source, unreadable: UnreadableHeader, refuse: Refuse) -> Response:
    log.warning("object refused: ae_title=%s keyword=%s", source.ae_title, unreadable.keyword)
    try:
        refuse(source.ae_title, unreadable.keyword, unreadable.reason)
    except Exception as error:
        return _try_again("refuse", source, error)
    return Response(status, f"{unreadable.keyword} {unreadable.reason}", tag_for_keyword(unreadable.keyword))


def _try_again(step: str, source: Source, error: Exception) -> Response:
    # the error's own text may quote a statement's parameters, so only its type is told
    log.error("object not kept: ae_title=%s step=%s error=%s", source.ae_title, step, type(error).__name__)
    return Response(OUT_OF_RESOURCES, "not kept, try again")
