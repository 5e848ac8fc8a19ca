"""Writes acknowledgements: accepted, to be sent again, or never to be taken as it is.

Pure: the caller gives the instant and the id. It must not repeat a value of the message beyond what
HL7 asks back: who sent it, and its control id.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hl7_listener.fault import MessageFault
from hl7_listener.header import Header

APPLICATION = "RADPOOL"


class Code(StrEnum):
    """Acknowledgement codes (HL7 table 0008), as they are used here."""

    ACCEPTED = "AA"  # its facts are durable
    ERROR = "AE"  # nothing is wrong with it, but it could not be taken now: send it again
    REJECTED = "AR"  # it will never be taken as it is: the fault is in the message


UNREADABLE = Header("|^~\\&", "", "", "", "", "", "", "", "", "P", "2.4", "")


def acknowledgement(
    header: Header, code: Code, at: datetime, control_id: str, fault: MessageFault | None = None
) -> bytes:
    """Write the acknowledgement of a message, in the separators that it uses; `at` is aware."""
    field, component, repetition, escape, subcomponent = tuple(header.separators)
    separators = f"{component}{repetition}{escape}{subcomponent}"
    kind = component.join(("ACK", header.event, "ACK") if header.event else ("ACK",))
    segments = [
        field.join(
            (
                "MSH",
                separators,
                header.receiving_application or APPLICATION,
                header.receiving_facility,
                header.sending_application,
                header.sending_facility,
                at.strftime("%Y%m%d%H%M%S%z"),
                "",
                kind,
                control_id,
                header.processing_id or "P",
                header.version or "2.4",
            )
        ),
        field.join(("MSA", code.value, header.control_id, *([_plain(str(fault), header)] if fault else []))),
    ]
    if fault is not None:
        segments.append(_error(fault, header))
    return ("\r".join(segments) + "\r").encode("latin_1", "replace")


def _error(fault: MessageFault, header: Header) -> str:
    """Write the ERR segment: ERR-1 as before version 2.5, ERR-2, 3, 4 and 8 as since."""
    field, component, subcomponent = header.separators[0], header.separators[1], header.separators[4]
    segment, _, number = fault.place.partition("-")
    number = number.partition(".")[0]
    code, words = fault.condition.value
    location = component.join((segment, "1", number)).rstrip(component)
    known = component.join((segment, "1", number, subcomponent.join((str(code), words, "HL70357"))))
    condition = component.join((str(code), words, "HL70357"))
    return field.join(("ERR", known, location, condition, "E", "", "", "", _plain(str(fault), header)))


def _plain(text: str, header: Header) -> str:
    """Escape the separators in a text of ours."""
    escape = header.separators[3]
    names = dict(zip(header.separators, "FSRET", strict=True))
    return "".join(f"{escape}{names[one]}{escape}" if one in names else one for one in text)
