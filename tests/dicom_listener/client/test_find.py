"""A PACS is asked about studies, and no answer of it is believed or kept beyond bounds."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_listener.client.association import Unreachable, WhyNot
from dicom_listener.client.echo import why_no_echo
from dicom_listener.client.find import QueryFailed, ask_priors, ask_study, asking, sweep
from dicom_listener.client.query_address import QueryAddress
from tests.dicom_listener.client.pacs_peers import MANNERS, archived, dcmqrscp, scripted_pacs
from tests.dicom_listener.dicom_peers import HOST, running_listener
from tests.free_ports import free_port
from worklist.intake.study import StudyAtSource

STUDY = "1.2.826.0.1.3680043.8.498.7"
Answers = Iterator[tuple[int, Dataset | None]]


def answer(**values: Any) -> Dataset:
    data_set = Dataset()
    for keyword, value in {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY, **values}.items():
        if isinstance(value, bytes):
            tag, text = tag_for_keyword(keyword), value.decode()
            assert tag is not None
            data_set.add(DataElement(tag, dictionary_VR(tag), text, validation_mode=IGNORE))
        else:
            setattr(data_set, keyword, value)
    return data_set


def test_dcmtk_s_archive_tells_what_it_holds_of_a_study(tmp_path: Path) -> None:
    held = [archived(7, number=number) for number in (1, 2, 3)]
    with dcmqrscp(tmp_path, *held, archived(8)) as address, asking(address, MANNERS) as pacs:
        found = ask_study(pacs, STUDY)
        unknown = ask_study(pacs, "1.2.3.4")
    assert unknown is None
    assert found is not None
    assert replace(found, modalities=(), instances=None, series=None) == StudyAtSource(
        "PACS_WEST1", STUDY, "A0007", "P0007", date(2024, 1, 5), description="CT Head"
    )
    assert found.instances in {3, None}  # dcmqrscp may leave counts out


def test_dcmtk_s_archive_tells_a_patient_s_studies_and_those_of_a_day(tmp_path: Path) -> None:
    held = [archived(7), archived(8), archived(9, StudyDate="20240106")]
    with dcmqrscp(tmp_path, *held) as address, asking(address, MANNERS) as pacs:
        priors = ask_priors(pacs, "P0008").studies
        swept = list(sweep(pacs, date(2024, 1, 5), date(2024, 1, 5)))
    assert [each.accession_number for each in priors] == ["A0008"]
    assert sorted(each.accession_number or "" for each in swept) == ["A0007", "A0008"]


def test_an_echo_is_answered_by_ourselves() -> None:
    with running_listener() as listener:
        assert why_no_echo(QueryAddress("PACS_WEST1", HOST, listener.port, "RADPOOL"), MANNERS) is None


# pynetdicom leaves the socket of a refused connection to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there_answers_no_echo_and_can_be_asked_nothing() -> None:
    address = QueryAddress("PACS_WEST1", HOST, free_port(), "PACS")
    assert why_no_echo(address, MANNERS) is WhyNot.NO_CONNECTION
    with pytest.raises(Unreachable), asking(address, MANNERS):
        pass


def test_a_pacs_that_offers_no_query_is_unreachable_for_it() -> None:
    with running_listener() as listener:
        address = QueryAddress("PACS_WEST1", HOST, listener.port, "RADPOOL")
        with pytest.raises(Unreachable), asking(address, MANNERS):
            pass


def test_tls_that_is_asked_for_is_never_left_out() -> None:
    address = QueryAddress("PACS_WEST1", HOST, free_port(), "PACS", tls=True)
    with pytest.raises(Unreachable), asking(address, MANNERS):
        pass


def test_counts_modalities_and_names_in_the_answer_s_character_set_are_read() -> None:
    def find(event: evt.Event) -> Answers:
        yield (
            0xFF00,
            answer(
                SpecificCharacterSet="ISO_IR 192",
                StudyDescription="CT Schädel",
                ModalitiesInStudy=["CT", "SR"],
                NumberOfStudyRelatedInstances=1203,
                NumberOfStudyRelatedSeries="4",
            ),
        )

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        assert ask_study(pacs, STUDY) == StudyAtSource(
            "PACS_WEST1", STUDY, modalities=("CT", "SR"), description="CT Schädel", instances=1203, series=4
        )


def test_values_that_cannot_be_read_are_left_out() -> None:
    def find(event: evt.Event) -> Answers:
        yield (
            0xFF00,
            answer(
                AccessionNumber=b"7" * 300,
                StudyDescription=b"CT\x07",
                StudyDate=b"today ",
                NumberOfStudyRelatedInstances=b"-1",
                NumberOfStudyRelatedSeries=b"9" * 12,
                PatientID="P1",
            ),
        )

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        assert ask_study(pacs, STUDY) == StudyAtSource("PACS_WEST1", STUDY, patient_identifier="P1")


@pytest.mark.parametrize("uid", [b"1.2.3\0", b"", b"<script>"])
def test_an_answer_that_does_not_fit_the_question_is_none(uid: bytes) -> None:
    def find(event: evt.Event) -> Answers:
        yield 0xFF00, answer(StudyInstanceUID=uid, PatientID="P2")

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        assert ask_study(pacs, STUDY) is None
        assert ask_priors(pacs, "P1").studies == ()


@pytest.mark.parametrize("identifier", ["", "*", "P?", "P1\\P2"])
def test_an_identifier_that_would_match_others_is_not_asked_about(identifier: str) -> None:
    asked = []

    def find(event: evt.Event) -> Answers:
        asked.append(event.identifier)
        yield 0xFF00, answer(PatientID="P1")

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        assert ask_priors(pacs, identifier).studies == ()
    assert asked == []


def test_a_number_of_another_issuer_is_somebody_else() -> None:
    def find(event: evt.Event) -> Answers:
        for number, issuer in enumerate(("RXA", "RXB", "", None)):
            values = {} if issuer is None else {"IssuerOfPatientID": issuer}
            yield 0xFF00, answer(StudyInstanceUID=f"1.2.3.{number}", PatientID="P1", **values)

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        found = [each.study_instance_uid for each in ask_priors(pacs, "P1", "RXA").studies]
        any_issuer = ask_priors(pacs, "P1").studies
    assert found == ["1.2.3.0", "1.2.3.2", "1.2.3.3"]
    assert len(any_issuer) == 4


def test_beyond_the_bound_the_pacs_is_told_to_stop_and_can_be_asked_again() -> None:
    sent = []

    def find(event: evt.Event) -> Answers:
        for number in range(100_000):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            sent.append(number)
            yield 0xFF00, answer(StudyInstanceUID=f"1.2.3.{number}", PatientID="P1")
            time.sleep(0.001)

    manners = replace(MANNERS, max_answers=20)
    with scripted_pacs(find) as address, asking(address, manners) as pacs:
        found = ask_priors(pacs, "P1")
        assert (len(found.studies), found.whole) == (20, False)
        assert len(sent) < 300
        assert len(ask_priors(pacs, "P1").studies) == 20


def test_a_pacs_that_does_not_stop_is_left() -> None:
    def find(event: evt.Event) -> Answers:
        while event.assoc.is_established:
            yield 0xFF00, answer(PatientID="P1")

    manners = replace(MANNERS, max_answers=20)
    with scripted_pacs(find) as address, pytest.raises(QueryFailed), asking(address, manners) as pacs:
        ask_priors(pacs, "P1")


def test_an_association_that_brings_too_much_is_cut() -> None:
    def find(event: evt.Event) -> Answers:
        while event.assoc.is_established:
            yield 0xFF00, answer(PatientID="P1", StudyComments="x" * 10_000)

    manners = replace(MANNERS, max_bytes=1_000_000)
    with scripted_pacs(find) as address, pytest.raises(QueryFailed), asking(address, manners) as pacs:
        ask_priors(pacs, "P1")


def test_a_day_with_more_studies_than_may_be_answered_is_asked_in_parts() -> None:
    hours = [f"{hour:02}{minute:02}00" for hour in range(24) for minute in (0, 30)]

    def find(event: evt.Event) -> Answers:
        times = event.identifier.StudyTime or "000000-235959"
        first, last = times.split("-")
        for number, clock in enumerate(hours):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            if first <= clock <= last:
                yield 0xFF00, answer(StudyInstanceUID=f"1.2.3.{number}")

    manners = replace(MANNERS, max_answers=10)
    with scripted_pacs(find) as address, asking(address, manners) as pacs:
        studies = list(sweep(pacs, date(2024, 1, 5), date(2024, 1, 5)))
    assert sorted(each.study_instance_uid for each in studies) == sorted(f"1.2.3.{number}" for number in range(48))


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0x0122])
def test_a_failure_status_is_told(status: int) -> None:
    def find(event: evt.Event) -> Answers:
        yield status, None

    with scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        with pytest.raises(QueryFailed) as failed:
            ask_study(pacs, STUDY)
        assert failed.value.status == status


def test_a_pause_lies_between_two_questions() -> None:
    asked = []

    def find(event: evt.Event) -> Answers:
        asked.append(time.monotonic())
        yield 0x0000, None

    with scripted_pacs(find) as address, asking(address, replace(MANNERS, pause_seconds=0.3)) as pacs:
        ask_study(pacs, STUDY)
        ask_study(pacs, STUDY)
    assert asked[1] - asked[0] >= 0.3


def test_one_association_at_a_time_is_held() -> None:
    held = []
    most = []

    def find(event: evt.Event) -> Answers:
        held.append(1)
        most.append(len(held))
        time.sleep(0.1)
        held.pop()
        yield 0x0000, None

    with scripted_pacs(find) as address:

        def ask() -> None:
            with asking(address, MANNERS) as pacs:
                ask_study(pacs, STUDY)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert most == [1] * 4


def test_nothing_of_a_patient_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    def find(event: evt.Event) -> Answers:
        yield 0xFF00, answer(PatientID="P0815", AccessionNumber="A4711")

    with caplog.at_level(logging.DEBUG), scripted_pacs(find) as address, asking(address, MANNERS) as pacs:
        assert len(ask_priors(pacs, "P0815").studies) == 1
    assert "P0815" not in caplog.text
    assert "A4711" not in caplog.text


@pytest.mark.parametrize(
    "octets",
    [b"", struct.pack(">BxL", 0x02, 0x7FFFFFFF), struct.pack(">BxL", 0x02, 1000) + b"\0" * 10],
    ids=["silence", "2 GiB", "half a PDU"],
)
def test_a_peer_that_keeps_us_waiting_is_left_in_time(octets: bytes) -> None:
    threads = set(threading.enumerate())
    with socket.create_server((HOST, 0)) as server:
        taken: list[socket.socket] = []

        def serve() -> None:
            connection, _ = server.accept()
            taken.append(connection)
            connection.sendall(octets)

        thread = threading.Thread(target=serve)
        thread.start()
        before = time.monotonic()
        address = QueryAddress("PACS_WEST1", HOST, server.getsockname()[1], "PACS")
        with pytest.raises(Unreachable), asking(address, replace(MANNERS, answer_seconds=0.5)):
            pass
        assert time.monotonic() - before < 5
        thread.join(5)
        taken[0].close()
    until = time.monotonic() + 5
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == set()
