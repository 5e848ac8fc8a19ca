"""Objects are counted exactly, however often, in whatever order and by however many associations they come."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import patient_called, received, sender, uid
from tests.conftest import NOW, Database
from worklist.intake.objects import Arrival, Fate, Outcome, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import ReceivedObject


def test_an_object_is_new_once(network: Database) -> None:
    assert [_receive(network, received()).fate for _ in range(3)] == [Fate.NEW, Fate.KNOWN, Fate.KNOWN]
    assert _counts(network) == (1, 1, 1)


def test_counts_are_of_distinct_objects_and_series(network: Database) -> None:
    for series, number in ((1, 1), (1, 2), (2, 1), (1, 1), (2, 1)):
        _receive(network, received(number=number, series=series))
    assert _counts(network) == (1, 2, 3)


def test_the_same_object_again_changes_nothing_and_tells_nobody(network: Database) -> None:
    _receive(network, received())
    before = _everything(network)
    _receive(network, received())
    assert _everything(network) == before


def test_objects_shuffled_and_sent_three_times_leave_the_same_state_as_once_in_order(network: Database) -> None:
    def of(study: str) -> list[ReceivedObject]:
        return [
            received(
                study,
                number,
                series=series,
                accession=study,
                modality="DX",
                exam=("XHANL", "XKNEL")[number % 2],
                service=("Ward 4", "General Practice")[series % 2],
                ended_at=NOW - timedelta(minutes=10 * number + series),
            )
            for series in (1, 2, 3)
            for number in (1, 2, 3, 4)
        ]

    for one in of("in order"):
        _receive(network, one)
    shuffled = of("shuffled") * 3
    random.Random(20260610).shuffle(shuffled)
    for one in shuffled:
        _receive(network, one)
    with network.owner.connect() as connection:
        states = connection.execute(
            text(
                "SELECT modalities, series_count, instance_count, facts, acquisition_ended_at, acquisition_ended_source"
                " FROM study ORDER BY id"
            )
        ).all()
    assert states[0] == states[1]
    assert states[0].instance_count == 12


def test_a_study_makes_one_item_and_two_studies_of_one_accession_share_it(network: Database) -> None:
    for study in ("one", "two"):
        for number in (1, 2):
            _receive(network, received(study, number, accession="SAME"))
    assert _count(network, "item") == 1
    assert _count(network, "item_study") == 2


def test_studies_without_accession_number_are_items_of_their_own_with_a_doubt(network: Database) -> None:
    for study in ("one", "two"):
        _receive(network, received(study, accession=None))
    assert _count(network, "item") == 2
    assert _doubts(network) == ["missing-accession-number", "missing-accession-number"]


def test_a_report_object_alone_makes_no_item(network: Database) -> None:
    _receive(network, received(modality="SR"))
    assert _counts(network) == (1, 1, 1)
    assert _count(network, "item") == 0


def test_the_latest_end_of_acquisition_counts(network: Database) -> None:
    for minutes in (30, 10, 20):
        _receive(network, received(number=minutes, ended_at=NOW - timedelta(minutes=minutes)))
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT acquisition_ended_at FROM study")) == NOW - timedelta(minutes=10)


@pytest.mark.parametrize("seconds", [0.25, 90, 0.000001])
def test_the_quiet_period_is_kept_to_the_microsecond(network: Database, seconds: float) -> None:
    with network.app.begin() as connection:
        take_in(connection, [Arrival(Sender("PACS_A", "RXA", seconds), received())])
        waits = connection.scalar(text("SELECT extract(epoch FROM quiet_until - last_received_at) FROM study"))
    assert float(waits or 0) == pytest.approx(seconds, abs=1e-9)


def test_two_trusts_may_use_the_same_accession_number(network: Database) -> None:
    _receive(network, received("one", accession="SAME"))
    _receive(network, received("two", accession="SAME"), trust="RXB")
    assert _count(network, "item") == 2


def test_uids_are_kept_as_digests_only_but_for_the_study_s(network: Database) -> None:
    _receive(network, received("study", 1, series=1))
    with network.owner.connect() as connection:
        rows = [dict(row._mapping) for table in ("series", "instance") for row in connection.execute(_all(table))]
    assert uid("study", 1) not in str(rows)
    assert uid("study", 1, 1) not in str(rows)


@pytest.mark.parametrize("same", ["object", "study", "accession", "patient"])
def test_two_associations_that_bring_the_first_object_at_once_make_no_double(network: Database, same: str) -> None:
    def of(thread: int, round_: int) -> ReceivedObject:
        here = f"{round_}-{thread}"
        return received(
            study=f"{round_}" if same in ("object", "study") else here,
            number=1 if same == "object" else thread,
            accession=here if same == "patient" else f"{round_}",
            patient=patient_called(f"P{round_}"),
        )

    rounds, threads = 12, 4
    barrier = threading.Barrier(threads)

    def bring(thread: int) -> None:
        for round_ in range(rounds):
            barrier.wait(timeout=60)
            _receive(network, of(thread, round_))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(bring, range(threads)))
    per_round = {
        "object": {"patient": 1, "study": 1, "instance": 1, "item": 1},
        "study": {"patient": 1, "study": 1, "instance": threads, "item": 1},
        "accession": {"patient": 1, "study": threads, "instance": threads, "item": 1},
        "patient": {"patient": 1, "study": threads, "instance": threads, "item": threads},
    }[same]
    assert {table: _count(network, table) for table in per_round} == {t: n * rounds for t, n in per_round.items()}
    with network.owner.connect() as connection:
        stated = connection.scalar(text("SELECT sum(instance_count) FROM study"))
    assert stated == per_round["instance"] * rounds


def _receive(database: Database, one: ReceivedObject, *, trust: str = "RXA") -> Outcome:
    with database.app.begin() as connection:
        [outcome] = take_in(connection, [Arrival(sender(trust), one)])
        return outcome


def _counts(database: Database) -> tuple[int, int, int]:
    with database.owner.connect() as connection:
        row = connection.execute(text("SELECT count(*), sum(series_count), sum(instance_count) FROM study")).one()
        assert row[2] == _count(database, "instance")
        return row[0], row[1], row[2]


def _count(database: Database, table: str) -> int:
    with database.owner.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def _doubts(database: Database) -> list[str]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM worklist_exception ORDER BY id")))


def _everything(database: Database) -> dict[str, list[Any]]:
    tables = ("patient", "study", "series", "instance", "item", "item_study", "worklist_exception", "event")
    with database.owner.connect() as connection:
        return {table: sorted(map(repr, connection.execute(_all(table)))) for table in tables}


def _all(table: str) -> Any:
    return text(f"SELECT * FROM {table}")
