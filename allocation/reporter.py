"""Who a reporter is: profession, registration, entitlements and grants, as plain data.

Pure: no I/O, no clock, no settings. It must not judge; `allocation.eligibility` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from allocation.entitlement import Entitlement
from allocation.scope import Grant

#: The register that each profession must be on to report.
REGISTER = {
    "radiologist": "GMC",
    "breast_clinician": "GMC",
    "radiographer": "HCPC",
    "sonographer": "HCPC",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """An entry on a professional register, good to the end of `valid_until` (local date)."""

    body: str
    valid_until: date


@dataclass(frozen=True, slots=True)
class Reporter:
    """A radiologist, reporting radiographer or other who reports.

    `id` is the database's number, `code` the network's short name; `subspecialties` give
    proficiency 1 to 5.
    """

    id: int
    code: str
    name: str
    profession: str
    grade: str
    subspecialties: Mapping[str, int] = field(default_factory=dict)
    registrations: tuple[Registration, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    grants: tuple[Grant, ...] = ()
    suspended_at: datetime | None = None

    @property
    def group(self) -> str:
        """The reporter group that metrics count by: `radiologist` or `radiographer`."""
        return "radiographer" if self.profession in {"radiographer", "sonographer"} else "radiologist"
