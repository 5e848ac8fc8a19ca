"""The command `radpool demo`: a demonstration network on a real server, worked for a day, told, and left up.

It joins the parts, judges whether the run was as expected and gives the exit status. All that it
shows is synthetic: invented people, trusts, reports and rates, NHS numbers of the 999 range.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cli.demonstration.acts import NoSuitableDay
from cli.demonstration.api_client import UnexpectedAnswer, api_client
from cli.demonstration.figures import Figures, read_figures, wait_for_pay
from cli.demonstration.network import demonstration_network
from cli.demonstration.place import addresses, fresh_folder
from cli.demonstration.script import FINANCE, MANAGER, Play, Played, choose_day
from cli.demonstration.server import DemoServer, ServerNotReady, starting_server, tail
from cli.demonstration.stage import TookTooLong, open_stage
from cli.demonstration.staying import stay_up
from cli.demonstration.summary import tell_summary
from cli.demonstration.telling import Teller, console

#: What ends a run early: it is told, and the exit status is 1.
_FAILURES = (NoSuitableDay, ServerNotReady, TookTooLong, UnexpectedAnswer)
_FAILED, _INTERRUPTED = 1, 130


def demonstrate(data: Path | None, *, once: bool, count: int, seed: int) -> int:
    """Run a demonstration of `count` studies and give the exit status.

    With `once` it ends after the run, its last line one JSON object; else the server stays up until
    Ctrl-C. `data` None is a temporary folder for a single run, else `var/demo`.

    Raises
    ------
    ForeignFolder, DemonstrationRunning
        If the folder may not be used.
    """
    began = time.monotonic()
    tell = Teller(console())
    try:
        with _ended_by_sigterm(), fresh_folder(data, once=once) as folder:
            try:
                result, faults = _run(tell, folder, once=once, count=count, seed=seed)
            except _FAILURES as error:
                tell.fault(str(error))
                if not isinstance(error, ServerNotReady):
                    tell.fault(f"the end of the server's log:\n{tail(folder)}")
                return _FAILED
    except KeyboardInterrupt:
        tell.say("Ended early; the server is stopped.")
        return _INTERRUPTED
    if once:
        print(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    return _FAILED if faults else 0


def _run(tell: Teller, folder: Path, *, once: bool, count: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Run on a server of its own, which is stopped at the end; gives the figures and what was not as expected."""
    listening, taken = addresses(once=once)
    tell.say("radpool demonstration: every patient, reporter, trust and rate is invented.", style="bold")
    for name in taken:
        tell.say(f"The agreed port of {name} is in use here; a free one is taken instead.")
    tell.say(f"Starting a server with a database of its own in {folder} ...")
    with starting_server(folder, listening) as pending:
        server = pending.ready()
        tell.say(f"Ready: HTTP {server.http}, DICOM {server.dicom}, HL7 {server.hl7}.")
        with open_stage(folder) as stage:
            day = choose_day(stage)
            network = demonstration_network(mondays=day.mondays)
            rows = stage.import_network(network)
            tell.say(f"Imported: {', '.join(f'{number} of {name}' for name, number in rows.items())}.")
            trusts = [row.ods_code for row in network.network.trust]
            reporters = [row.id for row in network.network.reporter]
            client = api_client(server.http, stage.open_accounts(trusts, reporters))
            with closing(client.http):
                played = Play(server, stage, client, tell).perform(day, count, seed)
                wait_for_pay(client, FINANCE, played.tally.readings)
                figures = read_figures(client, MANAGER, FINANCE)
        tell_summary(tell, played, figures)
        result = _result(played, figures)
        faults = [*_faults(played, figures, result), *_checks(tell, server)]
        for fault in faults:
            tell.fault(fault)
        if not once:
            faults += stay_up(tell, server, client.tokens, figures.at)
    return result, faults


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


def _checks(tell: Teller, server: DemoServer) -> Iterator[str]:
    """Run the commands that check the whole, side by side; say what they say."""
    running = {words: server.command(*words) for words in (("check",), ("verify-audit",))}
    for words, process in running.items():
        told, _ = process.communicate()
        name = f"radpool {' '.join(words)}"
        tell.out.rule(f"{name} (exit status {process.returncode})", align="left")
        tell.say(told.rstrip())
        if process.returncode != 0:
            yield f"`{name}` ended with status {process.returncode}"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the demonstration as Ctrl-C does."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
