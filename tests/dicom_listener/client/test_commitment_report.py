"""The failure of a storage commitment is reported on an association of our own, a few times over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from dicom_listener.client.commitment_report import MOST_WAITING, CommitmentReports
from dicom_listener.client.query_address import QueryAddress
from dicom_listener.conformance import STORAGE_COMMITMENT_PUSH_MODEL
from dicom_listener.services.storage_commitment import Commitment
from tests.dicom_listener.client.pacs_peers import MANNERS
from tests.dicom_listener.dicom_peers import HOST
from tests.free_ports import free_port

COMMITMENT = Commitment("PACS_WEST1", "1.2.9", (("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1"),))


@contextmanager
def asking_source(statuses: list[int], reports: Queue[Dataset], port: int = 0) -> Iterator[int]:
    """Run a source that takes reports, answering with each status in turn."""

    def reported(event: evt.Event) -> tuple[int, None]:
        reports.put(event.event_information)
        return statuses.pop(0), None

    ae = AE(ae_title="PACS")
    ae.add_supported_context(STORAGE_COMMITMENT_PUSH_MODEL, scu_role=False, scp_role=True)
    server = ae.start_server((HOST, port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reported)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def sending(address: QueryAddress | None, *attempt_after: float) -> Iterator[CommitmentReports]:
    reports = CommitmentReports(lambda _: address, MANNERS, attempt_after_seconds=attempt_after)
    stop = threading.Event()
    thread = threading.Thread(target=reports.run, args=(stop,))
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def address(port: int) -> QueryAddress:
    return QueryAddress("PACS_WEST1", HOST, port, "PACS")


def test_a_report_names_the_objects_and_why() -> None:
    told: Queue[Dataset] = Queue()
    with asking_source([0], told) as port, sending(address(port), 0.0) as reports:
        assert reports.deliver(COMMITMENT)
        information = told.get(timeout=10)
    assert information.TransactionUID == "1.2.9"
    assert [(each.ReferencedSOPInstanceUID, each.FailureReason) for each in information.FailedSOPSequence] == [
        ("1.2.3.1", 0x0112)
    ]


def test_a_report_that_is_refused_is_sent_again() -> None:
    told: Queue[Dataset] = Queue()
    with asking_source([0x0110, 0], told) as port, sending(address(port), 0.0, 0.0, 0.0) as reports:
        assert reports.deliver(COMMITMENT)
        assert [told.get(timeout=10).TransactionUID for _ in range(2)] == ["1.2.9"] * 2
    assert told.empty()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_source_that_is_never_there_is_given_up_and_its_place_is_free_again(caplog: Any) -> None:
    with sending(address(free_port()), 0.0, 0.0) as reports:
        assert reports.deliver(COMMITMENT)
        for _ in range(100):
            if "storage commitment not reported" in caplog.text:
                break
            threading.Event().wait(0.1)
        else:
            raise AssertionError("it was not given up")
        assert reports._free_places._value == MOST_WAITING


def test_a_source_without_an_address_is_left_to_its_own_association() -> None:
    assert not CommitmentReports(lambda _: None, MANNERS).deliver(COMMITMENT)


def test_no_more_than_a_bound_may_wait() -> None:
    reports = CommitmentReports(lambda _: address(1), MANNERS)
    assert [reports.deliver(COMMITMENT) for _ in range(MOST_WAITING + 1)] == [True] * MOST_WAITING + [False]
