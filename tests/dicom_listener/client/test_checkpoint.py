"""The reactor of pynetdicom stands still while a request waits, so it cannot take the answer."""

from __future__ import annotations

import threading
import time

from dicom_listener.client.checkpoint import Checkpoint


class Reactor(threading.Thread):
    """Loops as pynetdicom's does, slow to leave the checkpoint, and tells whether it is past it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.checkpoint = Checkpoint(self)
        self.checkpoint.set()
        self.is_past = False
        self.rounds = 0
        self.ends = False

    def run(self) -> None:
        while not self.ends:
            self.checkpoint.wait()
            self.is_past = True
            time.sleep(0.0005)
            self.is_past = False
            self.rounds += 1


def test_whoever_has_stopped_the_reactor_finds_it_standing_still() -> None:
    reactor = Reactor()
    reactor.start()
    for _ in range(200):
        reactor.checkpoint.clear()
        assert not reactor.is_past
        before = reactor.rounds
        time.sleep(0.001)
        assert reactor.rounds == before
        reactor.checkpoint.set()
    reactor.ends = True


def test_a_reactor_that_has_ended_is_not_waited_for() -> None:
    reactor = Reactor()
    reactor.ends = True
    reactor.start()
    reactor.join()
    reactor.checkpoint.clear()
    assert not reactor.checkpoint.is_set()


def test_the_reactor_itself_may_stop_itself() -> None:
    stopped = threading.Event()

    class Own(Reactor):
        def run(self) -> None:
            self.checkpoint.clear()
            stopped.set()

    Own().start()
    assert stopped.wait(5)
