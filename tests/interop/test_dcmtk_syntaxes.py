"""DCMTK sends in every transfer syntax that it proposes, over one association and over many."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from tests.attacks.attacked import PACS, STRANGER, Attacked
from tests.interop.sample_files import Sample, samples, shipped_files

pytestmark = pytest.mark.skipif(shutil.which("dcmsend") is None, reason="DCMTK is not installed (apt: dcmtk)")

#: The option by which storescu proposes a syntax, and a shipped file that is in it.
SYNTAXES = {
    "-xi": "rtplan.dcm",
    "-xe": "CT_small.dcm",
    "-xb": "MR_small_bigendian.dcm",
    "-xs": "JPEG-LL.dcm",
    "-xy": "SC_rgb_small_odd_jpeg.dcm",
    "-xx": "JPGExtended.dcm",
    "-xv": "MR_small_jp2klossless.dcm",
    "-xw": "JPEG2000.dcm",
    "-xt": "MR_small_jpeg_ls_lossless.dcm",
    "-xr": "MR_small_RLE.dcm",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    wanted = [path for path in shipped_files() if path.name in SYNTAXES.values()]
    return {one.name: one for one in samples(wanted, tmp_path_factory.mktemp("syntaxes"), 7000)}


def dcmtk(radpool: Attacked, program: str, *words: str | Path, calling: str = PACS) -> subprocess.CompletedProcess[str]:
    options = words[: -1 if words and isinstance(words[-1], Path) else None]
    files = words[len(options) :]
    return subprocess.run(
        [program, *options, "-aet", calling, "-aec", "RADPOOL", "127.0.0.1", str(radpool.port), *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_echoscu_is_answered_ten_times_in_one_association(radpool: Attacked) -> None:
    done = dcmtk(radpool, "echoscu", "--repeat", "10", "-v")
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("Received Echo Response (Success)") == 10


def test_echoscu_proposing_every_transfer_syntax_and_128_contexts_is_answered(radpool: Attacked) -> None:
    done = dcmtk(radpool, "echoscu", "--propose-ts", "38", "--propose-pc", "128")
    assert done.returncode == 0, done.stderr


def test_echoscu_may_abort(radpool: Attacked) -> None:
    assert dcmtk(radpool, "echoscu", "--abort").returncode == 0
    assert dcmtk(radpool, "echoscu").returncode == 0


def test_a_stranger_is_told_why_it_is_rejected(radpool: Attacked) -> None:
    done = dcmtk(radpool, "echoscu", calling=STRANGER)
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stdout + done.stderr


@pytest.mark.parametrize("option", list(SYNTAXES))
def test_storescu_stores_in_each_transfer_syntax_that_it_proposes(
    radpool: Attacked, files: dict[str, Sample], option: str
) -> None:
    sent, before = files[SYNTAXES[option]], radpool.objects()
    done = dcmtk(radpool, "storescu", option, sent.path)
    assert done.returncode == 0, done.stderr
    assert radpool.objects() == before + 1


def test_storescu_combining_syntaxes_in_a_context_stores_what_it_can(
    radpool: Attacked, files: dict[str, Sample]
) -> None:
    before = radpool.objects()
    done = dcmtk(radpool, "storescu", "+C", "+II", files["CT_small.dcm"].path)
    assert done.returncode == 0, done.stderr
    assert radpool.objects() == before + 1


def test_storescu_proposing_deflated_falls_back_to_what_is_taken(radpool: Attacked, files: dict[str, Sample]) -> None:
    before = radpool.objects()
    done = dcmtk(radpool, "storescu", "-xd", "+II", files["CT_small.dcm"].path)
    assert done.returncode == 0, done.stderr
    assert radpool.objects() == before + 1


@pytest.mark.parametrize("associations", ["+ma", "-ma"])
def test_dcmsend_sends_a_mixed_folder_over_one_or_many_associations(
    radpool: Attacked, tmp_path: Path, associations: str
) -> None:
    """Many SOP classes in many syntaxes: what of them dcmsend may send as it is, it does."""
    many = [path for path in shipped_files() if path.stat().st_size < 40_000 and pydicom.misc.is_dicom(path)]
    first = 8000 if associations == "+ma" else 9000
    sent = [one for one in samples(many, tmp_path, first) if set(IDENTIFYING) <= set(one.decoded.dir())]
    for path in set(tmp_path.iterdir()) - {one.path for one in sent}:
        path.unlink()
    before = radpool.objects() + radpool.refused()
    report = tmp_path / "report.txt"
    done = dcmtk(radpool, "dcmsend", associations, "-dn", "+sd", "--no-halt", "-nuc", "+crf", str(report), tmp_path)
    told = report.read_text() if report.exists() else done.stderr
    statuses = Counter(re.findall(r"DIMSE Status\s*: (.*)", told))
    answered = sum(count for status, count in statuses.items() if status.startswith("0x"))
    print(associations, f"sent={len(sent)} {dict(statuses)}")
    assert answered > 50, told[-2000:] + done.stderr
    assert radpool.objects() + radpool.refused() == before + answered


IDENTIFYING = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
