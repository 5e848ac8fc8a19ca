"""What the journal's writer appended its reader gives, whole, in order, and until it is in the worklist."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_listener.journal.reader import JournalReader
from dicom_listener.journal.writer import JournalWriter
from tests.dicom_listener.journal.journals import header, like
from worklist.intake.study import ReceivedObject


def files(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


@pytest.mark.parametrize("fsync", [False, True])
def test_what_was_appended_is_given_whole_and_in_order(tmp_path: Path, fsync: bool) -> None:
    writer, reader, shared = JournalWriter(tmp_path, fsync=fsync), JournalReader(tmp_path), like()
    places = [writer.append(header(shared, number), awaited=number == 1) for number in range(1, 6)]
    entries = reader.read(100)
    assert [entry.received for entry in entries] == [header(shared, number).received() for number in range(1, 6)]
    assert [entry.place for entry in entries] == places
    assert [entry.awaited for entry in entries] == [True, False, False, False, False]
    assert reader.read(100) == []


@given(
    appended=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), max_size=40),
    limits=st.lists(st.integers(1, 7), min_size=1),
    segment_bytes=st.sampled_from([1, 2000, 1_000_000]),
)
def test_batches_and_segments_of_any_size_give_the_same(
    appended: list[tuple[int, int, bool]], limits: list[int], segment_bytes: int
) -> None:
    shared = [like(f"2.25.1.{series}") for series in range(4)]
    with tempfile.TemporaryDirectory() as name:
        writer = JournalWriter(Path(name), segment_bytes=segment_bytes)
        reader, given_out = JournalReader(Path(name)), list[ReceivedObject]()
        for series, number, again in appended:
            writer.append(header(shared[series], number), awaited=False)
            entries = reader.read(limits[len(given_out) % len(limits)])
            if again:
                reader.give_again()
            else:
                reader.advance()
                given_out += [entry.received for entry in entries]
        writer.close()
        while entries := reader.read(limits[len(given_out) % len(limits)]):
            given_out += [entry.received for entry in entries]
            reader.advance()
        assert given_out == [header(shared[series], number).received() for series, number, _ in appended]
        reader.advance()
        assert files(Path(name)) == []
        reader.close()


def test_an_open_segment_stays_and_one_whose_writer_is_gone_goes_when_all_is_taken_in(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path), JournalReader(tmp_path)
    writer.append(header(like(), 1), awaited=False)
    assert len(reader.read(9)) == 1
    reader.read(9)
    reader.advance()
    assert files(tmp_path) == [".journal"]
    (idle,) = reader.idle()
    writer.finish(idle.segment, idle.end)
    reader.read(9)
    reader.advance()
    assert files(tmp_path) == []


def test_a_segment_whose_writer_is_gone_stays_when_only_what_came_before_it_is_taken_in_again(tmp_path: Path) -> None:
    """The database was away when both were read; meanwhile the older grew by a whole batch."""
    living, dead, reader = JournalWriter(tmp_path), JournalWriter(tmp_path), JournalReader(tmp_path)
    living.append(header(like(), 1), awaited=False)
    dead.append(header(like(), 2), awaited=False)
    dead.close()
    assert len(reader.read(9)) == 2
    reader.give_again()
    living.append(header(like(), 3), awaited=False)
    assert len(reader.read(2)) == 2
    reader.advance()
    assert [entry.received for entry in reader.read(9)] == [header(like(), 2).received()]


def test_a_segment_that_grew_is_not_finished(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    place = writer.append(header(like(), 1), awaited=False)
    later = writer.append(header(like(), 2), awaited=False)
    writer.finish(place.segment, place.end)
    assert writer.append(header(like(), 3), awaited=False).segment == later.segment


def test_a_record_that_its_writer_died_in_was_never_acknowledged_and_goes(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    place = writer.append(header(like(), 1), awaited=False)
    writer.append(header(like(), 2), awaited=False)
    writer.close()
    with (tmp_path / place.segment).open("r+b") as segment:
        segment.truncate(place.end + 20)
    reader = JournalReader(tmp_path)
    assert len(reader.read(9)) == 1
    reader.advance()
    assert reader.read(9) == []
    reader.advance()
    assert files(tmp_path) == []


def test_a_damaged_segment_gives_what_stands_before_the_damage_and_is_kept(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    place = writer.append(header(like(), 1), awaited=False)
    writer.append(header(like(), 2), awaited=False)
    writer.close()
    with (tmp_path / place.segment).open("r+b") as segment:
        segment.seek(place.end + 15)
        segment.write(b"\xff")
    reader = JournalReader(tmp_path)
    assert len(reader.read(9)) == 1
    reader.advance()
    assert files(tmp_path) == [".damaged"]


def test_a_full_disk_leaves_nothing_of_the_record_and_the_next_is_whole(tmp_path: Path) -> None:
    writer, shared = JournalWriter(tmp_path), like()
    place = writer.append(header(shared, 1), awaited=False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (place.end + 30, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large|full"):
            writer.append(header(shared, 2), awaited=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    writer.append(header(shared, 3), awaited=False)
    assert [entry.received for entry in JournalReader(tmp_path).read(9)] == [
        header(shared, number).received() for number in (1, 3)
    ]


def test_nobody_else_can_read_a_segment(tmp_path: Path) -> None:
    place = JournalWriter(tmp_path).append(header(like(), 1), awaited=False)
    assert (tmp_path / place.segment).stat().st_mode & 0o777 == 0o600
