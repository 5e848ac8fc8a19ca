"""Rules on who a patient is: NHS number status, age at the exam, name keys; right or not known.

Pure: no I/O, no clock, no settings. It must never merge people; an NHS number is a fact about a
patient, not the key.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from nhs_number.constants import REGION_ENGLAND_WALES_IOM, REGION_SYNTHETIC
from nhs_number.validate import is_valid

#: Ranges in which a number may stand: England's own, and the range kept for synthetic data.
_REGIONS = (REGION_ENGLAND_WALES_IOM, REGION_SYNTHETIC)
_AGE_STRING = re.compile(r"^(\d{3})([DWMY])$")
_OLDEST_YEARS = 130


def nhs_number_status(number: str | None, trace: str | None = None) -> str:
    """Give `not-sent`, `invalid` (check digit or range), `verified` or `present-untraced`.

    `trace` is the NHS number status indicator of the NHS Data Dictionary, `01` to `08`, as the home RIS sent it
    with the number; only `01` verifies, and not sent is not verified.
    """
    if not number:
        return "not-sent"
    if not any(is_valid(number, for_region=region) for region in _REGIONS):
        return "invalid"
    return "verified" if trace == "01" else "present-untraced"


def age_at(birth_date: date | None, exam_date: date | None, age_as_sent: str | None = None) -> int | None:
    """Give the age in completed years at the exam, or None where it is not known.

    A birth date after the exam, or one that makes the patient older than anyone, says nothing; so
    then, and where it is missing, does PatientAge (DICOM AS, such as `045Y`) decide. Weeks or days
    that fit two ages say nothing either.
    """
    if birth_date is not None and exam_date is not None:
        had_birthday = (exam_date.month, exam_date.day) >= (birth_date.month, birth_date.day)
        years = exam_date.year - birth_date.year - (not had_birthday)
        if 0 <= years <= _OLDEST_YEARS:
            return years
    return _years_as_sent(age_as_sent or "")


def name_key(family_name: str | None, given_name: str | None) -> str | None:
    """Give the form of a name that search compares: upper case, no accents, `FAMILY^GIVEN`."""
    if not family_name:
        return None
    return f"{_plain(family_name)}^{_plain(given_name or '')}"


def _years_as_sent(age: str) -> int | None:
    match = _AGE_STRING.match(age)
    if match is None:
        return None
    count, unit = int(match[1]), match[2]
    if unit in "YM":
        years = count if unit == "Y" else count // 12
        return years if years <= _OLDEST_YEARS else None
    fewest_days, most_days = (count, count) if unit == "D" else (7 * count, 7 * count + 6)
    fewest, most = fewest_days // 366, most_days // 365
    return fewest if fewest == most else None


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return " ".join("".join(letter for letter in apart if not unicodedata.combining(letter)).upper().split())
