"""The command `radpool demo`: a demonstration network on a real server, worked for a day, told, and left up.

It joins the parts, judges whether the run was as expected and gives the exit status. All that it
shows is synthetic: invented people, trusts, reports and rates, NHS numbers of the 999 range.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.demonstration.faults import DemonstrationFailed
from cli.demonstration.place import addresses, fresh_folder
from cli.demonstration.server import DemoServer, ServerNotReady, starting_server, tail
from cli.demonstration.telling import Teller, console

#: Exit statuses.
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
            except DemonstrationFailed as error:
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
        # imported while the server starts
        from cli.demonstration.performance import performing
        from cli.demonstration.staying import stay_up

        server = pending.ready()
        tell.say(f"Ready: HTTP {server.http}, DICOM {server.dicom}, HL7 {server.hl7}.")
        with performing(tell, server, count, seed) as performed:
            faults = [*performed.faults, *_checks(tell, server)]
            for fault in faults:
                tell.fault(fault)
            if not once:
                faults += stay_up(tell, server, performed.tokens, performed.at)
    return performed.result, faults


def _checks(tell: Teller, server: DemoServer) -> Iterator[str]:
    """Run the commands that check the whole, side by side; say what they say."""
    running = {words: server.command(*words) for words in (("check",), ("verify-audit",))}
    for words, command in running.items():
        status, told = command.ended()
        name = f"radpool {' '.join(words)}"
        tell.out.rule(f"{name} (exit status {status})", align="left")
        tell.say(told.rstrip())
        if status != 0:
            yield f"`{name}` ended with status {status}"


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
