"""Reads a RIS's answer to a message of ours, and says what follows from it.

Pure: no I/O, no clock, no settings. What it keeps of an answer are codes, never values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from hl7_listener.fault import MessageFault
from hl7_listener.header import read_header
from worklist.home.told import OF_REPORTS, Notice

#: A message that was not taken is sent again after this long, then twice as long, up to the last.
_FIRST_SECONDS, _LAST_SECONDS = 5.0, 300.0
#: A notice is of use while it is fresh; a report is kept in line until somebody must look at the RIS.
_ATTEMPTS_OF_REPORTS, _ATTEMPTS_OF_LOCKS = 24, 5
#: A segment, or a number in one; an error code, as `207` or `E101`. Whatever else stands there may be a value.
_PLACE, _CODE = re.compile(r"[A-Z][A-Z0-9]{2}|\d{1,3}"), re.compile(r"[A-Z]{0,4}\d{1,5}")


class Verdict(StrEnum):
    """What an answer says of a message."""

    TAKEN = "taken"
    NOT_NOW = "not-now"  # it may be sent again as it is
    NEVER = "never"  # it will not be taken as it is
    NO_ANSWER = "no-answer"  # what came answers another message, or nothing came


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its verdict, and the codes in it (`AE 207 PID-3`)."""

    verdict: Verdict
    codes: str


NO_ANSWER = Answer(Verdict.NO_ANSWER, "no answer")

#: Acknowledgement codes (HL7 table 0008), of the original and the enhanced mode.
_VERDICTS = {
    "AA": Verdict.TAKEN,
    "CA": Verdict.TAKEN,
    "AE": Verdict.NOT_NOW,
    "CE": Verdict.NOT_NOW,
    "AR": Verdict.NEVER,
    "CR": Verdict.NEVER,
}


def read_answer(octets: bytes, control_id: str) -> Answer:
    """Read an acknowledgement of the message with this control id."""
    try:
        header = read_header(octets)
    except MessageFault:
        return Answer(Verdict.NO_ANSWER, "not an HL7 message")
    separator, component = header.separators[0], header.separators[1]
    segments = [line.split(separator) for line in re.split(r"[\r\n]+", octets.decode("latin_1"))]
    stated = next((one for one in segments if one[0] == "MSA"), [])
    code, answered = ([*stated, "", "", ""])[1:3]
    if answered.strip() != control_id:
        return Answer(Verdict.NO_ANSWER, "answers another message" if stated else "no MSA segment")
    verdict = _VERDICTS.get(code.strip().upper())
    if verdict is None:
        return Answer(Verdict.NO_ANSWER, "no acknowledgement code that is known")
    if verdict is Verdict.TAKEN:
        return Answer(verdict, code.strip().upper())
    return Answer(verdict, " ".join([code.strip().upper(), *_error_codes(segments, component)]))


def retry_after(notice: Notice, attempts: int, verdict: Verdict) -> float | None:
    """Say in how many seconds a message that was not taken is sent again; None: it is given up, a person must look.

    `attempts` counts the one that failed. A report that nobody answers is never given up by itself: the RIS is
    away, and when it is back its reports are wanted.
    """
    if verdict is Verdict.NEVER:
        return None
    patient = verdict is Verdict.NO_ANSWER and notice in OF_REPORTS
    if attempts >= (_ATTEMPTS_OF_REPORTS if notice in OF_REPORTS else _ATTEMPTS_OF_LOCKS) and not patient:
        return None
    return float(min(_FIRST_SECONDS * 2.0 ** min(attempts - 1, 16), _LAST_SECONDS))


def _error_codes(segments: list[list[str]], component: str) -> list[str]:
    """Give the place and the code of an ERR segment, in the forms of before and since version 2.5."""
    found = next((one for one in segments if one[0] == "ERR"), None)
    if found is None:
        return []
    fields = [*found, "", "", "", ""]
    where = [part for part in fields[2].split(component) if _PLACE.fullmatch(part)][:3]
    code = [part for part in fields[3].split(component)[:1] if _CODE.fullmatch(part)]
    if where or code:
        return ["-".join(where), *code] if where else code
    old = [part for part in fields[1].split(component)[:3] if _PLACE.fullmatch(part)]
    return ["-".join(old)] if old else []
