"""The reactor of pynetdicom stands still while a request waits, so it cannot take the answer."""

from __future__ import annotations

import threading
import time

from pynetdicom.association import Association

from dicom_listener.client.association import associated
from dicom_listener.client.checkpoint import Checkpoint
from dicom_listener.client.query_address import QueryAddress
from dicom_listener.conformance import VERIFICATION
from tests.dicom_listener.client.pacs_peers import MANNERS
from tests.dicom_listener.dicom_peers import HOST, running_listener


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


def test_pynetdicom_pauses_its_reactor_by_what_is_replaced_here() -> None:
    """Private names: a version that calls them otherwise would make the checkpoint idle without a word."""
    for request in (Association.send_c_echo, Association.send_c_store, Association.send_c_find, Association.release):
        assert {"_reactor_checkpoint", "_is_paused"} <= set(request.__code__.co_names)


def test_the_associations_that_we_open_have_one() -> None:
    with running_listener() as listener:
        address = QueryAddress("PACS", HOST, listener.port, "RADPOOL")
        with associated(address, VERIFICATION, MANNERS) as association:
            assert isinstance(association._reactor_checkpoint, Checkpoint)
            assert association.send_c_echo().Status == 0


def test_the_reactor_itself_may_stop_itself() -> None:
    stopped = threading.Event()

    class Own(Reactor):
        def run(self) -> None:
            self.checkpoint.clear()
            stopped.set()

    Own().start()
    assert stopped.wait(5)
