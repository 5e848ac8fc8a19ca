"""Reads a data set in the DICOM JSON model (PS3.18, Annex F) into wanted elements, as if they had been encoded.

It must not interpret: values become what an encoded data set would hold, in UTF-8. What a sender got
wrong is named by keyword and reason, never by its value.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from dicom_listener.header.data_elements import MAX_ITEMS, Elements, Wanted
from dicom_listener.header.values import MAX_VALUE_BYTES, UnreadableHeader

#: PS3.18, F.2: the text of JSON is UTF-8, whatever (0008,0005) says.
UTF_8 = b"ISO_IR 192"

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_MOST_VALUES = 256

#: Keyword and reason, each once.
Faults = dict[tuple[str, str], None]


class _Wrong(ValueError):
    """Why an attribute does not have the form of the model."""


def decode_data_set(octets: bytes | bytearray) -> Mapping[str, Any]:
    """Give the JSON object of one data set.

    Raises
    ------
    UnreadableHeader
        When it is no JSON object in UTF-8, names anything twice, or has numbers that JSON does not know.
    """
    try:
        decoded = json.loads(octets.decode(), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except _Wrong as wrong:
        raise UnreadableHeader("DataSet", str(wrong)) from None
    except (ValueError, RecursionError):
        raise UnreadableHeader("DataSet", "is not JSON") from None
    if not isinstance(decoded, dict):
        raise UnreadableHeader("DataSet", "is not a JSON object")
    return decoded


def pick_elements(attributes: Mapping[str, Any], wanted: Wanted, faults: Faults) -> Elements:
    """Give the wanted elements of a data set; an attribute that is not as it should be is left out and named."""
    found: Elements = {}
    for key, attribute in attributes.items():
        if not _TAG.fullmatch(key):
            continue
        keyword, inner = wanted.get(int(key, 16), (None, None))
        if keyword is None:
            continue
        if keyword in found:
            faults[keyword, "occurs more than once or cannot be followed"] = None
            continue
        try:
            found[keyword] = _element(attribute, inner, faults)
        except _Wrong as wrong:
            faults[keyword, str(wrong)] = None
    return found


def _element(attribute: Any, inner: Wanted | None, faults: Faults) -> bytes | list[Elements]:
    if not isinstance(attribute, dict):
        raise _Wrong("is not a JSON object with vr and Value")
    if inner is not None:
        return _items(attribute, inner, faults)
    if attribute.get("vr") == "SQ":
        raise _Wrong("is a sequence where a value is wanted")
    if "BulkDataURI" in attribute:
        raise _Wrong("is not in the message but at an address")
    if "InlineBinary" in attribute:
        return _inline(attribute["InlineBinary"])
    return "\\".join(_text(value) for value in _values(attribute)).encode()


def _items(attribute: Mapping[str, Any], inner: Wanted, faults: Faults) -> list[Elements]:
    items = _values(attribute, MAX_ITEMS)
    if attribute.get("vr") != "SQ" or not all(isinstance(item, dict) for item in items):
        raise _Wrong("is not a sequence of items")
    return [pick_elements(item, inner, faults) for item in items]


def _values(attribute: Mapping[str, Any], most: int = _MOST_VALUES) -> Sequence[Any]:
    values = attribute.get("Value", [])
    if not isinstance(values, list):
        raise _Wrong("has a Value that is no array")
    if len(values) > most:
        raise _Wrong("has too many values")
    return values


def _text(value: Any) -> str:
    if value is None:
        return ""  # PS3.18, F.2.5: an empty value among others
    if isinstance(value, dict):
        return _person_name(value)
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise _Wrong("is not text in UTF-8")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Wrong("has a value of another kind than its value representation")
    return str(value)


def _person_name(value: Mapping[str, Any]) -> str:
    """Give the component groups of a PN (PS3.18, F.2.2) as they are encoded."""
    groups = [value.get(name) or "" for name in _NAME_GROUPS]
    if not all(isinstance(group, str) for group in groups):
        raise _Wrong("has a name of another kind than its value representation")
    return "=".join(_text(group) for group in groups).rstrip("=")


def _inline(value: Any) -> bytes:
    """Decode base64 as far as a value of the header can be of use."""
    if not isinstance(value, str) or len(value) > 2 * MAX_VALUE_BYTES:
        raise _Wrong("is binary of another kind or length than is wanted")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _Wrong("is not base64") from None


def _each_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Wrong("names an attribute twice")
        found[name] = value
    return found


def _no_constant(_: str) -> NoReturn:
    raise _Wrong("has a number that is none")
