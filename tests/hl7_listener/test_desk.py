"""Messages that wait are answered in lots, each with its own answer, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from hl7_listener.desk import Desk, Later


def test_what_waits_meanwhile_is_answered_in_one_lot() -> None:
    lots: list[list[bytes]] = []
    release = threading.Event()

    def answer_together(messages: Sequence[bytes]) -> list[bytes | Later]:
        lots.append(list(messages))
        release.wait(10)
        return [message.upper() for message in messages]

    async def run() -> list[bytes]:
        desk = Desk(answer_together)
        asked = [asyncio.create_task(desk.answer(b"%c" % letter)) for letter in b"abcdefgh"]
        while not lots:
            await asyncio.sleep(0.01)
        release.set()
        return list(await asyncio.gather(*asked))

    assert asyncio.run(run()) == [b"%c" % letter for letter in b"ABCDEFGH"]
    assert sorted(message for lot in lots for message in lot) == [b"%c" % letter for letter in b"abcdefgh"]
    assert len(lots) < 8


def test_what_has_to_wait_holds_up_no_other() -> None:
    other_is_answered = threading.Event()

    def slowly() -> bytes:
        assert other_is_answered.wait(10)
        return b"LATE"

    def answer_together(messages: Sequence[bytes]) -> list[bytes | Later]:
        return [slowly if message == b"slow" else b"SOON" for message in messages]

    async def run() -> bytes:
        desk = Desk(answer_together)
        slow = asyncio.create_task(desk.answer(b"slow"))
        assert await desk.answer(b"one") == b"SOON"
        assert await desk.answer(b"another") == b"SOON"
        other_is_answered.set()
        return await slow

    assert asyncio.run(run()) == b"LATE"


def test_a_lot_that_fails_is_told_to_each_and_the_next_is_answered() -> None:
    def answer_together(messages: Sequence[bytes]) -> list[bytes | Later]:
        if b"bad" in messages:
            raise ValueError("bad")
        return list(messages)

    async def run() -> bytes:
        desk = Desk(answer_together)
        with pytest.raises(ValueError, match="bad"):
            await desk.answer(b"bad")
        return await desk.answer(b"good")

    assert asyncio.run(run()) == b"good"
