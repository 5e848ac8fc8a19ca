"""The committer takes the journal in, tells those who wait, and loses nothing to a fault of the worklist."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dicom_listener.journal import committer as committer_module
from dicom_listener.journal.committer import Committer
from dicom_listener.journal.keeper import Keeper
from dicom_listener.journal.writer import JournalWriter, Place
from dicom_listener.services.storage import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, StoreAnswer
from tests.dicom_listener.journal.journals import header, like
from worklist.intake.study import ReceivedObject

Take = Callable[[Sequence[ReceivedObject]], list[StoreAnswer]]


class Taken:
    """Takes objects in as the worklist does; each answer by `judge`, the first `away` attempts fail."""

    def __init__(self, judge: Callable[[ReceivedObject], int] = lambda _: 0, away: int = 0) -> None:
        self.batches: list[list[str]] = []
        self.judge = judge
        self.away = away

    def __call__(self, objects: Sequence[ReceivedObject]) -> list[StoreAnswer]:
        if self.away:
            self.away -= 1
            raise ConnectionError
        self.batches.append([one.sop_instance_uid for one in objects])
        return [StoreAnswer(self.judge(one)) for one in objects]

    @property
    def uids(self) -> list[str]:
        return [uid for batch in self.batches for uid in batch]


@contextmanager
def running(folder: Path, take: Take, **settings: Any) -> Iterator[tuple[Committer, list[tuple[str, Any]]]]:
    told: list[tuple[str, Any]] = []

    def tell(kind: str, fields: Mapping[str, Any]) -> None:
        told.append((kind, dict(fields)))

    committer = Committer(folder, take, tell, **settings)
    thread = threading.Thread(target=committer.run)
    thread.start()
    try:
        yield committer, told
    finally:
        committer.stop()
        thread.join(10)


def keeper_of(writer: JournalWriter, committer: Committer, waited: list[Place]) -> Keeper:
    def commit(place: Place) -> StoreAnswer:
        waited.append(place)
        return committer.committed(place).result(10)

    return Keeper(writer, commit)


def test_the_first_of_a_series_waits_for_its_commit_and_the_others_do_not(tmp_path: Path) -> None:
    taken, waited, shared, other = Taken(), list[Place](), like(), like("2.25.1.2")
    with running(tmp_path, taken) as (committer, _):
        keeper = keeper_of(JournalWriter(tmp_path), committer, waited)
        for number in range(1, 4):
            assert keeper.keep(header(shared, number)) == StoreAnswer()
        assert len(waited) == 1
        keeper.keep(header(other, 1))
        assert len(waited) == 2
    assert sorted(taken.uids) == ["2.25.1.1.1", "2.25.1.1.2", "2.25.1.1.3", "2.25.1.2.1"]


def test_a_series_that_was_refused_waits_again(tmp_path: Path) -> None:
    taken, waited, shared = Taken(lambda _: CANNOT_UNDERSTAND), list[Place](), like()
    with running(tmp_path, taken) as (committer, _):
        keeper = keeper_of(JournalWriter(tmp_path), committer, waited)
        assert [keeper.keep(header(shared, number)).status for number in (1, 2)] == [CANNOT_UNDERSTAND] * 2
    assert len(waited) == 2


def test_what_comes_in_a_stream_gathers_but_for_no_longer_than_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer_module, "_MANY_BYTES", 0)
    monkeypatch.setattr(committer_module, "GATHER_SECONDS", 0.01)
    monkeypatch.setattr(committer_module, "_GATHER_MOST_SECONDS", 0.3)
    taken, writer, shared = Taken(), JournalWriter(tmp_path), like()
    with running(tmp_path, taken):
        until = time.monotonic() + 60.0
        for number in count(1):
            writer.append(header(shared, number), awaited=False)
            time.sleep(0.002)
            if len(taken.batches) == 3 or time.monotonic() > until:
                break
        assert len(taken.batches) == 3, "a stream without end is taken in meanwhile"
        assert number > 3 * len(taken.batches), "and not piece by piece"
    assert len(taken.uids) == number


def test_who_waits_ends_the_gathering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "GATHER_SECONDS", 60.0)
    taken, waited = Taken(), list[Place]()
    with running(tmp_path, taken) as (committer, _):
        keeper = keeper_of(JournalWriter(tmp_path), committer, waited)
        assert keeper.keep(header(like(), 1)) == StoreAnswer()
        assert keeper.keep(header(like("2.25.1.2"), 1)) == StoreAnswer()
    assert len(waited) == 2


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    taken, waited = Taken(away=2), list[Place]()
    with running(tmp_path, taken) as (committer, _):
        assert keeper_of(JournalWriter(tmp_path), committer, waited).keep(header(like(), 1)) == StoreAnswer()
    assert taken.uids == ["2.25.1.1.1"]


def test_what_was_left_at_the_end_is_taken_in_at_the_next_start(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    for number in range(3):
        writer.append(header(like(), number), awaited=False)
    taken = Taken()
    with running(tmp_path, taken):
        pass
    assert len(taken.uids) == 3


def test_an_acknowledged_object_that_meets_a_fault_of_ours_is_tried_again_at_the_next_start(tmp_path: Path) -> None:
    writer, shared = JournalWriter(tmp_path), like()
    for number in (1, 2):
        writer.append(header(shared, number), awaited=False)
    writer.close()
    with running(tmp_path, Taken(lambda one: OUT_OF_RESOURCES if one.sop_instance_uid.endswith(".2") else 0)):
        pass
    taken = Taken()
    with running(tmp_path, taken):
        pass
    assert taken.uids == ["2.25.1.1.2"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_too_much_that_waits_is_told_and_so_is_its_end(tmp_path: Path) -> None:
    JournalWriter(tmp_path).append(header(like(), 1), awaited=False)
    told_full = threading.Event()

    class Away(Taken):
        def __call__(self, objects: Sequence[ReceivedObject]) -> list[StoreAnswer]:
            if not told_full.is_set():
                raise ConnectionError
            return super().__call__(objects)

    with running(tmp_path, Away(), most_bytes=10) as (committer, told):
        while ("full", {"full": True}) not in told:
            threading.Event().wait(0.01)
        assert committer.waiting_bytes > 10
        told_full.set()
        while ("full", {"full": False}) not in told:
            threading.Event().wait(0.01)


def test_a_full_journal_takes_nothing(tmp_path: Path) -> None:
    keeper = Keeper(JournalWriter(tmp_path), lambda _: StoreAnswer())
    keeper.told("full", {"full": True})
    try:
        keeper.keep(header(like(), 1))
    except OSError:
        pass
    else:
        raise AssertionError
    keeper.told("full", {"full": False})
    assert keeper.keep(header(like(), 1)) == StoreAnswer()
