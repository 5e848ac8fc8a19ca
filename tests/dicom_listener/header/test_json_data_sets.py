"""A JSON array of data sets is cut where they end, however its bytes come, and one is held at a time."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_listener.header.json_data_sets import MAX_JSON_DEPTH, DataSets, NotAnArray
from dicom_listener.header.values import UnreadableHeader


def cut(octets: bytes, cuts: list[int] | None = None, most_bytes: int = 1000) -> list[bytes | str]:
    """Give each data set, or why it was not kept."""
    data_sets = DataSets(most_bytes)
    places = [0, *sorted(one % (len(octets) + 1) for one in cuts or ()), len(octets)]
    found: list[bytes | str] = []
    for start, end in pairwise(places):
        cut_out = data_sets.take(octets[start:end])
        found += [one.reason if isinstance(one, UnreadableHeader) else one for one in cut_out]
    data_sets.end()
    return found


_TEXT = st.text(alphabet='ab"\\{}[], \u00e9', max_size=6)
_VALUES: Any = st.recursive(
    st.none() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    data_sets=st.lists(st.dictionaries(_TEXT, _VALUES, max_size=3), max_size=4),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
)
def test_data_sets_are_the_same_however_the_bytes_are_cut(
    data_sets: list[Any], cuts: list[int], indent: int | None, ascii_only: bool
) -> None:
    octets = json.dumps(data_sets, indent=indent, ensure_ascii=ascii_only).encode()
    assert [json.loads(one) for one in cut(octets, cuts, most_bytes=100_000)] == data_sets


def test_one_data_set_without_an_array_is_taken() -> None:
    assert cut(b' {"a": 1} \r\n') == [b'{"a": 1}']


@pytest.mark.parametrize(
    "octets",
    [
        *(b"", b" ", b"[", b"]", b"[{}", b"{}{}", b"{},", b"[{},]", b"[,{}]", b"[{}{}]", b"[[{}]]", b"[1]", b"null"),
        *(b'["{}"]', b"[{}]]", b"[{}] x", b"{", b'{"a', b"\xef\xbb\xbf[]"),
    ],
)
def test_what_is_no_array_of_objects_is_told(octets: bytes) -> None:
    with pytest.raises(NotAnArray):
        cut(octets)


def test_what_came_before_the_fault_is_given() -> None:
    found = DataSets(100).take(b'[{"a": 1}, 5')
    assert next(found) == b'{"a": 1}'
    with pytest.raises(NotAnArray):
        next(found)


def test_a_data_set_over_the_bound_is_not_held_and_the_next_is_read() -> None:
    data_sets = DataSets(50)
    first = list(data_sets.take(b'[{"a": "' + b"x" * 500))
    assert data_sets.kept_bytes == 0
    rest = list(data_sets.take(b'"}, {"b": 2}]'))
    assert first == []
    assert isinstance(rest[0], UnreadableHeader)
    assert rest[1:] == [b'{"b": 2}']


def test_nesting_beyond_what_sequences_may_have_is_not_held() -> None:
    deep = b"[" * (MAX_JSON_DEPTH - 1) + b"]" * (MAX_JSON_DEPTH - 1)
    assert cut(b'[{"a": ' + deep + b"}]") == [b'{"a": ' + deep + b"}"]
    assert cut(b'[{"a": [' + deep + b"]}, {}]") == ["has sequences nested too deep", b"{}"]
