"""Performs a demonstration on a server that is ready: a day is worked and told, and held to what was expected of it.

It must not start or end the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from cli.demonstration.api_client import api_client
from cli.demonstration.figures import Figures, read_figures, wait_for_pay
from cli.demonstration.home_ris import HomeSystems, Taken, home_systems
from cli.demonstration.network import demonstration_network
from cli.demonstration.script import FINANCE, MANAGER, Play, Played, choose_day
from cli.demonstration.server import DemoServer
from cli.demonstration.stage import open_stage
from cli.demonstration.summary import tell_summary
from cli.demonstration.telling import Teller


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of it: the agreed figures, what was not as expected, tokens by user, the server's time (aware)."""

    result: dict[str, int]
    faults: tuple[str, ...]
    tokens: Mapping[str, str]
    at: datetime


@contextmanager
def performing(tell: Teller, server: DemoServer, count: int, seed: int) -> Iterator[Performed]:
    """Import the network, let a day be worked with `count` studies, and tell it; its RIS stay until the block ends."""
    with home_systems(demonstration_network().network) as homes:
        yield _perform(tell, server, homes, count, seed)


def _perform(tell: Teller, server: DemoServer, homes: HomeSystems, count: int, seed: int) -> Performed:
    with open_stage(server.data) as stage:
        day = choose_day(stage)
        read = demonstration_network(mondays=day.mondays)
        network = replace(read, network=homes.connected(read.network))
        rows = stage.import_network(network)
        tell.say(f"Imported: {', '.join(f'{number} of {name}' for name, number in rows.items())}.")
        trusts = [row.ods_code for row in network.network.trust]
        reporters = [row.id for row in network.network.reporter]
        client = api_client(server.http, stage.open_accounts(trusts, reporters))
        with closing(client.http):
            played = Play(server, stage, client, tell).perform(day, count, seed)
            wait_for_pay(client, FINANCE, played.tally.readings)
            figures = read_figures(client, MANAGER, FINANCE)
    taken = homes.taken()
    tell_summary(tell, played, figures, taken)
    result = _result(played, figures)
    faults = (*_faults(played, figures, result), *_faults_of_homes(figures, taken))
    return Performed(result, faults, client.tokens, figures.at)


def _result(played: Played, figures: Figures) -> dict[str, int]:
    return {
        "received": played.received,
        "worklist_items": len(figures.items),
        "planned": len(played.planned),
        "claimed": played.claimed,
        "verified": played.tally.count("verified"),
        "pay_lines": len(figures.pay_lines),
        "pay_total_pence": figures.pay_total_pence,
        "breaches": figures.breaches,
    }


def _faults(played: Played, figures: Figures, result: dict[str, int]) -> Iterator[str]:
    """Say what should have happened and did not."""
    yield from (f"{name} is {figure}" for name, figure in result.items() if name != "breaches" and figure <= 0)
    if played.refused is None or played.refused.status != 403 or not played.refused.reasons:
        yield "no claim outside scope was refused with reasons"
    if played.superseded is None or played.superseded.status != 409:
        yield "no report under a superseded token was refused"
    if not any(reading.classified for reading in played.tally.readings):
        yield "no unmapped item was classified"
    if played.own_studies_refused:
        yield f"{played.own_studies_refused} objects of the demonstration's own studies were refused"
    if figures.parked_events:
        yield f"{figures.parked_events} events could not be applied"


def _faults_of_homes(figures: Figures, taken: Taken) -> Iterator[str]:
    """Say what of what was told to the home RIS did not arrive as it should."""
    verified = [item for item in figures.items if item["verified_at"] is not None]
    late = [item for item in verified if item["reported_source"] != "acknowledged"]
    if late:
        yield f"{len(late)} verified reports were not acknowledged by their home RIS"
    if taken.all_reports < len(verified):
        yield f"home RIS took {taken.all_reports} reports of {len(verified)} verified items"
    if not taken.notices:
        yield "no home RIS heard that something was being read"
