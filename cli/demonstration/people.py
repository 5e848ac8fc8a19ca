"""Invents patients: nobody of that name, number or birth date is meant.

Pure: a seeded generator in, a person out. It must not use an NHS number outside the 999 range,
which is kept for synthetic data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal

from nhs_number.validate import calculate_checksum

#: PatientSex; `O` is not invented.
Sex = Literal["F", "M"]


def person(rng: Random, on: date, *, child: bool, sex: Sex | None = None) -> Person:
    """Invent a patient of 16 to 95 years, or as a child of up to 15, on a day."""
    age = rng.randint(0, 15) if child else min(95, max(16, round(rng.gauss(58, 20))))
    sexes: tuple[Sex, ...] = ("F", "M") if sex is None else (sex,)
    known_sex = rng.choice(sexes)
    return Person(
        family_name=rng.choice(_FAMILY_NAMES),
        given_name=rng.choice(_GIVEN_NAMES[known_sex]),
        sex=known_sex,
        birth_date=_birthday(on, age) - timedelta(days=rng.randint(0, 364)),
        nhs_number=synthetic_nhs_number(rng),
        local_number=f"{rng.randint(1, 9_999_999):07d}",
    )


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient; `local_number` is seven digits, for a trust's own identifier."""

    family_name: str
    given_name: str
    sex: Sex
    birth_date: date
    nhs_number: str
    local_number: str


def synthetic_nhs_number(rng: Random) -> str:
    """Give ten digits from 999 000 0000 on with a right check digit (modulus 11)."""
    while True:
        nine = f"999{rng.randint(0, 999_999):06d}"
        check = calculate_checksum(nine)
        if check is not None and check < 10:
            return f"{nine}{check}"


def _birthday(on: date, age: int) -> date:
    day = 28 if (on.month, on.day) == (2, 29) else on.day
    return date(on.year - age, on.month, day)


_FAMILY_NAMES = (
    "Ashworth", "Bianchi", "Cartwright", "Dhillon", "Eastwood", "Farooq", "Grönvold", "Hussain", "Iqbal",
    "Jankowski", "Kaur", "Llewellyn", "Mensah", "Núñez", "O'Driscoll", "Papadakis", "Quigley", "Rosén",
    "Sutcliffe", "Thackeray", "Uddin", "Vasquez", "Wetherby", "Xu", "Yilmaz", "Zielińska",
)  # fmt: skip
_GIVEN_NAMES: dict[Sex, tuple[str, ...]] = {
    "F": ("Amelia", "Bronwen", "Chidinma", "Dorothy", "Esmé", "Fatima", "Gwen", "Harpreet", "Ingrid", "Joan", "Zoë"),
    "M": ("Arthur", "Bilal", "Cillian", "Dafydd", "Emeka", "Frank", "Gurdeep", "Harold", "Ivor", "José", "Tomasz"),
}
