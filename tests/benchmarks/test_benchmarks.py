"""The benchmarks run, in tiny sizes, as users run them; their last line is what other programs read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.result import Row

ROOT = Path(__file__).parents[2]
KEYS = {"id", "what", "value", "unit", "peer", "peer_value", "goal"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks' command line."""
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Parse the last line of a benchmark that succeeded."""
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return parsed


def test_claims_tells_rate_latency_and_what_the_audit_costs() -> None:
    done = run("claims", "--small", "--seconds", "0.5", "--seed", "7")
    told = last_line(done)
    rows = {row["id"]: row for row in told["rows"]}
    assert told["bench"] == "claims"
    assert set(rows) == {
        "claims.rate",
        "claims.p50",
        "claims.p99",
        "claims.audit",
        "claims.rate.bare",
        "claims.audit.bare",
    }
    assert all(set(row) == KEYS and row["value"] > 0 for row in rows.values())
    assert rows["claims.audit"]["goal"] == rows["claims.audit.bare"]["goal"] == 0.8
    assert "none double" in done.stdout
    assert "seed 7" in done.stdout
    assert "pgbench --no-vacuum" in done.stdout


def test_hl7_tells_how_many_orders_are_accepted_and_how_soon_a_study_reported_at_home_is_gone() -> None:
    done = run("hl7", "--small")
    rows = {row["id"]: row for row in last_line(done)["rows"]}
    assert set(rows) == {
        "hl7.accepted",
        "hl7.accepted.peer",
        "hl7.accepted.few",
        "hl7.cpu",
        "hl7.answer.p50",
        "hl7.answer.p99",
        "hl7.closed.p99",
    }
    assert all(set(row) == KEYS and row["value"] > 0 for row in rows.values())
    assert (rows["hl7.accepted"]["peer_value"], rows["hl7.closed.p99"]["peer_value"]) == (2000, 1000)
    assert "280 orders accepted, all of them kept" in done.stdout
    assert re.search(r"CPU of one order: \d+\.\d\d ms \(.*hl7 .*: at most \d+/s on \d+ cores", done.stdout)


def test_ingest_compares_with_every_peer_that_is_installed() -> None:
    if shutil.which("storescu") is None:
        pytest.skip("storescu of DCMTK is not installed")
    done = run("ingest", "--small")
    told = last_line(done)
    peers = ["ignore", "writing"] * bool(shutil.which("storescp")) + ["orthanc"] * bool(shutil.which("Orthanc"))
    expected = {
        f"ingest.{kind}.{n}.{peer}" for kind in ("large", "small") for n in (1, 4) for peer in [*peers, "pynetdicom"]
    }
    assert told["bench"] == "ingest"
    assert {row["id"] for row in told["rows"]} == expected
    assert all(set(row) == KEYS and row["value"] > 0 and row["peer_value"] > 0 for row in told["rows"])
    assert "radpool kept all of the 31 objects that it was sent" in done.stdout
    assert "storescu -q" in done.stdout


def test_a_benchmark_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = run("plan")
    assert done.returncode == 2
    assert done.stderr == "there is no benchmark 'plan'; there are: claims, hl7, ingest\n"


def test_no_name_is_refused_with_those_that_exist() -> None:
    done = run()
    assert done.returncode == 2
    assert "there are: claims, hl7, ingest" in done.stderr


@pytest.mark.parametrize(
    ("value", "verdict"), [(89.0, "not met"), (90.0, "met")], ids=["just below the goal", "at the goal"]
)
def test_a_goal_is_met_by_the_ratio_to_the_peer(value: float, verdict: str) -> None:
    assert Row("id", "what", value, "1/s", "peer", 100, 0.9).verdict == verdict


def test_a_row_without_a_goal_has_no_verdict() -> None:
    assert Row("id", "what", 1, "1/s", "peer", 100).verdict == ""
