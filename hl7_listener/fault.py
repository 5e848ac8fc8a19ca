"""What is wrong with a message: where, in the words of HL7, and never the value found there."""

from __future__ import annotations

from enum import Enum


class Condition(Enum):
    """Message error conditions (HL7 table 0357), with the text that the table gives them."""

    SEGMENT_SEQUENCE_ERROR = (100, "Segment sequence error")
    REQUIRED_FIELD_MISSING = (101, "Required field missing")
    DATA_TYPE_ERROR = (102, "Data type error")
    TABLE_VALUE_NOT_FOUND = (103, "Table value not found")
    UNSUPPORTED_MESSAGE_TYPE = (200, "Unsupported message type")
    UNSUPPORTED_EVENT_CODE = (201, "Unsupported event code")
    UNKNOWN_KEY_IDENTIFIER = (204, "Unknown key identifier")
    DUPLICATE_KEY_IDENTIFIER = (205, "Duplicate key identifier")
    APPLICATION_INTERNAL_ERROR = (207, "Application internal error")


class MessageFault(ValueError):
    """A message that cannot be taken as it is; `place` is a segment or a field such as `ORC-3`."""

    def __init__(self, place: str, condition: Condition, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.condition = condition
        self.reason = reason
