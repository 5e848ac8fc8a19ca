"""Reads the attribute list of a DIMSE-N request whole, or refuses it with a status.

Stricter than the reading of an object's header: an object is kept with its faults, while a request whose facts
cannot be read must not be answered with success. It must not let a value into a status, a comment or an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from pydicom.datadict import tag_for_keyword

from dicom_listener.admission import Source
from dicom_listener.conformance import Status
from dicom_listener.header.data_elements import Elements, Ending, NestedTooDeep, Wanted, read_elements
from dicom_listener.header.values import AttributeReader, UnreadableHeader
from dicom_listener.upper_layer.command_set import Command, Response
from dicom_listener.upper_layer.message import Message

#: Beyond every tag but those of items and delimitations, so that all of the data set is walked.
_LAST = 0xFFFCFFFF
#: A step or a commitment names each of a study's objects; the bound of the whole data set is reached before.
_MAX_ITEMS = 100_000
#: What words depend on and no fact does.
_TOLERATED = frozenset({"SpecificCharacterSet", "CodeMeaning"})

_Facts = TypeVar("_Facts")

log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that cannot be taken as it is; `keyword` and `reason`, never a value."""

    def __init__(self, status: Status, keyword: str, reason: str) -> None:
        super().__init__(f"{keyword}: {reason}")
        self.status = status
        self.keyword = keyword
        self.reason = reason


def answer(message: Message, source: Source, act: Callable[[], Response]) -> Response:
    """Give the response of `act`; what it refuses or fails at becomes a failure status."""
    try:
        return act()
    except Refused as refused:
        log.warning(
            "request refused: ae_title=%s command=%04X keyword=%s",
            source.ae_title,
            message.command.field,
            refused.keyword,
        )
        return Response(refused.status, f"{refused.keyword} {refused.reason}", tag_for_keyword(refused.keyword))
    except Exception as error:
        # the error's own text may quote a statement's parameters, so only its type is told
        log.error(
            "request not kept: ae_title=%s command=%04X error=%s",
            source.ae_title,
            message.command.field,
            type(error).__name__,
        )
        return Response(Status.PROCESSING_FAILURE, "not kept, try again")


def read_attributes(message: Message, wanted: Wanted, read: Callable[[AttributeReader], _Facts]) -> _Facts:
    """Give what `read` makes of the data set's wanted attributes.

    Raises
    ------
    Refused
        When the data set is missing, longer than is kept, malformed anywhere or nested too deep, or an attribute
        that `read` reads cannot be read.
    """
    elements = _elements(message, wanted)
    faults: dict[tuple[str, str], None] = {}
    refused = None
    try:
        facts = read(AttributeReader.of_data_set(elements, faults))
    except UnreadableHeader as unreadable:
        refused = Refused(Status.INVALID_ATTRIBUTE_VALUE, unreadable.keyword, unreadable.reason)
    except Refused as error:
        refused = error
    for keyword, reason in faults:
        if keyword not in _TOLERATED:
            raise Refused(Status.INVALID_ATTRIBUTE_VALUE, keyword, reason)
    if refused is not None:
        raise refused
    return facts


def required_items(attributes: AttributeReader, keyword: str) -> list[AttributeReader]:
    """Give the items of a sequence that must have at least one.

    Raises
    ------
    Refused
        When it has none.
    """
    items = attributes.items(keyword)
    if not items:
        raise Refused(Status.MISSING_ATTRIBUTE, keyword, "is missing")
    return items


def required_text(attributes: AttributeReader, keyword: str) -> str:
    """Give a coded string that must be there.

    Raises
    ------
    Refused
        When it is not.
    """
    text = attributes.text(keyword)
    if text is None:
        raise Refused(Status.MISSING_ATTRIBUTE, keyword, "is missing")
    return text


def named_instance(command: Command) -> str:
    """Give the SOP instance that a request names, empty when it names none.

    Raises
    ------
    Refused
        When what it names is no UID.
    """
    if command.sop_instance_uid_malformed:
        raise Refused(Status.INVALID_SOP_INSTANCE, "SOPInstanceUID", "is not a UID")
    return command.sop_instance_uid


def _elements(message: Message, wanted: Wanted) -> Elements:
    if not message.data_set:
        raise Refused(Status.MISSING_ATTRIBUTE, "DataSet", "is missing")
    if not message.is_whole:
        raise Refused(Status.RESOURCE_LIMITATION, "DataSet", "is longer than is kept")
    try:
        elements, faulty, ending = read_elements(
            message.data_set, message.context.transfer_syntax_uid, wanted, _LAST, max_items=_MAX_ITEMS
        )
    except NestedTooDeep:
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, "DataSet", "has sequences nested too deep") from None
    if ending is not Ending.ENDED:
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, "DataSet", ending.value)
    for keyword in sorted(faulty):
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, keyword, "occurs more than once or cannot be followed")
    return elements
