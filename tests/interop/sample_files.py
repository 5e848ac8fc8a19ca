"""Files that others wrote, made ready to be sent as they are: only identifiers are replaced, in their place.

Every file becomes a study, a patient and an accession of its own, so that each can be told from all others.
It must not re-encode: what a file says of a patient or a study is sent byte by byte as its writer encoded it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import data_store
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.multival import MultiValue
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom.dsutils import split_dataset

#: Attributes that tell files apart: of a UID the last digits are replaced, of an identifier all of it.
_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_IDENTIFIERS = ("PatientID", "AccessionNumber")
#: Under what an object without a SOP class or instance is sent: somebody might.
_MADE_UP_INSTANCE = "1.2.826.0.1.3680043.8.498.99"


@dataclass(frozen=True, slots=True)
class Sample:
    """One file ready to send; `decoded` is what pydicom reads in it."""

    name: str
    path: Path
    decoded: Dataset
    sop_class_uid: str
    transfer_syntax_uid: str


def shipped_files() -> list[Path]:
    """Give the files that pydicom and pydicom-data bring with them; nothing is downloaded."""
    inside = Path(pydicom.__file__).parent / "data"
    folders = (inside / "test_files", inside / "charset_files", Path(data_store.__file__).parent / "data")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def samples(paths: list[Path], folder: Path, first_number: int) -> Iterator[Sample]:
    """Write each file that is DICOM into a folder, ready to be sent, numbered from four digits on, and give it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many of the files are wrong on purpose
        for number, path in enumerate(paths, first_number):
            made = _sample(number, path, folder)
            if made is not None:
                yield made


def _sample(number: int, path: Path, folder: Path) -> Sample | None:
    octets = path.read_bytes()
    data_set = _read(octets)
    if data_set is None:
        return None
    start = int(split_dataset(path)[1]) if octets[128:132] == b"DICM" else 0
    syntax = _syntax_of(data_set)
    body = bytearray(octets[start:])
    if syntax != DeflatedExplicitVRLittleEndian:
        for keyword in _UIDS:
            _replace_end(body, start, data_set, keyword, f"{number}".encode())
        for keyword in _IDENTIFIERS:  # in falling order of their tags: what comes before stays where it was
            _replace(body, start, data_set, keyword, f"ID{number}".encode(), implicit=syntax == ImplicitVRLittleEndian)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    decoded = _read(_with_head(meta, body))
    assert decoded is not None
    meta.MediaStorageSOPClassUID = UID(decoded.get("SOPClassUID") or SecondaryCaptureImageStorage)
    meta.MediaStorageSOPInstanceUID = UID(decoded.get("SOPInstanceUID") or f"{_MADE_UP_INSTANCE}.{number}")
    meta.ImplementationClassUID = UID(_MADE_UP_INSTANCE)
    ready = folder / f"{number}.dcm"
    ready.write_bytes(_with_head(meta, body))
    return Sample(path.name, ready, decoded, str(meta.MediaStorageSOPClassUID), syntax)


def _read(octets: bytes) -> Dataset | None:
    """Give what pydicom reads; None where that is nothing of a data set."""
    try:
        data_set = pydicom.dcmread(io.BytesIO(octets), force=True)
        known = [element for element in data_set if element.keyword or element.tag.is_private]
    except Exception:
        return None
    return data_set if known else None


def _syntax_of(data_set: Dataset) -> str:
    """Give the transfer syntax that the file names, or that pydicom took it to have."""
    named = data_set.file_meta.get("TransferSyntaxUID") if hasattr(data_set, "file_meta") else None
    if named:
        return str(named)
    implicit, little = data_set.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little else ExplicitVRBigEndian)


def _replace_end(body: bytearray, start: int, data_set: Dataset, keyword: str, digits: bytes) -> None:
    """Write digits into the end of a value, where it is long enough."""
    at, old = _value_in(body, start, data_set, keyword)
    length = len(old.rstrip(b" \0"))
    if length >= len(digits):
        body[at + length - len(digits) : at + length] = digits


def _replace(body: bytearray, start: int, data_set: Dataset, keyword: str, own: bytes, *, implicit: bool) -> None:
    """Put a value of even length in the place of another and write its length; the data set itself has none."""
    at, old = _value_in(body, start, data_set, keyword)
    order: Literal["little", "big"] = "little" if data_set.original_encoding[1] else "big"
    width = 4 if implicit else 2
    if old and int.from_bytes(body[at - width : at], order) == len(old):
        body[at - width : at + len(old)] = len(own).to_bytes(width, order) + own


def _value_in(body: bytearray, start: int, data_set: Dataset, keyword: str) -> tuple[int, bytes]:
    """Give where a value lies and what its bytes are, padding included; none where it is not what pydicom read."""
    read: Any = data_set.get_item(keyword)
    where = getattr(read, "value_tell", None) or getattr(read, "file_tell", None)
    if where is None:
        return 0, b""
    value = (
        read.value if isinstance(read.value, bytes) else str(read.value or "").encode("latin_1", "replace")
    ).rstrip(b" \0")
    at = where - start
    found = bytes(body[at : at + len(value) + len(value) % 2])
    return (at, found) if found.rstrip(b" \0") == value else (0, b"")


def _with_head(meta: FileMetaDataset, body: bytearray) -> bytes:
    written = DicomBytesIO()
    write_file_meta_info(written, meta, enforce_standard=False)
    return bytes(128) + b"DICM" + bytes(written.getvalue()) + bytes(body)


def person_name(data_set: Dataset) -> tuple[str | None, str | None]:
    """Give family and given name of the first component group that says anything, as pydicom decodes it."""
    value = data_set.get("PatientName")
    first = value[0] if isinstance(value, MultiValue) else value
    groups = str(first or "").split("=")
    group = next((each for each in groups if each.strip(" ^\0")), "")
    family, given = ([part.strip(" \0") for part in group.split("^")] + [""])[:2]
    return family or None, given or None


def description(data_set: Dataset) -> str | None:
    """Give what the study is called, all values of it, as pydicom decodes them."""
    for keyword in ("StudyDescription", "RequestedProcedureDescription"):
        value = data_set.get(keyword)
        words = [str(each) for each in value] if isinstance(value, MultiValue) else [str(value or "")]
        told = " ".join(each.strip(" \0") for each in words if each.strip(" \0"))
        if told:
            return told
    return None
