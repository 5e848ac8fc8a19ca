"""What every process of radpool shares."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_ASKED_AMID_A_WAIT = """
import signal
from cli.process import stop_event

stop = stop_event()
with stop._cond:  # as the main thread does on its way into a wait
    signal.raise_signal(signal.{name})
raise SystemExit(0 if stop.wait(20) else 1)
"""


@pytest.mark.parametrize("name", [signal.SIGTERM.name, signal.SIGINT.name])
def test_a_process_that_is_asked_to_end_on_its_way_into_a_wait_ends(name: str) -> None:
    ended = subprocess.run([sys.executable, "-c", _ASKED_AMID_A_WAIT.format(name=name)], timeout=40, check=False)
    assert ended.returncode == 0
