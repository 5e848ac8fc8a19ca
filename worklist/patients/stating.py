"""Decides what counts of a person: what the home RIS stated under each identifier, and what headers state.

Pure: no I/O, no clock, no settings. A newer message wins over an older one, column by column, whichever was
heard first. It must not decide which identifiers are one person's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from worklist.identity import name_key, nhs_number_status
from worklist.intake.header_truth import patient_of, vote
from worklist.intake.study import PatientAsSent

#: What stands in a record together: where the home RIS stated one of them, headers add nothing to it.
_TOGETHER = (("family_name", "given_name"), ("nhs_number", "nhs_number_trace"), ("birth_date",), ("sex",))
#: What should be the same in records of one person.
COMPARED = ("birth_date", "sex", "nhs_number")
#: A study that names somebody else than is shown stands under this exception, by keyword.
STATED_OTHERWISE = "patient-stated-otherwise"


@dataclass(frozen=True, slots=True)
class Stated:
    """A value (None: said not to be known any more), when its message was made (aware UTC), the message's own id."""

    value: str | None
    at: datetime
    message: str

    @property
    def rank(self) -> tuple[datetime, int, str, str]:
        """What is newer, the greater; of messages of one instant the one with the higher number."""
        return self.at, len(self.message), self.message, self.value or ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one identifier's patient.

    `merged_at` is when it was said that the patient is another's (the newest of a chain); None where this one survives.
    `voices` are what the studies that name the identifier state by DICOM keyword.
    """

    merged_at: datetime | None
    stated: Mapping[str, Stated]
    voices: Sequence[Mapping[str, str]]


def stated_in(sent: PatientAsSent, at: datetime, message: str) -> dict[str, Stated]:
    """Give what a message of the home RIS states of a patient, by column."""
    traced = sent.nhs_number and sent.nhs_number_trace
    values = {
        "family_name": sent.family_name,
        "given_name": sent.given_name,
        "nhs_number": sent.nhs_number,
        "nhs_number_trace": f"{sent.nhs_number_trace} {sent.nhs_number}" if traced else None,
        "birth_date": sent.birth_date.isoformat() if sent.birth_date else None,
        "sex": sent.sex,
    }
    cleared = set(sent.cleared)
    if "nhs_number" in cleared:
        cleared.add("nhs_number_trace")  # it is a status of that number
    return {
        column: Stated(value or None, at, message) for column, value in values.items() if value or column in cleared
    }


def together(known: Mapping[str, Stated], said: Mapping[str, Stated]) -> dict[str, Stated]:
    """Give what was stated last, column by column; what was not said stays."""
    return {column: _newest(_of(column, known, said)) for column in {*known, *said}}


def what_counts(surviving: Record, retired: Sequence[Record]) -> list[dict[str, Any]]:
    """Give the columns of a person's records, the surviving one's first.

    What is said under a retired identifier after its merge is said of the person, and what is said of the
    surviving patient after a merge settles what the retired record says. What was said under a retired identifier
    before counts of the survivor only where nothing else was. Headers count for the survivor all together.
    """
    late = [{column: one for column, one in each.stated.items() if _is_after(one, each)} for each in retired]
    counting = together(surviving.stated, {})
    for each in late:
        counting = together(counting, each)
    early: dict[str, Stated] = {}
    for one in retired:
        early = together(early, one.stated)
    voices = [voice for one in (surviving, *retired) for voice in one.voices]
    records = [columns_of({**early, **counting}, voices)]
    for one in retired:
        settled = {column: new for column, new in surviving.stated.items() if _is_after(new, one)}
        records.append(columns_of(together(one.stated, settled), one.voices))
    return records


def columns_of(stated: Mapping[str, Stated], voices: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Give what a patient's row says of the person; what the home RIS stated outranks what headers do."""
    headers = _of_headers(patient_of(vote(voices)))
    values: dict[str, str | None] = {}
    for group in _TOGETHER:
        by_ris = any(column in stated for column in group)
        for column in group:
            values[column] = (stated[column].value if column in stated else None) if by_ris else headers[column]
    number, born = values["nhs_number"], values["birth_date"]
    trace, _, traced = (values["nhs_number_trace"] or "").partition(" ")
    of_this_number = trace if number is not None and traced == number else None
    named = name_key(values["family_name"], values["given_name"])
    return {
        **values,
        "name_key": named,
        "birth_date": date.fromisoformat(born) if born else None,
        "nhs_number_trace": of_this_number,
        "nhs_number_status": nhs_number_status(number, of_this_number),
        "stated_by_ris": sorted(stated),
    }


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Give the columns in which two records of one person contradict each other; not known contradicts nothing."""
    return [column for column in COMPARED if None not in (one[column], other[column]) and one[column] != other[column]]


def states_otherwise(voice: Mapping[str, str], shown: Mapping[str, Any]) -> list[str]:
    """Give the keywords of name and sex by which headers name another than is shown (`name_key`, `sex`)."""
    found = []
    family, _, given = voice.get("PatientName", "").partition("^")
    stated, known = name_key(family, given), shown["name_key"]
    if stated is not None and known is not None and not _is_one_name(stated, known):
        found.append("PatientName")
    if None not in (voice.get("PatientSex"), shown["sex"]) and voice["PatientSex"] != shown["sex"]:
        found.append("PatientSex")
    return found


def pack(stated: Mapping[str, Stated]) -> dict[str, list[str | None]]:
    """Give what was stated as JSON."""
    return {column: [one.value, one.at.isoformat(), one.message] for column, one in sorted(stated.items())}


def unpack(packed: Mapping[str, Sequence[Any]]) -> dict[str, Stated]:
    """Give what was stated, from JSON."""
    return {column: Stated(value, datetime.fromisoformat(at), by) for column, (value, at, by) in packed.items()}


def _of_headers(said: PatientAsSent) -> dict[str, str | None]:
    born = said.birth_date.isoformat() if said.birth_date else None
    return {
        "family_name": said.family_name,
        "given_name": said.given_name,
        "nhs_number": said.nhs_number,
        "nhs_number_trace": None,
        "birth_date": born,
        "sex": said.sex,
    }


def _is_after(one: Stated, merged: Record) -> bool:
    return merged.merged_at is not None and one.at > merged.merged_at


def _of(column: str, *several: Mapping[str, Stated]) -> list[Stated]:
    return [one[column] for one in several if column in one]


def _newest(several: Iterable[Stated]) -> Stated:
    return max(several, key=lambda one: one.rank)


def _is_one_name(one: str, other: str) -> bool:
    """Whether two name keys can be one name; a given name that is not there contradicts none."""
    (family, _, given), (known_family, _, known_given) = one.partition("^"), other.partition("^")
    return family == known_family and (given == known_given or not given or not known_given)
