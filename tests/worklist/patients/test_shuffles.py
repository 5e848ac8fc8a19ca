"""Any shuffle and repetition of ADT, order and object facts ends in the same patients, merges, items and ages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.builders import empty_of_work, shared
from tests.conftest import Database
from tests.worklist.arrivals import an_object, an_order, receive
from tests.worklist.patients.persons import Told, everything, merge, patient, tell, unlink, update
from worklist.db import embedded
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.orders import OrderControl
from worklist.intake.study import PatientAsSent, ReceivedObject
from worklist.turnaround.targets import Setting

Fact = Told | ReceivedObject

_IDENTIFIERS = ["H1", "H2", "H3", "H4"]
_BIRTH_DATES = [None, date(1980, 6, 11), date(2015, 2, 3)]


@pytest.fixture(scope="module")
def one(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    with shared(cluster, network_template) as database:
        yield database


_patients = st.builds(
    lambda identifier, family_name, birth_date, sex, trace: replace(
        patient(identifier, family_name=family_name, birth_date=birth_date, sex=sex),
        nhs_number=trace and "9990000018",
        nhs_number_trace=trace,
    ),
    st.sampled_from(_IDENTIFIERS),
    st.sampled_from(["Elm", "Yew", None]),
    st.sampled_from(_BIRTH_DATES),
    st.sampled_from(["F", "M", None]),
    st.sampled_from([None, "01", "02"]),
)
# Nobody is merged into an identifier of a lower number, so that no shuffle makes a cycle.
_pairs = st.sampled_from([(low, high) for low in _IDENTIFIERS for high in _IDENTIFIERS if low < high])


@st.composite
def _facts(draw: st.DrawFn) -> list[Fact]:
    """Facts of which no two messages are of one instant, and no two studies of one accession number."""
    facts: list[Fact] = []
    for minute in range(draw(st.integers(3, 9))):
        who, (low, high) = draw(_patients), draw(_pairs)
        kind = draw(st.sampled_from(["update", "merge", "merge", "unlink", "order", "order"]))
        if kind == "update":
            facts.append(update(minute, who))
        elif kind == "merge":
            facts.append(merge(minute, low, replace(who, identifier=high)))
        elif kind == "unlink":
            facts.append(unlink(minute, high, low))
        else:
            facts.append(_an_order(minute, draw(st.sampled_from(["A1", "A2", "A3"])), who, draw(st.booleans())))
    for study in range(1, draw(st.integers(1, 3)) + 1):
        who = replace(draw(_patients), nhs_number_trace=None)
        objects = draw(st.integers(1, 2))
        facts += [an_object(n, study=study, accession_number=f"A{study}", patient=who) for n in range(1, objects + 1)]
    return facts


def _an_order(minute: int, accession: str, who: PatientAsSent, change: bool) -> Told:
    control = OrderControl.CHANGE if change else OrderControl.NEW
    return an_order(minute, control, accession_number=accession, patient=who, setting=Setting.INPATIENT)


# Not made smaller where they fail: each try takes seconds.
@settings(max_examples=12, phases=(Phase.explicit, Phase.generate))
@given(_facts(), st.randoms(use_true_random=False))
def test_any_shuffle_and_repetition_ends_alike(one: Database, facts: list[Fact], chance: random.Random) -> None:
    _assert_ends_alike(one, facts, chance)


@pytest.mark.proof
@settings(max_examples=300, derandomize=False, phases=(Phase.explicit, Phase.generate))
@given(_facts(), st.randoms(use_true_random=False))
def test_any_of_many_shuffles_and_repetitions_ends_alike(
    one: Database, facts: list[Fact], chance: random.Random
) -> None:
    _assert_ends_alike(one, facts, chance)


def _assert_ends_alike(database: Database, facts: list[Fact], chance: random.Random) -> None:
    in_order = _left_by(database, facts, completing=False)
    for completing in (False, True):
        shuffled = [*facts, *chance.choices(facts, k=len(facts) // 2)]
        chance.shuffle(shuffled)
        assert _left_by(database, shuffled, completing=completing) == in_order


def _left_by(database: Database, facts: Sequence[Fact], *, completing: bool) -> dict[str, Any]:
    """What facts leave of an empty network; with `completing` studies are looked at after each of them."""
    empty_of_work(database)
    for fact in facts:
        if isinstance(fact, ReceivedObject):
            receive(database.app, fact)
        else:
            tell(database.app, fact)
        if completing:
            complete_quiet_studies(database.app)
    complete_quiet_studies(database.app)
    return everything(database.owner)
