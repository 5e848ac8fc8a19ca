"""Reads a catalogue file (CSV) into rows, or says line, column and remedy of everything wrong with it.

The columns are those of the NHS England Diagnostic Imaging Dataset's lookup (Annex 1); a trust's own file may have
`maps_to` besides, and its rows then say what the trust calls the network's exams. It must not touch the database.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allocation.configuration.read import Fault, InvalidConfiguration
from allocation.exam_catalogue.words import LATERALITY, MODALITY_OF_SYSTEM
from worklist.exams.codes import normal

COLUMNS = ("short_code", "preferred", "sct_fsn", "laterality", "region", "system")
MAPS_TO = "maps_to"
#: The longest file that is read, in bytes, and how many faults are told at most.
_LONGEST = 50_000_000
_MOST_FAULTS = 200
_CODE = re.compile(r"[A-Z0-9][A-Z0-9_.\-/]{0,15}")


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One code of a file; `line` is where it stands. `maps_to`: it is a trust's word for that exam of the network."""

    line: int
    code: str
    description: str
    snomed_description: str | None
    laterality: str
    body_region: str
    modality: str
    maps_to: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """A file that was read whole: its name, digest and rows."""

    name: str
    sha256: str
    rows: tuple[CatalogueRow, ...]

    def fault(self, line: int, column: str, what: str) -> Fault:
        """Make a fault that points at a line and a column."""
        return Fault(self.name, line, column, what)


def read_catalogue(
    path: Path,
    *,
    own: bool = False,
    systems: Mapping[str, str] | None = None,
    on_row: Callable[[int], None] = lambda _: None,
) -> CatalogueFile:
    """Read a file; `own` allows the column `maps_to`, `systems` are further words (lower case) to modalities.

    `on_row` hears the number of rows read so far.

    Raises
    ------
    InvalidConfiguration
        With every fault, up to a number that a person can work through.
    """
    words = _words_of(path)
    reader = csv.reader(io.StringIO(words, newline=""), strict=True)
    faults: list[Fault] = []
    rows: list[CatalogueRow] = []
    lines: dict[str, int] = {}
    known = {**MODALITY_OF_SYSTEM, **(systems or {})}
    columns: list[str] | None = None
    try:
        for values in reader:
            if columns is None:
                columns = _header(str(path), values, own=own)
                continue
            if not any(value.strip() for value in values):
                continue
            line = reader.line_num
            found = list(_row_faults(columns, values, known))
            if not found:
                row = _row(line, dict(zip(columns, values, strict=True)), known)
                if row.code in lines:
                    found = [("short_code", f"{row.code!r} stands on line {lines[row.code]} already; give it once")]
                lines.setdefault(row.code, line)
                rows.append(row)
            faults += [Fault(str(path), line, column, what) for column, what in found]
            on_row(len(rows))
            if len(faults) > _MOST_FAULTS:
                break
    except csv.Error as error:
        faults.append(Fault(str(path), reader.line_num, "-", f"not CSV: {error}; quote values that hold commas"))
    if not faults and not rows:
        faults.append(Fault(str(path), 1, "-", f"holds no codes; give a row of {', '.join(COLUMNS)} and one per code"))
    if faults:
        raise InvalidConfiguration(faults)
    return CatalogueFile(str(path), hashlib.sha256(words.encode()).hexdigest(), tuple(rows))


def _words_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise InvalidConfiguration([Fault(str(path), 1, "-", f"longer than {_LONGEST} bytes; is it a catalogue?")])
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidConfiguration([Fault(str(path), 1, "-", f"cannot be read: {error}")]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidConfiguration([Fault(str(path), line, "-", "not UTF-8; save it as `CSV UTF-8`")]) from None


def _header(name: str, values: Sequence[str], *, own: bool) -> list[str]:
    """Give the columns in the file's order, whichever that is."""
    columns = [value.strip().lower() for value in values]
    allowed = {*COLUMNS, *((MAPS_TO,) if own else ())}
    faults = [
        Fault(name, 1, column, "this column is missing; the first line names the columns")
        for column in COLUMNS
        if column not in columns
    ]
    faults += [
        Fault(name, 1, column or "-", f"no column of this file; it has {', '.join(sorted(allowed))}")
        for column in columns
        if column not in allowed
    ]
    faults += [
        Fault(name, 1, column, "this column stands twice; give it once")
        for column in sorted({one for one in columns if columns.count(one) > 1})
    ]
    if faults:
        raise InvalidConfiguration(faults)
    return columns


def _row_faults(columns: Sequence[str], values: Sequence[str], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if len(values) != len(columns):
        yield "-", f"has {len(values)} values for {len(columns)} columns; quote values that hold commas"
        return
    row = {column: value.strip() for column, value in zip(columns, values, strict=True)}
    for column, value in row.items():
        if any(ord(letter) < 32 for letter in value):
            yield column, "holds a control character; take it out"
    if not _CODE.fullmatch(row["short_code"].upper()):
        yield "short_code", f"{row['short_code']!r} is no code: up to 16 letters, digits and _ . - /"
    if not row["preferred"] or len(row["preferred"]) > 300:
        yield "preferred", "a description of 1 to 300 characters is needed"
    if len(row["sct_fsn"]) > 300:
        yield "sct_fsn", "longer than 300 characters"
    if row["laterality"].lower() not in LATERALITY:
        yield "laterality", f"{row['laterality']!r} is not known; use left, right, bilateral or none"
    if len(row["region"]) > 64:
        yield "region", "longer than 64 characters"
    if row["system"].lower() not in known:
        yield (
            "system",
            f"{row['system']!r} tells no modality; use a label such as XR, CT, MR, or say"
            f' --system "{row["system"]}=MODALITY"',
        )


def _row(line: int, values: Mapping[str, str], known: Mapping[str, str]) -> CatalogueRow:
    row = {column: value.strip() for column, value in values.items()}
    return CatalogueRow(
        line,
        row["short_code"].upper(),
        " ".join(row["preferred"].split()),
        row["sct_fsn"] or None,
        LATERALITY[row["laterality"].lower()],
        normal(row["region"]).lower() or "not stated",
        known[row["system"].lower()],
        row.get(MAPS_TO, "").upper() or None,
    )
