"""Merges what the headers of one study say, so that order and repetition of objects do not matter.

A study's facts are sets of values seen, kept sorted and bounded; merging is commutative and
idempotent. Pure: no I/O, no clock, no settings. Names, numbers and dates of people never enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from worklist.intake.study import Code, ReceivedObject

#: Distinct values kept of one fact; a study that states more contradicts itself beyond use.
_MOST_VALUES = 16

Facts = Mapping[str, list[Any]]


def facts_of(received: ReceivedObject) -> dict[str, list[Any]]:
    """Give the facts that one object's header states; `fault` says what could not be read of it, and why."""
    stated: dict[str, list[Any]] = {
        "performed": [_pack(code) for code in received.performed_codes],
        "requested": [_pack(code) for code in received.requested_codes],
        "description": _one(received.study_description),
        "service": [
            word
            for word in (
                received.requesting_service,
                received.institutional_department_name,
                received.current_patient_location,
            )
            if word
        ],
        "priority": _one(received.requested_procedure_priority),
        "age": _one(received.patient_age),
        "study_date": _one(received.study_date.isoformat() if received.study_date else None),
        "modality": _one(received.image_modality),
        "fault": [f"{keyword}: {reason}" for keyword, reason in received.header_faults],
    }
    return merge({name: values for name, values in stated.items() if values}, {})


def merge(one: Facts, other: Facts) -> dict[str, list[Any]]:
    """Give the facts of both; the order of the two does not matter."""
    return {name: _settled([*one.get(name, ()), *other.get(name, ())]) for name in sorted({*one, *other})}


def merge_all(many: Iterable[Facts]) -> dict[str, list[Any]]:
    """Give the facts of all studies of an item."""
    merged: dict[str, list[Any]] = {}
    for facts in many:
        merged = merge(merged, facts)
    return merged


def codes(facts: Facts, name: str) -> tuple[Code, ...]:
    """Unpack the codes of one fact."""
    return tuple(Code(*packed) for packed in facts.get(name, ()))


def _settled(values: Iterable[Any]) -> list[Any]:
    """Sort values, drop what stands twice and what is too many; codes are lists of words."""
    distinct = sorted({tuple(value) if isinstance(value, list) else value for value in values})
    return [list(value) if isinstance(value, tuple) else value for value in distinct[:_MOST_VALUES]]


def _pack(code: Code) -> list[str]:
    return [code.value, code.scheme, code.meaning]


def _one(value: str | None) -> list[str]:
    return [value] if value else []
