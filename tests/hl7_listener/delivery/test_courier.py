"""A home RIS over a real socket takes our messages: once, in order, and after it was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from allocation.reports import ReportGiven
from hl7_listener.delivery.courier import Patience, Post
from hl7_listener.delivery.line import line_up_again
from hl7_listener.delivery.writing import Telling, write
from tests.allocation.claims.claiming import claimed_by, report
from tests.builders import arrive, patient_called
from tests.conftest import Database
from tests.free_ports import free_port
from tests.hl7_listener.delivery.home_ris import answer, control_id_of, home_ris
from tests.hl7_listener.delivery.telling import (
    at_home,
    courier_of,
    deliver,
    item_row,
    line_of,
    open_exceptions,
    put_in_line,
    verify,
)
from worklist.discrepancies import state_discrepancy
from worklist.log.sequencer import sequence
from worklist.reading import Discrepancy, ReportStatus

PATIENT = patient_called("Okafor")


def test_a_report_reaches_its_ris_with_its_patient_its_accession_and_its_words(network: Database) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        arrive(network, accession="000123", patient=PATIENT)
        item_id = verify(network, "No fracture.", alerts=("critical",))
        assert deliver(network) == 1
    [message] = ris.taken
    by_name = {segment[0]: segment for segment in message}
    assert by_name["MSH"][8] == "ORU^R01"
    assert by_name["PID"][3] == "P-Okafor^^^TEST^PI"
    assert by_name["PID"][5] == "Okafor^Sam"
    assert by_name["ORC"][3] == "000123"
    assert by_name["OBR"][4].startswith("XHANL^")
    assert by_name["OBR"][32] == f"{_registration_of(network, 'hart')}&{_name_of(network, 'hart')}"
    assert [segment[5] for segment in message if segment[0] == "OBX"] == ["No fracture.", "critical^critical^RADPOOL"]
    assert item_row(network, item_id).reported_source == "acknowledged"


def test_a_preliminary_report_goes_out_at_once_marked_and_its_check_says_that_it_changed(network: Database) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        item_id = arrive(network)
        report(network, "tran", claimed_by(network, "tran"), ReportGiven(ReportStatus.PRELIMINARY, "No fracture."))
        assert deliver(network) == 1
        assert item_row(network, item_id).reported_at is None
        changed = ReportGiven(ReportStatus.VERIFIED, "A fracture.", discrepancy=Discrepancy.MATERIAL)
        report(network, "reed", claimed_by(network, "reed"), changed)
        assert deliver(network) == 1
    first, second = ([one for one in message if one[0] in ("OBR", "OBX")] for message in ris.taken)
    assert [(one[5], one[11]) for one in first[1:]] == [("No fracture.", "P")]
    assert first[0][25] == "P"
    assert [one[5].split("^")[0] for one in second[1:]] == ["A fracture.", "material-change"]
    assert second[0][25] == "F"
    assert item_row(network, item_id).reported_source == "acknowledged"


@pytest.mark.parametrize(("words", "message"), [("A fracture.", "ORU^R01"), (None, "ORM^O01")])
def test_a_change_that_is_stated_after_the_report_goes_out_with_it_again(
    network: Database, words: str | None, message: str
) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        item_id = arrive(network)
        report(network, "tran", claimed_by(network, "tran"), ReportGiven(ReportStatus.PRELIMINARY, "No fracture."))
        report(network, "reed", claimed_by(network, "reed"), ReportGiven(ReportStatus.VERIFIED, words))
        deliver(network)
        with network.app.begin() as connection:
            state_discrepancy(connection, "lead", item_id, Discrepancy.MATERIAL)
        assert deliver(network) == 1
    last = ris.taken[-1]
    assert last[0][8] == message
    assert [one[5].split("^")[0] for one in last if one[0] == "OBX"][-1] == "material-change"


def test_an_addendum_follows_its_report_and_comes_with_it(network: Database) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "Clear."))
        report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "But small."))
        assert deliver(network) == 2
    assert [[one[5] for one in message if one[0] == "OBX"] for message in ris.taken] == [
        ["Clear."],
        ["Clear.", "But small."],
    ]


@pytest.mark.parametrize("words", ["Clear.", None], ids=["deleted here", "written at home"])
def test_an_addendum_to_words_that_are_not_here_is_for_a_person_as_it_would_take_their_place(
    network: Database, words: str | None
) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, words))
        assert deliver(network) == 1
        with network.owner.begin() as connection:
            connection.execute(text("DELETE FROM report_text"))
        report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "But small."))
        assert deliver(network) == 0
    [_, addendum] = line_of(network)
    assert addendum.state == "dead"
    assert addendum.last_answer == "the words that it adds to are not here: add it in the RIS by hand"
    assert "report-undelivered" in open_exceptions(network)


def test_what_the_ris_did_not_answer_is_sent_again_under_the_same_control_id(network: Database) -> None:
    silent = iter([True, False])
    with home_ris(lambda message: None if next(silent) else answer("AA", message)) as ris:
        at_home(network, ris.port)
        arrive(network)
        verify(network)
        assert deliver(network) == 0
        assert line_of(network)[0].last_answer == "no answer"
        _make_due(network)
        assert deliver(network) == 1
    assert len({control_id_of(message) for message in ris.heard}) == 1
    assert len(ris.heard) == 2


def test_an_answer_to_another_message_is_not_taken_for_ours(network: Database) -> None:
    with home_ris(lambda message: answer("AA", message).replace(control_id_of(message), "other")) as ris:
        at_home(network, ris.port)
        arrive(network)
        verify(network)
        assert deliver(network) == 0
    assert line_of(network)[0].state == "waiting"


def test_a_ris_that_is_away_takes_nothing_out_of_the_line(network: Database) -> None:
    at_home(network, free_port())
    arrive(network)
    verify(network)
    put_in_line(network)
    with pytest.raises(ConnectionRefusedError):
        courier_of(network).deliver()
    assert (line_of(network)[0].state, line_of(network)[0].attempts) == ("waiting", 0)


def test_a_report_without_an_accession_number_is_for_a_person_and_goes_out_when_it_has_one(network: Database) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        item_id = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE order_identity SET accession_number = NULL"))
        verify(network)
        assert deliver(network) == 0
        assert (line_of(network)[0].state, open_exceptions(network)) == ("dead", ["report-undelivered"])
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE order_identity SET accession_number = '000123'"))
        with network.app.begin() as connection:
            line_up_again(connection, line_of(network)[0].id, by="pat")
        assert deliver(network) == 1
    assert item_row(network, item_id).reported_source == "acknowledged"


def test_a_message_that_cannot_be_written_is_for_a_person_and_stops_nothing_behind_it(
    network: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[str] = []

    def fails_once(telling: Telling, *how: object) -> bytes:
        if not first:
            first.append(telling.control_id)
            raise ValueError("no such field")
        return write(telling, *how)  # type: ignore[arg-type]

    monkeypatch.setattr("hl7_listener.delivery.courier.write", fails_once)
    with home_ris() as ris:
        at_home(network, ris.port)
        for _ in range(2):
            arrive(network)
            verify(network)
        assert deliver(network) == 1
    assert [row.state for row in line_of(network)] == ["dead", "acknowledged"]
    assert line_of(network)[0].last_answer == "it cannot be written (ValueError)"
    assert open_exceptions(network) == ["report-undelivered"]


def test_every_read_for_a_message_and_every_acknowledgement_is_in_the_audit(network: Database) -> None:
    with home_ris() as ris:
        at_home(network, ris.port)
        arrive(network)
        item_id = verify(network)
        deliver(network)
    with network.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT actor, action FROM audit.entry WHERE :item = ANY(items) ORDER BY at"), {"item": item_id}
        ).all()
    assert [tuple(row) for row in rows][-2:] == [
        ("ris:RIS_A", "report read to be sent"),
        ("ris:RIS_A", "report acknowledged"),
    ]


class TestPost:
    """The couriers of all RIS, in their threads."""

    def test_a_ris_that_is_away_stops_no_other_and_gets_its_messages_when_it_is_back(self, network: Database) -> None:
        port = free_port()
        at_home(network, port)
        with home_ris() as other:
            at_home(network, other.port, facility="RIS_B")
            with _posting(network):
                arrive(network, trust="RXA")
                arrive(network, trust="RXB")
                verify(network)
                verify(network)
                _wait(lambda: len(other.taken) == 1)
                with home_ris(port=port) as ris:
                    _wait(lambda: len(ris.taken) == 1)
        assert [row.state for row in line_of(network)] == ["acknowledged", "acknowledged"]
        assert {control_id_of(one) for one in (*ris.taken, *other.taken)} == {
            row.control_id for row in line_of(network)
        }

    def test_a_ris_that_moves_is_found_where_it_is_now(self, network: Database) -> None:
        at_home(network, free_port())
        with home_ris() as ris, _posting(network) as post:
            arrive(network)
            verify(network)
            at_home(network, ris.port)
            post.refresh()
            _wait(lambda: len(ris.taken) == 1)
        assert [control_id_of(one) for one in ris.taken] == [row.control_id for row in line_of(network)]

    def test_a_ris_killed_between_taking_and_answering_has_each_message_once_by_its_control_id(
        self, network: Database
    ) -> None:
        port = free_port()
        at_home(network, port)
        ids: set[str] = set()
        with _posting(network):
            for number in range(6):
                with home_ris(port=port) as ris:
                    arrive(network)
                    verify(network)
                    _wait(lambda ris=ris: len(ris.heard) >= 1)  # type: ignore[misc]
                ids |= {control_id_of(message) for message in ris.taken}
                assert len(ids) >= number
            with home_ris(port=port) as ris:
                _wait(lambda: all(row.state == "acknowledged" for row in line_of(network)))
                ids |= {control_id_of(message) for message in ris.taken}
        assert ids == {row.control_id for row in line_of(network)}
        assert len(ids) == 6


def _registration_of(database: Database, code: str) -> str:
    with database.owner.connect() as connection:
        return str(
            connection.scalar(
                text("SELECT number FROM registration g JOIN reporter r ON r.id = g.reporter_id WHERE code = :code"),
                {"code": code},
            )
        )


def _name_of(database: Database, code: str) -> str:
    with database.owner.connect() as connection:
        return str(connection.scalar(text("SELECT name FROM reporter WHERE code = :code"), {"code": code}))


@contextmanager
def _posting(database: Database) -> Iterator[Post]:
    stop = threading.Event()
    post = Post(database.app, Patience(connect=1.0, answer=2.0, lease=1.0, away=0.2), stop)

    def run() -> None:
        while not stop.is_set():
            sequence(database.app)
            post.step()
            stop.wait(0.02)

    post.refresh()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield post
    finally:
        stop.set()
        thread.join()
        post.end()


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def _make_due(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE delivery SET next_attempt_at = radpool_now() WHERE state = 'waiting'"))
