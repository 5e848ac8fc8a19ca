"""The loop asks about what wants an answer, sweeps in quiet hours, and leaves a PACS that fails alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_listener.client.enquiries import Enquiries, Questions, rest_seconds
from dicom_listener.client.query_address import QueryAddress
from tests.dicom_listener.client.pacs_peers import MANNERS, scripted_pacs
from tests.dicom_listener.dicom_peers import HOST
from tests.free_ports import free_port
from worklist.intake.study import StudyAtSource

NIGHT = datetime(2026, 6, 10, 1, tzinfo=UTC)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
OFF_PEAK = (time(22), time(5))
HELD = {"1.2.3": 40, "1.2.4": 7}


def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """Answer as a PACS that holds two studies, both of 10 June."""
    wanted = event.identifier.StudyInstanceUID
    day = event.identifier.StudyDate
    for uid, instances in HELD.items():
        if wanted in {"", uid} and day in {"", "20260610"}:
            answer = Dataset()
            answer.StudyInstanceUID = uid
            answer.NumberOfStudyRelatedInstances = instances
            yield 0xFF00, answer


@dataclass
class Notes:
    """What the loop was given and what it told."""

    addresses: list[QueryAddress]
    uids: list[str] = field(default_factory=list)
    now: datetime = NOON
    noted: list[StudyAtSource] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    swept: dict[str, datetime] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def enquiries(self) -> Enquiries:
        """Give a loop over these."""

        def studies_to_ask_about(source: str, limit: int) -> Sequence[str]:
            self.asked.append(source)
            return self.uids[:limit]

        questions = Questions(
            addresses=lambda: self.addresses,
            studies_to_ask_about=studies_to_ask_about,
            note_study_at_source=self.noted.append,
            note_study_unknown=lambda source, uid: self.unknown.append((source, uid)),
            swept_at=self.swept.get,
            note_swept=self.swept.__setitem__,
            now=lambda: self.now,
        )
        return Enquiries(questions, MANNERS)


def test_each_study_that_wants_an_answer_gets_one() -> None:
    with scripted_pacs(find) as address:
        notes = Notes([address], ["1.2.3", "1.2.99"])
        notes.enquiries().make_round(threading.Event())
    assert [(each.study_instance_uid, each.instances) for each in notes.noted] == [("1.2.3", 40)]
    assert notes.unknown == [("PACS_WEST1", "1.2.99")]
    assert notes.swept == {}


def test_a_pacs_of_which_nothing_is_wanted_is_not_called() -> None:
    notes = Notes([QueryAddress("PACS_WEST1", HOST, free_port(), "PACS", OFF_PEAK)])
    notes.enquiries().make_round(threading.Event())
    notes.enquiries().make_round(threading.Event())
    assert notes.asked == ["PACS_WEST1"] * 2


def test_in_quiet_hours_the_days_are_swept_once() -> None:
    with scripted_pacs(find, off_peak=OFF_PEAK) as address:
        notes = Notes([address], now=NIGHT)
        enquiries = notes.enquiries()
        enquiries.make_round(threading.Event())
        enquiries.make_round(threading.Event())
    assert sorted(each.study_instance_uid for each in notes.noted) == ["1.2.3", "1.2.4"]
    assert notes.swept == {"PACS_WEST1": NIGHT}


def test_a_source_without_quiet_hours_is_never_swept() -> None:
    with scripted_pacs(find) as address:
        notes = Notes([address], now=NIGHT)
        notes.enquiries().make_round(threading.Event())
    assert notes.noted == []


def test_a_sweep_that_fails_is_not_noted_as_made() -> None:
    def fail(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xA700, None

    with scripted_pacs(fail, off_peak=OFF_PEAK) as address:
        notes = Notes([address], now=NIGHT)
        notes.enquiries().make_round(threading.Event())
    assert notes.swept == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pacs_that_fails_is_left_alone_and_keeps_no_other_waiting() -> None:
    with scripted_pacs(find) as address:
        dead = QueryAddress("PACS_EAST1", HOST, free_port(), "PACS")
        notes = Notes([dead, address], ["1.2.3"])
        enquiries = notes.enquiries()
        enquiries.make_round(threading.Event())
        enquiries.make_round(threading.Event())
    assert notes.asked == ["PACS_EAST1", "PACS_WEST1", "PACS_WEST1"]
    assert len(notes.noted) == 2


def test_an_answer_that_cannot_be_kept_keeps_no_other_source_waiting() -> None:
    with scripted_pacs(find) as address:
        notes = Notes([replace(address, source="PACS_EAST1"), address], ["1.2.3"])
        enquiries = notes.enquiries()
        keep = notes.noted.append

        def fail_for_one(study: StudyAtSource) -> None:
            if study.ae_title == "PACS_EAST1":
                raise ConnectionError
            keep(study)

        enquiries._questions = replace(enquiries._questions, note_study_at_source=fail_for_one)
        enquiries.make_round(threading.Event())
    assert [each.ae_title for each in notes.noted] == ["PACS_WEST1"]


def test_the_loop_ends_when_told() -> None:
    stop = threading.Event()
    notes = Notes([])
    thread = threading.Thread(target=lambda: notes.enquiries().run(stop, every_seconds=60))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_the_rest_doubles_up_to_an_hour() -> None:
    assert [rest_seconds(failures) for failures in (1, 2, 3, 7, 500)] == [60, 120, 240, 3600, 3600]
