"""The README's day of a reporter, typed as it stands there, ends with a pay line that a person can recompute."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A demonstration that has run and stays up: its data folder and addresses."""
    data = tmp_path_factory.mktemp("readme") / "demo"
    told = (data.parent / "told.txt").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "demo", "--data", str(data), "--studies", "20"],
        stdout=told,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        _wait_until_it_stays_up(process, data.parent / "told.txt")
        yield data, json.loads((data / "run.json").read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        told.close()


def test_the_day_of_the_readme_ends_with_a_pay_line_of_the_price_by_hand(
    demonstration: tuple[Path, dict[str, Any]],
) -> None:
    data, run = demonstration
    image = data / "chest.dcm"
    script = (
        "\n".join(_blocks_of_the_day())
        .replace("var/chest.dcm", str(image))
        .replace("var/demo", str(data))
        .replace("127.0.0.1:8080", run["http"])
        .replace("127.0.0.1 11112", run["dicom"].replace(":", " "))
        .replace(".venv/bin/python", sys.executable)
        .replace(".venv/bin/radpool", f"{sys.executable} -m cli.main")
        # A person reads on; what comes next needs the study to be quiet and the report to be priced, as the text says.
        .replace("\nsession=$(", "\nsleep 8\nsession=$(", 1)
        .replace('\ncurl -s -H "$nasreen" $api/pay/lines', '\nsleep 8\ncurl -s -H "$nasreen" $api/pay/lines', 1)
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]

    line = _pay_line(done.stdout)
    rate, percent = Decimal(line["rate_pence"]), Decimal(line["multiplier_percent"])
    by_hand = (Decimal(line["units"]) * rate * percent / 100).quantize(Decimal(1), ROUND_HALF_UP)
    assert line["amount_pence"] == int(by_hand) > 0
    assert any(f"= {line['amount_pence']}p" in step for step in line["derivation"])
    assert line["payer"] != line["host"] or line["reporter"] == "rahman"


def _blocks_of_the_day() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    day = text.split("## One reporter's day, by curl")[1].split("**The price by hand.**")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", day, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    return blocks


def _pay_line(told: str) -> dict[str, Any]:
    """Give the pay line that the last commands printed, as Python wrote it."""
    line: dict[str, Any] = ast.literal_eval(told[told.rindex("{'id'") :].splitlines()[0])
    return line


def _wait_until_it_stays_up(process: subprocess.Popen[bytes], told: Path) -> None:
    deadline = time.monotonic() + 180
    while "stays up until Ctrl-C" not in told.read_text(errors="replace"):
        assert process.poll() is None, told.read_text(errors="replace")[-3000:]
        assert time.monotonic() < deadline, told.read_text(errors="replace")[-3000:]
        time.sleep(0.2)
