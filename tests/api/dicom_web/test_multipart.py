"""A multipart body is the same parts however its bytes are cut, and what is none is told once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dicom_web.limits import StoreLimits
from api.dicom_web.media_types import read_related
from api.dicom_web.multipart import Mark, MultipartReader, PartBegun
from tests.api.dicom_web.sending import BOUNDARY, METADATA, body

MALFORMED = ("malformed", b"")


def read(octets: bytes, cuts: list[int] | None = None) -> tuple[list[tuple[str, bytes]], bool]:
    """Give each whole part with its media type, and whether the body was whole."""
    reader = MultipartReader(BOUNDARY.encode(), StoreLimits())
    places = [0, *sorted(one % (len(octets) + 1) for one in cuts or ()), len(octets)]
    parts: list[tuple[str, bytes]] = []
    media_type, content = "", bytearray()
    for start, end in pairwise(places):
        for event in reader.take(octets[start:end]):
            if isinstance(event, PartBegun):
                media_type, content = event.headers.get("content-type", ""), bytearray()
            elif isinstance(event, memoryview):
                content += event
            elif event is Mark.PART_ENDED:
                parts.append((media_type, bytes(content)))
            else:
                return [*parts, MALFORMED], reader.is_whole
    return parts, reader.is_whole


#: What looks like a boundary and is none, beside anything.
_CONTENT = st.lists(
    st.binary(max_size=20)
    | st.sampled_from([b"\r", b"\n", b"\r\n", b"--", f"\r\n--{BOUNDARY[:-1]}".encode(), f"--{BOUNDARY}".encode()]),
    max_size=8,
).map(b"".join)
_PARTS = st.lists(st.tuples(st.sampled_from(["application/dicom", "a/b; c=d"]), _CONTENT), min_size=1, max_size=4)


@given(parts=_PARTS, cuts=st.lists(st.integers(0, 10_000), max_size=16))
def test_parts_are_the_same_however_the_bytes_are_cut(parts: list[tuple[str, bytes]], cuts: list[int]) -> None:
    parts = [(kind, content.replace(f"\r\n--{BOUNDARY}".encode(), b"")) for kind, content in parts]
    parts = [(kind, content) for kind, content in parts if not content.startswith(f"--{BOUNDARY}".encode())]
    if not parts or any(f"\r\n--{BOUNDARY}".encode() in content for _, content in parts):
        return
    assert read(body(parts), cuts) == (parts, True)


@given(octets=st.binary(max_size=200), cuts=st.lists(st.integers(0, 300), max_size=4))
def test_whatever_comes_after_a_boundary_is_read_the_same_however_it_is_cut(octets: bytes, cuts: list[int]) -> None:
    sent = f"--{BOUNDARY}\r\n".encode() + octets
    assert read(sent, cuts) == read(sent)


def test_headers_are_read_in_any_case_and_the_last_of_several_alike_counts() -> None:
    sent = f"--{BOUNDARY}\r\nCONTENT-TYPE: a/b\r\ncontent-type:c/d \r\n\r\nx\r\n--{BOUNDARY}--".encode()
    assert read(sent) == ([("c/d", b"x")], True)


def test_a_blank_line_before_and_words_after_do_not_matter() -> None:
    assert read(b"\r\n" + body([("a/b", b"x")]) + b"and so on") == ([("a/b", b"x")], True)


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * 100,
        f"--{BOUNDARY}\r\n{'a' * 5000}: b\r\n\r\n".encode(),
        f"--{BOUNDARY}\r\na: {'b' * 5000}\r\n\r\n".encode(),
        f"--{BOUNDARY}\r\n".encode() + b"a: b\r\n" * 17 + b"\r\n",
        f"--{BOUNDARY}\r\na b\r\n\r\n".encode(),
    ],
    ids=["no boundary", "long name", "long value", "many headers", "no colon"],
)
def test_what_is_not_multipart_or_over_the_limits_is_malformed(sent: bytes) -> None:
    assert read(sent) == ([MALFORMED], False)


def test_a_body_without_its_last_boundary_is_not_whole() -> None:
    assert read(body([("a/b", b"x")])[:-4]) == ([], False)


@pytest.mark.parametrize(
    ("content_type", "root", "boundary"),
    [
        (METADATA, "application/dicom+json", BOUNDARY.encode()),
        ('Multipart/Related;boundary=b;TYPE="Application/DICOM"', "application/dicom", b"b"),
        ("multipart/related; type=application/dicom; boundary=b; start=x", "application/dicom", b"b"),
        ("multipart/related; boundary=b", "application/dicom", b"b"),
    ],
)
def test_a_content_type_says_what_the_root_is(content_type: str, root: str, boundary: bytes) -> None:
    related = read_related(content_type)
    assert related is not None
    assert (related.root, related.boundary) == (root, boundary)
