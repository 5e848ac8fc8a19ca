"""What a release adds, changes, brings back and retires, and when it is not believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from allocation.exam_catalogue.changes import (
    Standing,
    Stated,
    changes_of,
    code_faults,
    last_valid_day,
    retires_too_much,
)

CHEST = Stated("XCHES", "XR Chest", None, "none", "chest", "XR")
HAND = Stated("XHANL", "XR Hand Lt", None, "left", "hand", "XR")


def stands(*, of: Stated = CHEST, trust: str | None = None, released: bool = True, retired: bool = False) -> Standing:
    return Standing(of, trust, released, retired)


@pytest.mark.parametrize(
    ("standing", "trust", "kind"),
    [
        (None, None, "added"),
        (stands(), None, "unchanged"),
        (stands(of=replace(CHEST, description="Chest")), None, "changed"),
        (stands(of=replace(CHEST, modality="CT")), None, "changed"),
        (stands(retired=True), None, "changed"),
        (stands(released=False), None, "changed"),
    ],
)
def test_a_code_that_a_release_names(standing: Standing | None, trust: str | None, kind: str) -> None:
    found = changes_of([CHEST], {} if standing is None else {"XCHES": standing}, trust)
    names = {
        "added": [one.code for one in found.added],
        "changed": [one.code for one in found.changed],
        "unchanged": list(found.unchanged),
        "retired": list(found.retired),
    }
    assert names == {name: ["XCHES"] if name == kind else [] for name in names}


@pytest.mark.parametrize(
    ("standing", "trust", "retired"),
    [
        (stands(), None, True),
        (stands(retired=True), None, False),
        (stands(released=False), None, False),
        (stands(trust="RXA"), None, False),
        (stands(trust="RXA"), "RXA", True),
        (stands(trust="RXA"), "RXB", False),
        (stands(), "RXA", False),
    ],
)
def test_a_code_that_a_release_lacks(standing: Standing, trust: str | None, retired: bool) -> None:
    assert changes_of([HAND], {"XCHES": standing}, trust).retired == (("XCHES",) if retired else ())


@pytest.mark.parametrize(("kept", "too_much"), [(79, True), (80, False), (100, False), (0, True)])
def test_a_release_that_lacks_more_than_a_fifth_is_not_believed(kept: int, too_much: bool) -> None:
    all_of_them = [replace(CHEST, code=f"X{number}") for number in range(100)]
    standing = {one.code: stands(of=one) for one in all_of_them}
    found = changes_of(all_of_them[:kept], standing, None)
    assert retires_too_much(found, standing.values(), None) is too_much


def test_a_first_release_retires_nothing_and_is_believed() -> None:
    assert not retires_too_much(changes_of([CHEST], {}, None), (), None)


def test_a_retired_code_stays_valid_for_183_days() -> None:
    assert last_valid_day(date(2026, 4, 1), 183) == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("standing", "told"),
    [
        (stands(), None),
        (stands(of=replace(CHEST, description="xr  CHEST")), None),
        (stands(of=replace(CHEST, description="XR Chest and ribs")), "give `maps_to` to say what the trust means"),
        (stands(trust="RXB"), "an exam of another trust"),
        (stands(trust="RXA", of=replace(CHEST, description="Other")), None),
    ],
)
def test_a_trust_s_code_may_not_mean_another_exam_of_the_network(standing: Standing, told: str | None) -> None:
    found = [what for _, what in code_faults([CHEST], {"XCHES": standing}, "RXA")]
    assert len(found) == (told is not None)
    assert all(told in what for what in found if told)
