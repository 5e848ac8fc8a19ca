"""One performing employer's permission to report for it: recognition, system access, operator.

Pure: no I/O, no clock, no settings. It must not look at exams beyond whether they are ionising.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A trust's written permission; `operator` covers ionising work under IR(ME)R 2017.

    `trust` is the ODS code of the performing employer; dates are local, both days included.
    """

    id: int
    trust: str
    basis: str
    operator: bool
    system_access: bool
    valid_from: date
    valid_until: date


def why_not(entitlement: Entitlement, *, ionising: bool, on: date) -> str | None:
    """Say why an entitlement does not open work on a local date, or None where it does."""
    if not entitlement.valid_from <= on <= entitlement.valid_until:
        return f"the {entitlement.basis} entitlement is not in force on {on}"
    if not entitlement.system_access:
        return "system access has not been given"
    if ionising and not entitlement.operator:
        return "not entitled as an operator for ionising work"
    return None
