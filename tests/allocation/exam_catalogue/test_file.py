"""A catalogue file is read whole, or every fault of it is named by line and column with what would mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocation.configuration.read import InvalidConfiguration
from allocation.exam_catalogue.file import CatalogueRow, read_catalogue

HEADER = "short_code,preferred,sct_fsn,laterality,region,system"
GOOD = "XCHES,XR Chest,Plain chest X-ray (procedure),,Chest,X-ray"


def written(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "exams.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def test_a_row_brings_code_description_region_laterality_and_the_modality_of_its_system(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, GOOD, "mknel, MR  Knee Lt,,Left,KNEE,Magnetic resonance imaging")
    assert read_catalogue(path).rows == (
        CatalogueRow(2, "XCHES", "XR Chest", "Plain chest X-ray (procedure)", "none", "chest", "XR"),
        CatalogueRow(3, "MKNEL", "MR Knee Lt", None, "left", "knee", "MR"),
    )


def test_columns_may_stand_in_another_order_and_quotes_hold_commas(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "System,region,LATERALITY,sct_fsn,preferred,short_code",
        'CT,"Chest, abdomen",,,"CT Chest, abdomen",CCHAB',
        "",
    )
    (row,) = read_catalogue(path).rows
    assert (row.code, row.description, row.body_region) == ("CCHAB", "CT Chest, abdomen", "chest, abdomen")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read_catalogue(written(tmp_path, HEADER, GOOD, encoding="utf-8-sig")).rows[0].code == "XCHES"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["short_code,preferred,sct_fsn,laterality,region", "X"], ["1: system: this column is missing"]),
        ([HEADER + ",minutes", GOOD], ["1: minutes: no column of this file"]),
        ([HEADER + ",maps_to", GOOD], ["1: maps_to: no column of this file"]),
        ([HEADER + ",system", GOOD], ["1: system: this column stands twice"]),
        ([HEADER, GOOD, "X CHES,XR,,,Chest,XR"], ["3: short_code: 'X CHES' is no code"]),
        ([HEADER, GOOD, GOOD], ["3: short_code: 'XCHES' stands on line 2 already"]),
        ([HEADER, "XA,,,,Chest,XR"], ["2: preferred: a description"]),
        ([HEADER, "XA,XR A,,sinister,Chest,XR"], ["2: laterality: 'sinister' is not known; use left"]),
        ([HEADER, "XA,XR A,,,Chest,Barium"], ["2: system: 'Barium' tells no modality", '--system "Barium=MODALITY"']),
        ([HEADER, "XA,XR A,,,Chest"], ["2: -: has 5 values for 6 columns"]),
        ([HEADER, 'XA,"XR A,,,Chest,XR'], ["not CSV"]),
        ([HEADER, "XA,XR\x07A,,,Chest,XR"], ["2: preferred: holds a control character"]),
        ([HEADER], ["holds no codes"]),
        ([""], ["holds no codes"]),
        (
            [HEADER, "X A,XR A,,,Chest,Barium", GOOD, "XB,,,,Chest,XR"],
            ["2: short_code", "2: system", "4: preferred"],
        ),
    ],
)
def test_each_fault_is_named_by_line_and_column_with_the_remedy(
    tmp_path: Path, lines: list[str], told: list[str]
) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read_catalogue(written(tmp_path, *lines))
    for words in told:
        assert words in str(refused.value)


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r":2: -: not UTF-8; save it as `CSV UTF-8`"):
        read_catalogue(written(tmp_path, HEADER, "XA,XR Ménière,,,Head,XR", encoding="cp1252"))


def test_no_file_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_catalogue(tmp_path / "none.csv")


def test_a_word_for_a_system_may_be_given_and_a_trust_s_file_may_map(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ",maps_to", "CXR1,Chest film,,,Chest,Barium,xches")
    (row,) = read_catalogue(path, own=True, systems={"barium": "RF"}).rows
    assert (row.modality, row.maps_to) == ("RF", "XCHES")


def test_a_file_full_of_faults_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read_catalogue(written(tmp_path, HEADER, *["?,,,,,"] * 5000))
    assert len(refused.value.faults) < 250
