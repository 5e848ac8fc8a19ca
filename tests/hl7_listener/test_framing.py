"""Messages are found in the stream whichever way it is cut, and nothing grows without a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hl7_listener.framing import Framer, FrameTooLong, FramingBroken, framed


def a_framer() -> Framer:
    return Framer(max_message_bytes=1000, max_junk_bytes=10)


@given(
    st.lists(st.binary(max_size=60).map(lambda one: one.replace(b"\x0b", b"").replace(b"\x1c", b"")), max_size=5),
    st.integers(1, 20),
)
def test_messages_come_out_whole_and_in_order_however_they_were_cut(messages: list[bytes], cut: int) -> None:
    framer, stream, found = a_framer(), b"\r\n".join(map(framed, messages)), []
    for start in range(0, len(stream), cut):
        framer.feed(stream[start : start + cut])
        while (message := framer.next_message()) is not None:
            found.append(message)
    assert found == messages


def test_a_message_of_just_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    framer = a_framer()
    framer.feed(framed(b"x" * 1000)[:-1])
    assert framer.next_message() is None
    framer.feed(b"\r")
    assert framer.next_message() == b"x" * 1000
    framer.feed(framed(b"y" * 1001))
    with pytest.raises(FrameTooLong) as caught:
        framer.next_message()
    assert caught.value.beginning == b"y" * 1000


def test_a_message_that_never_ends_is_cut_at_the_limit() -> None:
    framer = a_framer()
    framer.feed(b"\x0b" + b"x" * 1002)
    with pytest.raises(FrameTooLong):
        framer.next_message()


def test_junk_before_a_message_is_dropped_up_to_its_bound() -> None:
    framer = a_framer()
    framer.feed(b"0123456789" + framed(b"one"))
    assert framer.next_message() == b"one"
    framer.feed(b"01234567890")
    with pytest.raises(FramingBroken):
        framer.next_message()


def test_junk_that_drips_in_is_counted_together() -> None:
    framer = a_framer()
    for _ in range(10):
        framer.feed(b"x")
        assert framer.next_message() is None
    framer.feed(b"x")
    with pytest.raises(FramingBroken):
        framer.next_message()


def test_a_message_that_begins_inside_another_ends_the_stream() -> None:
    framer = a_framer()
    framer.feed(b"\x0bone\x0btwo\x1c\r")
    with pytest.raises(FramingBroken):
        framer.next_message()
