"""The demonstration's RIS take reports and notices of their own trust, once each, as our couriers bring them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from allocation.configuration.document import Network, Ris
from allocation.reports import ReportGiven
from cli.demonstration.home_ris import HomeRis, HomeSystems, home_systems
from cli.demonstration.network import demonstration_network
from hl7_listener.delivery.writing import Telling
from tests.allocation.claims.claiming import claimed_by, report
from tests.builders import arrive
from tests.conftest import Database
from tests.hl7_listener.delivery.telling import at_home, deliver, item_row, line_of, verify
from tests.hl7_listener.delivery.test_writing import telling, written
from worklist.home.told import Locks, Notice
from worklist.reading import ReportStatus

NETWORK = Network(
    ris=(
        Ris(trust="RXA", sending_facility="RIS_A", dialect={}),
        Ris(trust="RXB", sending_facility="RIS_B", dialect={}),
    )
)


@pytest.fixture
def homes() -> Iterator[HomeSystems]:
    with home_systems(NETWORK) as systems:
        yield systems


def test_what_our_couriers_bring_is_taken_and_stops_the_clock(network: Database, homes: HomeSystems) -> None:
    for one in homes.connected(NETWORK).ris:
        at_home(network, one.port, facility=one.sending_facility, locks=one.locks.value)
    arrive(network)
    arrive(network, trust="RXB")
    made = claimed_by(network, "hart")
    report(network, "hart", made, ReportGiven(ReportStatus.PRELIMINARY, "No fracture."))
    report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "A fracture."))
    other = verify(network)
    assert (deliver(network, "RIS_A"), deliver(network, "RIS_B")) == (3, 2)
    assert {row.state for row in line_of(network)} == {"acknowledged"}
    assert item_row(network, made.item_id).reported_source == "acknowledged"
    assert item_row(network, other).reported_source == "acknowledged"
    taken = homes.taken()
    assert (dict(taken.reports), taken.notices) == ({"P": 1, "F": 2}, 2)
    assert (dict(taken.by_trust), taken.all_reports) == ({"RXA": 2, "RXB": 1}, 3)


@pytest.fixture
def ris() -> Iterator[HomeRis]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield HomeRis("RXA", "RIS_A", listening)


def test_a_message_that_is_sent_again_counts_once(ris: HomeRis) -> None:
    for _ in range(2):
        assert b"\rMSA|AA|c0ffee\r" in ris.answer(written(telling()))
    assert ris.standings() == ["F"]


@pytest.mark.parametrize("message", [telling(facility="RIS_B"), telling(accession_number="")])
def test_what_is_another_s_or_names_no_accession_is_not_taken(ris: HomeRis, message: Telling) -> None:
    assert b"\rMSA|AR|c0ffee\r" in ris.answer(written(message))
    assert ris.standings() == []


def test_a_notice_is_counted_apart_from_reports(ris: HomeRis) -> None:
    assert b"\rMSA|AA|" in ris.answer(written(telling(Notice.LOCK_TAKEN, words=(), status=None)))
    assert ris.standings() == [""]


def test_the_demonstration_s_ris_are_told_and_keep_their_own_people_out() -> None:
    network = demonstration_network().network
    with home_systems(network) as systems:
        connected = systems.connected(network)
    assert {row.trust for row in connected.ris} == {row.ods_code for row in network.trust}
    assert all(row.host and row.port and row.locks is Locks.HONOURED for row in connected.ris)
    assert connected.model_copy(update={"ris": network.ris}) == network
