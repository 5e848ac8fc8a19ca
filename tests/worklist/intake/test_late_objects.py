"""Objects that come late, again or from several writers at once: people are told once, and nobody waits for ever."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import patient_called, received, sender
from tests.conftest import Database
from worklist.intake.objects import Arrival, Fate, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import ReceivedObject

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def test_late_images_alert_once_for_each_and_their_replay_never_opens_it_again(network: Database) -> None:
    _take(network, received())
    _do(network, "UPDATE item SET state = 'verified'")
    late = [received(number=number) for number in (2, 3, 4)]
    _take(network, *late)
    assert _open(network) == [("late-images", 3)]
    _do(network, "UPDATE worklist_exception SET closed_at = radpool_now(), closed_by = 'person:test'")
    _take(network, *late, received())
    assert _open(network) == []
    _take(network, received(number=5))
    assert _open(network) == [("late-images", 1)]


def test_images_of_a_cancelled_order_count_alike_in_one_batch_and_in_many(network: Database) -> None:
    _take(network, received())
    _do(network, "UPDATE item SET state = 'cancelled'")
    _take(network, received(number=2))
    _take(network, received(number=3), received(number=4))
    assert _open(network) == [("images-of-cancelled-order", 3)]


def test_a_contradiction_that_a_person_closed_is_opened_again_by_a_new_value_alone(network: Database) -> None:
    oak = patient_called("Oak")
    elm, ash = replace(oak, family_name="Elm"), replace(oak, family_name="Ash")
    _take(network, received(patient=oak), received(number=2, patient=elm))
    assert _open(network) == [("contradictory-header", 1)]
    _do(network, "UPDATE worklist_exception SET closed_at = radpool_now(), closed_by = 'person:test'")
    _take(network, received(number=3, patient=elm), received(number=4, patient=oak))
    assert _open(network) == []
    _take(network, received(number=5, patient=ash))
    assert _open(network) == [("contradictory-header", 1)]


def test_an_object_that_comes_again_with_another_header_states_both_and_is_counted_once(network: Database) -> None:
    oak = patient_called("Oak")
    _take(network, received(patient=oak))
    [fate] = _take(network, received(patient=replace(oak, family_name="Elm")))
    assert fate is Fate.KNOWN
    assert _open(network) == [("contradictory-header", 1)]
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT instance_count FROM study")) == 1
        assert connection.scalar(text("SELECT instance_count FROM series")) == 1
        assert list(connection.scalars(text("SELECT objects FROM header_statement"))) == [1, 1]


def test_secondary_captures_alone_make_no_work_and_are_shown_until_an_image_comes(network: Database) -> None:
    screen = replace(received(modality="CT"), sop_class_uid=_SECONDARY_CAPTURE)
    _take(network, screen)
    assert _open(network) == [("study-without-images", 1)]
    assert _number(network, "SELECT count(*) FROM item") == 0
    _take(network, received(number=2, series=2))
    assert _open(network) == []
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT modalities FROM study")) == ["DX"]


@pytest.mark.parametrize(("sop_class", "modalities", "told"), [("2", ["CT"], []), ("30", [], ["missing-modality"])])
def test_an_image_without_modality_makes_work_of_its_class_s_modality_or_is_put_before_a_person(
    network: Database, sop_class: str, modalities: list[str], told: list[str]
) -> None:
    _take(network, replace(received(), modality=None, sop_class_uid=f"1.2.840.10008.5.1.4.1.1.{sop_class}"))
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT modalities FROM study")) == modalities
    assert _number(network, "SELECT count(*) FROM item") == 1
    assert [kind for kind, _ in _open(network)] == told


def test_writers_of_batches_that_share_studies_accessions_and_patients_do_not_block_each_other(
    network: Database,
) -> None:
    rounds, threads, studies = 6, 4, 5
    barrier = threading.Barrier(threads)

    def batch(thread: int, round_: int) -> list[Arrival]:
        objects = [
            received(
                f"{round_}-{study}",
                thread,
                accession=f"{round_}-{(study + thread) % 2}",
                patient=patient_called(f"P{round_}-{study % 2}"),
            )
            for study in range(studies)
        ]
        random.Random(thread).shuffle(objects)
        return [Arrival(sender(), one) for one in objects]

    def bring(thread: int) -> None:
        for round_ in range(rounds):
            barrier.wait(timeout=120)
            with network.app.begin() as connection:
                assert {one.fate for one in take_in(connection, batch(thread, round_))} == {Fate.NEW}

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(bring, range(threads)))
    assert _number(network, "SELECT count(*) FROM study") == rounds * studies
    assert _number(network, "SELECT sum(instance_count) FROM study") == rounds * studies * threads
    assert _number(network, "SELECT count(*) FROM instance") == rounds * studies * threads


def _take(database: Database, *objects: ReceivedObject) -> list[Fate]:
    with database.app.begin() as connection:
        return [one.fate for one in take_in(connection, [Arrival(Sender("PACS_A", "RXA", 0), one) for one in objects])]


def _do(database: Database, statement: str) -> None:
    with database.owner.begin() as connection:
        connection.execute(text(statement))


def _number(database: Database, query: str) -> Any:
    with database.owner.connect() as connection:
        return connection.scalar(text(query))


def _open(database: Database) -> list[tuple[str, int]]:
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, occurrences FROM worklist_exception WHERE closed_at IS NULL ORDER BY id")
        )
        return [(row.kind, row.occurrences) for row in rows]
