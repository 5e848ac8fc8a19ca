"""The post is killed at any moment, and each event comes again: by MSH-10 every message reaches its RIS once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.builders import arrive
from tests.conftest import Database
from tests.hl7_listener.delivery.home_ris import control_id_of, home_ris
from tests.hl7_listener.delivery.telling import at_home, line_of, verify

SEED = 20260610


@pytest.mark.parametrize(("reports", "kills"), [(12, 8), pytest.param(300, 300, marks=pytest.mark.proof)])
def test_a_post_that_is_killed_brings_every_message_once_by_its_control_id(
    network: Database, reports: int, kills: int
) -> None:
    chance = random.Random(SEED)
    for number in range(reports):
        arrive(network, accession=f"A{number:04d}")
        verify(network, f"Report {number}.")
    with home_ris() as ris:
        at_home(network, ris.port, locks="honoured")
        for _ in range(kills):
            _kill_after(network, chance.uniform(0, 0.4))
            if chance.random() < 0.3:
                _let_events_come_again(network)
        _until_all_is_taken(network)
        _let_events_come_again(network)
        _until_all_is_taken(network)
    told = defaultdict(set)
    for message in ris.taken:
        told[control_id_of(message)].add(repr(message))
    line = line_of(network)
    print(f"seed={SEED} kills={kills}: {len(ris.heard)} messages heard of {len(line)}")
    assert set(told) == {one.control_id for one in line}
    assert [len(said) for said in told.values()] == [1] * len(line)  # a message that is sent again says the same
    assert len([one for one in line if one.notice == "report"]) == reports
    assert {one.state for one in line} == {"acknowledged"}
    assert network.count("SELECT count(*) FROM parked_event") == 0  # an event that comes again is nothing wrong


def _kill_after(database: Database, seconds: float, is_done: Callable[[], bool] = lambda: False) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hl7_listener.delivery.post_process", database.app_url],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        until = time.monotonic() + seconds
        while not is_done() and (left := until - time.monotonic()) > 0:
            time.sleep(min(0.1, left))
        process.send_signal(signal.SIGKILL)
    _leases_run_out(database)


def _leases_run_out(database: Database) -> None:
    """Let what a dead post had taken out of the line come back."""
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + :by"), {"by": timedelta(minutes=2)})


def _let_events_come_again(database: Database) -> None:
    """Have the consumer read its events once more, as after a restored backup."""
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE consumer_checkpoint SET position = 0 WHERE consumer = 'delivery'"))


def _until_all_is_taken(database: Database) -> None:
    for _ in range(60):
        _kill_after(database, 5.0, is_done=lambda: _is_all_taken(database))
        if _is_all_taken(database):
            return
    raise AssertionError([one.state for one in line_of(database)])


def _is_all_taken(database: Database) -> bool:
    line = line_of(database)
    return _are_all_read(database) and bool(line) and all(one.state == "acknowledged" for one in line)


def _are_all_read(database: Database) -> bool:
    return not database.count(
        "SELECT (SELECT max(position) FROM event_position)"
        " - (SELECT position FROM consumer_checkpoint WHERE consumer = 'delivery')"
    )
