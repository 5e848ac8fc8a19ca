"""The files that pydicom ships and samples of character sets: each arrives as it was meant, or is refused aloud."""

# ruff: noqa: RUF001 - names in other alphabets are what this is about

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import build_context
from sqlalchemy import text

from dicom_listener.client.checkpoint import stop_theft
from tests.attacks.attacked import PACS, Attacked
from tests.interop.sample_files import Sample, description, person_name, samples, shipped_files
from worklist.intake.sop_classes import NON_IMAGE_MODALITIES
from worklist.item import ItemState

#: Secondary captures of every form accompany images, whatever modality they state (PS3.4, B.5).
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: What never became an object at the other side: no status, since no context was agreed.
NOT_AGREED = "not agreed"
#: A file that says explicit VR and has none, which pydicom guesses and a receiver may not.
_IMPLICIT_CALLED_EXPLICIT = "SC_rgb_jpeg.dcm"
_NAMES = {
    "": "Probe^Anna",
    "ISO_IR 100": "Müller^Zoë",
    "ISO_IR 101": "Wałęsa^Łucja",
    "ISO_IR 109": "Ĉapelo^Ĝoja",
    "ISO_IR 110": "Bērziņš^Ģirts",
    "ISO_IR 144": "Люкceмбypг^Роза",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 126": "Διονυσιος^Σολωμος",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 148": "Çavuşoğlu^Işık",
    "ISO_IR 13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    "ISO_IR 166": "สมชาย^ใจดี",
    "ISO_IR 192": "Wang^XiaoDong=王^小东=왕^샤오",
    "GB18030": "Wang^XiaoDong=王^小东",
    "GBK": "Li^Na=李^娜",
    "\\ISO 2022 IR 100": "Buc^Jérôme",
    "\\ISO 2022 IR 101": "Nowak^Żaneta",
    "\\ISO 2022 IR 109": "Saĝulo^Ĥoro",
    "\\ISO 2022 IR 110": "Kalniņš^Jānis",
    "\\ISO 2022 IR 144": "Иванова^Анна",
    "\\ISO 2022 IR 127": "نجيب^محفوظ",
    "\\ISO 2022 IR 126": "Παπαδοπουλου^Ελενη",
    "\\ISO 2022 IR 138": "כהן^שרה",
    "\\ISO 2022 IR 148": "Öztürk^Gülşen",
    "\\ISO 2022 IR 166": "วรรณ^ดี",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "\\ISO 2022 IR 58": "Zhang^XiaoDong=张^小东",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159": "Kusa=丂草^太郎",
    "ISO 2022 IR 100\\ISO 2022 IR 144": "Müller^Люкceмбypг",
    "\\ISO 2022 IR 100\\ISO 2022 IR 126": "Äneas^Διονυσιος",
}


@dataclass(frozen=True)
class Arrived:
    """What was sent, how each was answered, and what a person of the trust is shown of each study."""

    radpool: Attacked
    sent: list[Sample]
    answers: dict[str, str]
    items: dict[str, dict[str, Any]]
    new_objects: int
    new_refusals: int

    def taken(self) -> list[Sample]:
        return [one for one in self.sent if self.answers[one.path.name] == "0000"]


@pytest.fixture(scope="module")
def shipped(radpool: Attacked, tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return send(radpool, list(samples(shipped_files(), tmp_path_factory.mktemp("shipped"), 1000)))


@pytest.fixture(scope="module")
def character_sets(radpool: Attacked, tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    written = tmp_path_factory.mktemp("written")
    paths = [path for form in range(4) for path in write_samples(written, form)]
    return send(radpool, list(samples(paths, tmp_path_factory.mktemp("sets"), 5000)))


def test_nothing_that_was_sent_vanishes(shipped: Arrived) -> None:
    counts = Counter(shipped.answers.values())
    print(f"sent={len(shipped.sent)} {dict(counts)}")
    assert len(shipped.sent) > 230
    assert counts["0000"] == shipped.new_objects
    assert sum(counts.values()) - counts["0000"] - counts[NOT_AGREED] == shipped.new_refusals


def test_no_context_is_agreed_for_what_is_deflated_and_for_nothing_else(shipped: Arrived) -> None:
    not_agreed = [one for one in shipped.sent if shipped.answers[one.path.name] == NOT_AGREED]
    assert {one.transfer_syntax_uid for one in not_agreed} == {DeflatedExplicitVRLittleEndian}


def test_what_is_refused_stands_in_the_exceptions_with_the_attribute_that_is_at_fault(shipped: Arrived) -> None:
    shown = {detail for kind, detail in shipped.radpool.exceptions() if kind == "object-refused"}
    told = {detail.partition(":")[0] for detail in shown}
    refused = [one for one in shipped.sent if shipped.answers[one.path.name] not in {"0000", NOT_AGREED}]
    print(f"refused {len(refused)}: {sorted(shown)}")
    assert told <= set(UIDS)
    for one in refused:
        at_fault = {each for each in UIDS if not _UID.fullmatch(str(one.decoded.get(each, "")))}
        assert told & at_fault or one.name == _IMPLICIT_CALLED_EXPLICIT, one.name


def test_every_image_that_is_taken_is_on_the_worklist_and_other_objects_are_known_and_not_on_it(
    shipped: Arrived,
) -> None:
    images = {
        one.name
        for one in shipped.taken()
        if one.decoded.get("Modality") not in NON_IMAGE_MODALITIES
        and not one.sop_class_uid.startswith(SECONDARY_CAPTURE)
    }
    listed = {one.name for one in shipped.taken() if str(one.decoded.StudyInstanceUID) in shipped.items}
    print(f"images={len(images)} listed={len(listed)}")
    assert listed == images


@pytest.mark.parametrize("which", ["shipped", "character_sets"])
def test_the_name_of_the_patient_is_shown_as_pydicom_decodes_it_or_said_to_be_unreadable(
    which: str, request: pytest.FixtureRequest
) -> None:
    assert differing(request.getfixturevalue(which), "PatientName") == []


@pytest.mark.parametrize("which", ["shipped", "character_sets"])
def test_the_description_is_shown_as_pydicom_decodes_it_or_said_to_be_unreadable(
    which: str, request: pytest.FixtureRequest
) -> None:
    assert differing(request.getfixturevalue(which), "StudyDescription") == []


def test_every_character_set_is_taken_and_none_is_called_unreadable(character_sets: Arrived) -> None:
    assert Counter(character_sets.answers.values()) == {"0000": len(character_sets.sent)}
    faults = {
        one.name: item["exceptions"]
        for one in character_sets.sent
        if (item := character_sets.items[str(one.decoded.StudyInstanceUID)])["exceptions"]
    }
    unreadable = {name: each for name, met in faults.items() for each in met if each["kind"] == "unreadable-attribute"}
    # A description of several values is read whole and is said to have them only where one is wanted.
    assert unreadable == {}


def differing(arrived: Arrived, keyword: str) -> list[str]:
    """Give the files of which an item says something else than pydicom, and says nothing of a fault."""
    found = []
    for one in arrived.taken():
        item = arrived.items.get(str(one.decoded.StudyInstanceUID))
        if item is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted, shown = WANTED[keyword](one.decoded), SHOWN[keyword](item)
        said = [each["detail"] for each in item["exceptions"]]
        if wanted not in {None, (None, None), shown} and not any(keyword in each or "DataSet" in each for each in said):
            found.append(f"{one.name}: pydicom {wanted!r}, shown {shown!r}, exceptions {said}")
    return found


def shown_name(item: dict[str, Any]) -> tuple[str | None, str | None]:
    patient = item["patient"]
    return patient["family_name"], patient["given_name"]


def shown_description(item: dict[str, Any]) -> str | None:
    described = [exam["description"] for exam in item["exams"] if exam["description"]]
    return described[0] if described else None


def send(radpool: Attacked, sent: list[Sample]) -> Arrived:
    """Send every file in its own transfer syntax and as it is encoded, and wait until its studies are complete."""
    objects, refusals = radpool.objects(), radpool.refused()
    kinds = sorted({(one.sop_class_uid, one.transfer_syntax_uid) for one in sent})
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    answers = {}
    ae = AE(ae_title=PACS)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        patch.setattr(_config, "ENFORCE_UID_CONFORMANCE", False)
        association = ae.associate(
            "127.0.0.1", radpool.port, contexts=contexts, evt_handlers=[(evt.EVT_CONN_OPEN, stop_theft)]
        )
        assert association.is_established
        for one in sent:
            try:
                answers[one.path.name] = f"{association.send_c_store(one.path).Status:04x}"
            except ValueError:
                answers[one.path.name] = NOT_AGREED
        association.release()
    return Arrived(
        radpool, sent, answers, items_by_study(radpool), radpool.objects() - objects, radpool.refused() - refusals
    )


def items_by_study(radpool: Attacked) -> dict[str, dict[str, Any]]:
    """Give the items as people see them, when no study is still arriving, by the studies that they came from."""
    from tests.cli.commanding import until

    until(lambda: not radpool.items(state="arriving"), 20)
    shown = {item["id"]: item for item in radpool.items(state=[each.value for each in ItemState])}
    with radpool.owner.connect() as connection:
        rows = connection.execute(_ITEMS)
        return {row.study_instance_uid: shown[row.item_id] for row in rows if row.item_id in shown}


def write_samples(folder: Path, form: int) -> Iterator[Path]:
    """Write a CT object for each character set: plain, padded, with several descriptions, in implicit VR."""
    for number, (character_set, name) in enumerate(_NAMES.items()):
        made = Dataset()
        made.SpecificCharacterSet = character_set.split("\\") if character_set else None
        made.SOPClassUID = CTImageStorage
        uid = f"1.2.826.0.1.3680043.8.498.77.{form}.{number}"
        made.SOPInstanceUID, made.StudyInstanceUID, made.SeriesInstanceUID = (
            f"{uid}.{each}.90000" for each in (1, 2, 3)
        )
        made.StudyDate, made.StudyTime, made.Modality = "20260610", "090000", "CT"
        made.AccessionNumber, made.PatientID = f"CS{form}{number:03d}0000", f"PAT{form}{number:03d}0000"
        made.PatientBirthDate, made.PatientSex = "19500101", "O"
        said = name.split("=")[-1].replace("^", " ")
        padded = f" {said}  "
        if "IR 13" in character_set:  # pydicom does not encode half-width katakana beside a space
            said = padded = name.partition("^")[0]
        made.PatientName = f"{name} " if padded != said and form == 1 else name
        made.StudyDescription = {1: padded, 2: [said, "Head"]}.get(form, said)
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if form == 3 else ExplicitVRLittleEndian
        path = folder / f"{form}-{number:02d}-{character_set.replace(chr(92), '+').replace(' ', '_')}.dcm"
        made.save_as(path, enforce_file_format=True)
        yield path


_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
WANTED: dict[str, Any] = {"PatientName": person_name, "StudyDescription": description}
SHOWN: dict[str, Any] = {"PatientName": shown_name, "StudyDescription": shown_description}
_ITEMS = text("SELECT study_instance_uid, item_id FROM study_identity JOIN item_study USING (study_id)")
