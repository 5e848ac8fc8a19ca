"""`radpool demo` runs the whole on a real server, says what came of it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

_SECONDS = 300
_FIGURES = {
    "received",
    "worklist_items",
    "planned",
    "claimed",
    "verified",
    "pay_lines",
    "pay_total_pence",
    "breaches",
    "seconds",
}


@dataclass(frozen=True)
class Ended:
    """A demonstration that ended, and the folder in which it made its own."""

    status: int
    out: str
    room: Path

    @property
    def figures(self) -> dict[str, float]:
        figures: dict[str, float] = json.loads(self.out.splitlines()[-1])
        return figures


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with TemporaryDirectory(prefix="radpool-test-") as made:
        yield Path(made).resolve()


@pytest.fixture(scope="module")
def ended(room: Path) -> Ended:
    demo = _start(room, "--once", "--studies", "60")
    out, err = demo.communicate(timeout=_SECONDS)
    assert demo.returncode == 0, out[-4000:] + err[-4000:]
    return Ended(demo.returncode, out, room)


def test_one_run_ends_with_one_json_object_of_the_agreed_figures(ended: Ended) -> None:
    assert set(ended.figures) == _FIGURES


@pytest.mark.parametrize("name", sorted(_FIGURES - {"breaches"}))
def test_every_figure_but_breaches_is_above_zero(ended: Ended, name: str) -> None:
    assert ended.figures[name] > 0


def test_no_more_is_verified_than_was_claimed_and_no_more_claimed_than_came(ended: Ended) -> None:
    figures = ended.figures
    assert figures["verified"] <= figures["claimed"] <= figures["received"]
    assert figures["worklist_items"] <= figures["received"]


def test_nothing_was_other_than_expected(ended: Ended) -> None:
    assert "Not as expected" not in ended.out


def test_the_ledger_and_the_audit_were_checked_and_found_whole(ended: Ended) -> None:
    assert "radpool check (exit status 0)" in ended.out
    assert re.search(r"^\d+ entries, [1-9]\d* checkpoints, 0 faults$", ended.out, re.MULTILINE)


def test_one_pay_line_is_told_in_full(ended: Ended) -> None:
    assert re.search(r"^  [A-Z-]+: .* x \d+p x \d+% .* = \d+p", ended.out, re.MULTILINE)
    assert re.search(r"^  Total: \d+p$", ended.out, re.MULTILINE)


def test_every_report_reached_its_home_ris_and_the_closing_words_say_how_many(ended: Ended) -> None:
    told = re.search(
        r"^Home RIS took (\d+) reports \(.*\) and (\d+) notices .* (\d+) turnaround clocks", ended.out, re.MULTILINE
    )
    assert told is not None
    reports, notices, stopped = map(int, told.groups())
    assert reports >= ended.figures["verified"] == stopped
    assert notices > 0
    assert "report-undelivered" not in ended.out


def test_a_claim_outside_scope_and_a_report_that_came_too_late_are_shown(ended: Ended) -> None:
    assert re.search(r"asked for .*: 403$", ended.out, re.MULTILINE)
    assert re.search(r"came back and reported: 409$", ended.out, re.MULTILINE)


def test_nothing_is_left_running_and_no_folder_is_left(ended: Ended) -> None:
    assert _processes_of(ended.room) == []
    assert list(ended.room.iterdir()) == []


def test_output_to_a_pipe_is_plain(ended: Ended) -> None:
    assert "\x1b" not in ended.out


def test_ctrl_c_while_the_server_starts_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="radpool-test-") as made:
        room = Path(made).resolve()
        demo = _start(room, "--once")
        _wait_for(lambda: any("postgres" in words for words in _processes_of(room)))
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=_SECONDS)
        assert (demo.returncode, err) == (130, "")
        assert "the server is stopped" in out
        assert _processes_of(room) == []
        assert list(room.iterdir()) == []


def test_a_server_that_died_is_told_with_the_end_of_its_log() -> None:
    with TemporaryDirectory(prefix="radpool-test-") as made:
        room = Path(made).resolve()
        demo = _start(room, "--once")
        _wait_for(lambda: any("serve --test-clock" in words for words in _processes_of(room)))
        os.kill(_server_of(demo.pid), signal.SIGKILL)
        out, _ = demo.communicate(timeout=_SECONDS)
        assert demo.returncode == 1
        assert "the server did not become ready" in out
        _wait_for(lambda: _processes_of(room) == [])


@pytest.mark.proof
def test_without_once_the_server_stays_up_for_visitors_until_ctrl_c() -> None:
    with TemporaryDirectory(prefix="radpool-test-") as made:
        room = Path(made).resolve()
        demo = _start(room, "--data", str(room / "demo"), "--studies", "40")
        assert demo.stdout is not None
        said: list[str] = []
        for line in demo.stdout:
            said.append(line)
            if line.count("curl") and "claims" in line:
                break
        run = json.loads((room / "demo" / "run.json").read_text())
        token = re.search(r"^  manager +(radpool_\S+)$", "".join(said), re.MULTILINE)
        assert token is not None
        answer = httpx.get(f"http://{run['http']}/api/v1/me", headers={"Authorization": f"Bearer {token[1]}"})
        assert answer.json()["name"] == "manager"
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=_SECONDS)
        assert (demo.returncode, err) == (0, "")
        assert _processes_of(room) == []


def _start(room: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "demo", *words],
        env={**os.environ, "TMPDIR": str(room), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(done: object) -> None:
    assert callable(done)
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _processes_of(room: Path) -> list[str]:
    """Give the command lines of running processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(room) in words:
            found.append(words)
    return found


def _server_of(demo: int) -> int:
    children = Path(f"/proc/{demo}/task/{demo}/children").read_text().split()
    return int(children[0])
