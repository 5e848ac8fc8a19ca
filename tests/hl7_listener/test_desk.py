"""Messages that wait are answered in lots, each with its own answer, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from hl7_listener.desk import Desk, Later, Sent
from tests.hl7_listener.ris_peer import PEER


def test_what_waits_meanwhile_is_answered_in_one_lot() -> None:
    lots: list[list[bytes]] = []
    release = threading.Event()

    def answer_together(messages: Sequence[Sent]) -> list[bytes | Later]:
        lots.append([sent.message for sent in messages])
        release.wait(10)
        return [sent.message.upper() for sent in messages]

    async def run() -> list[bytes]:
        desk = Desk(answer_together)
        asked = [asyncio.create_task(desk.answer(b"%c" % letter, PEER)) for letter in b"abcdefgh"]
        while not lots:
            await asyncio.sleep(0.01)
        release.set()
        return list(await asyncio.gather(*asked))

    assert asyncio.run(run()) == [b"%c" % letter for letter in b"ABCDEFGH"]
    assert sorted(message for lot in lots for message in lot) == [b"%c" % letter for letter in b"abcdefgh"]
    assert len(lots) < 8


def test_those_who_were_answered_together_are_answered_together_again() -> None:
    lots: list[int] = []

    def answer_together(messages: Sequence[Sent]) -> list[bytes | Later]:
        lots.append(len(messages))
        return [sent.message for sent in messages]

    async def converse(desk: Desk) -> None:
        for number in range(20):
            await desk.answer(b"%d" % number, PEER)
            await asyncio.sleep(0)  # its next message comes a little later than that of others

    async def run() -> None:
        desk = Desk(answer_together)
        await asyncio.gather(*(converse(desk) for _ in range(8)))

    asyncio.run(run())
    assert sum(lots) == 160
    assert len(lots) < 30


def test_what_has_to_wait_holds_up_no_other() -> None:
    other_is_answered = threading.Event()

    def slowly() -> bytes:
        assert other_is_answered.wait(10)
        return b"LATE"

    def answer_together(messages: Sequence[Sent]) -> list[bytes | Later]:
        return [slowly if sent.message == b"slow" else b"SOON" for sent in messages]

    async def run() -> bytes:
        desk = Desk(answer_together)
        slow = asyncio.create_task(desk.answer(b"slow", PEER))
        assert await desk.answer(b"one", PEER) == b"SOON"
        assert await desk.answer(b"another", PEER) == b"SOON"
        other_is_answered.set()
        return await slow

    assert asyncio.run(run()) == b"LATE"


def test_a_lot_that_fails_is_told_to_each_and_the_next_is_answered() -> None:
    def answer_together(messages: Sequence[Sent]) -> list[bytes | Later]:
        if messages[0].message == b"bad":
            raise ValueError("bad")
        return [sent.message for sent in messages]

    async def run() -> bytes:
        desk = Desk(answer_together)
        with pytest.raises(ValueError, match="bad"):
            await desk.answer(b"bad", PEER)
        return await desk.answer(b"good", PEER)

    assert asyncio.run(run()) == b"good"
