"""Says what is wrong with a dialect before it is taken: keys, fields and words that would never do anything.

What a RIS was told to mean once goes on being read (`hl7_listener.dialect`); this is asked where a configuration is
imported. It must not read messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from hl7_listener.delivery.wording import Wording
from hl7_listener.dialect import Dialect
from hl7_listener.messages import MAX_FIELDS, parts_of

#: Where in a dialect, and what would mend it.
Fault = tuple[tuple[str | int, ...], str]

#: How many fields each segment of orders, results and patient messages has (HL7 v2.5.1, chapters 2 to 7).
FIELDS = {
    "AL1": 6,
    "BLG": 4,
    "CTD": 7,
    "CTI": 3,
    "DG1": 21,
    "EVN": 7,
    "FT1": 31,
    "GT1": 57,
    "IN1": 53,
    "IN2": 72,
    "IN3": 25,
    "IPC": 9,
    "MRG": 7,
    "NK1": 39,
    "NTE": 4,
    "OBR": 50,
    "OBX": 25,
    "ORC": 31,
    "PD1": 21,
    "PID": 39,
    "PV1": 52,
    "PV2": 49,
    "ROL": 12,
    "TQ1": 14,
    "TQ2": 10,
}


def faults_of(overrides: Mapping[str, Any]) -> list[Fault]:
    """Give everything that is wrong with a RIS's overrides, each with its place below `dialect`."""
    try:
        given = Dialect.model_validate(dict(overrides))
    except ValidationError as error:
        return [_said(one["loc"], one["type"], one["msg"]) for one in error.errors(include_input=False)]
    return [*_of_fields(given), *_of_settings(given)]


def _said(location: tuple[str | int, ...], kind: str, message: str) -> Fault:
    if kind != "extra_forbidden":
        return location, message.removeprefix("Value error, ")
    keys = sorted(Wording.model_fields if location[0] == "sent" and len(location) > 1 else Dialect.model_fields)
    close = get_close_matches(str(location[-1]), keys, n=1)
    meant = f"did you mean `{close[0]}`?" if close else f"keys are {', '.join(keys)}"
    return location, f"no such key; {meant}"


def _of_fields(given: Dialect) -> Iterator[Fault]:
    for key in sorted(given.model_fields_set):
        if key.endswith("_fields"):
            for place, field in enumerate(getattr(given, key)):
                what = _wrong_with(field)
                if what:
                    yield (key, place), what


def _of_settings(given: Dialect) -> Iterator[Fault]:
    for field in sorted(given.settings) if "settings" in given.model_fields_set else ():
        if field not in given.setting_fields:
            asked = ", ".join(given.setting_fields) or "none"
            yield ("settings", field), f"{field} is not looked into; add it to `setting_fields` (now: {asked})"


def _wrong_with(path: str) -> str | None:
    segment, number, _ = parts_of(path)
    if segment == "MSH":
        return "MSH is the message's header, which holds none of this; name a field of another segment"
    if path.startswith("OBX-5") and number == 5:
        return "OBX-5 is never read: the words of a report stay in the home RIS; name another field"
    if segment.startswith("Z"):
        most = MAX_FIELDS - 1
        return None if number <= most else f"of {segment} the first {most} fields are read"
    if segment not in FIELDS:
        close = sorted(get_close_matches(segment, FIELDS))
        meant = f"did you mean {' or '.join(close)}?" if close else f"give one of {', '.join(FIELDS)}, or a Z segment"
        return f"no segment {segment} in what is read here; {meant}"
    most = min(FIELDS[segment], MAX_FIELDS - 1)
    return None if number <= most else f"{segment} has {most} fields to read (HL7 v2.5.1); give one of them"
