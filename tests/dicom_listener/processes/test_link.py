"""The link carries messages, sockets, calls and their answers, and its end is seen at both ends."""

from __future__ import annotations

import socket
import threading

import pytest

from dicom_listener.processes.link import Link, LinkLost


def test_a_message_arrives_with_its_socket() -> None:
    one, theirs = Link.pair()
    other = Link(theirs)
    left, right = socket.socketpair()
    with left, right:
        one.send("connection", {"number": 7}, right)
        message = other.receive()
        assert message is not None
        kind, fields, passed = message
        assert (kind, fields) == ("connection", {"number": 7})
        assert passed is not None
        with passed:
            passed.send(b"through")
        assert left.recv(100) == b"through"
    one.close()
    other.close()


def test_calls_are_answered_each_with_its_own() -> None:
    asking, theirs = Link.pair()
    answering = Link(theirs)

    def answer_in_reverse() -> None:
        calls = [answering.receive(), answering.receive()]
        for message in reversed(calls):
            assert message is not None
            answering.send("answer", {"call": message[1]["call"], "value": message[1]["fields"]})

    threads = [threading.Thread(target=answer_in_reverse), threading.Thread(target=asking.receive)]
    for thread in threads:
        thread.start()
    answers: dict[int, object] = {}
    callers = [
        threading.Thread(target=lambda n=number: answers.update({n: asking.call("echo", {"n": n}, 10)}))
        for number in (1, 2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert answers == {1: {"n": 1}, 2: {"n": 2}}
    answering.close()
    threads[1].join(10)
    asking.close()


def test_a_call_ends_when_the_other_end_is_gone() -> None:
    asking, theirs = Link.pair()
    threading.Thread(target=asking.receive, daemon=True).start()
    threading.Timer(0.1, theirs.close).start()
    with pytest.raises(LinkLost):
        asking.call("echo", {}, 10)
    asking.close()


def test_who_waits_too_long_is_told_so() -> None:
    asking, theirs = Link.pair()
    with theirs, pytest.raises(TimeoutError):
        asking.call("echo", {}, 0.05)
    asking.close()
