"""What rules and people say of an item's exclusion flags, in the database: who may report it follows at once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from allocation.claims import NotEligible
from tests.allocation.claims.claiming import claim_as
from tests.allocation.configuration.applying import apply_text, refused_text
from tests.allocation.flagged import LIMITED, RULES, flag_rule
from tests.builders import arrive, reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import an_object, an_order, events_of, receive_and_complete, take, the_item
from worklist.exclusions.flags import FlagState
from worklist.intake.orders import OrderControl
from worklist.intake.study import Code
from worklist.item import ForbiddenMove
from worklist.life.acts import cancel
from worklist.life.flagging import UnknownFlag, state_flags
from worklist.life.moves import UnknownItem

NO, YES, UNKNOWN = FlagState.NO, FlagState.YES, FlagState.UNKNOWN
BOTH_CLEARED = {"major_trauma": NO, "post_operative": NO}


@pytest.fixture
def limited(network: Database) -> Database:
    apply_text(network, LIMITED)
    return network


def state(database: Database, item_id: int, stated: dict[str, FlagState]) -> None:
    with database.app.begin() as connection:
        state_flags(connection, "lead", item_id, stated)


def known(database: Database, item_id: int) -> tuple[list[str], list[str], list[str], dict[str, str]]:
    """Give what is so, what is not, what is not known, and who says so."""
    with database.owner.connect() as connection:
        row = connection.execute(
            text(
                "SELECT i.flags, i.cleared_flags, p.unknown_flags, i.flags_by"
                " FROM item i JOIN profile p ON p.id = i.profile_id WHERE i.id = :item"
            ),
            {"item": item_id},
        ).one()
    return row.flags, row.cleared_flags, row.unknown_flags, row.flags_by


def refused(database: Database, item_id: int) -> str:
    with pytest.raises(NotEligible) as refusal:
        claim(database, "hart", item_id)
    return str(refusal.value)


def claim(database: Database, code: str, item_id: int) -> bool:
    return claim_as(database, reporter_id(database, code), item_id=item_id) is not None


def test_what_nobody_tells_is_not_known_and_closes_the_scope(limited: Database) -> None:
    item_id = arrive(limited)
    assert known(limited, item_id) == ([], [], ["major_trauma", "post_operative"], {})
    assert "it excludes major_trauma; whether it is so is not known" in refused(limited, item_id)
    assert claim(limited, "reed", item_id)


def test_an_exam_whose_scopes_exclude_nothing_has_no_unknown_flag(limited: Database) -> None:
    assert known(limited, arrive(limited, exam="XCHES")) == ([], [], [], {})


def test_what_rules_tell_is_written_with_the_rule(limited: Database) -> None:
    apply_text(limited, RULES)
    item_id = arrive(limited)
    by = {"major_trauma": "gp-trauma", "post_operative": "gp-operation"}
    assert known(limited, item_id) == ([], ["major_trauma", "post_operative"], [], by)
    assert claim(limited, "hart", item_id)


def test_rules_that_come_later_open_what_waits_and_rules_that_end_close_it(limited: Database) -> None:
    item_id = arrive(limited)
    assert apply_text(limited, RULES).worked_out == 1
    assert known(limited, item_id)[2] == []
    assert apply_text(limited, RULES).worked_out == 0
    ended = RULES.replace("source", "valid_to = 2026-02-01\nsource")
    assert apply_text(limited, ended).worked_out == 1
    assert known(limited, item_id)[2] == ["major_trauma", "post_operative"]
    assert refused(limited, item_id)


def test_a_rule_of_another_trust_is_none_of_this_one_s(limited: Database) -> None:
    item_id = arrive(limited)
    rule = flag_rule("b", "major_trauma", "no", 'trust = "RXB"', 'settings = ["gp"]')
    assert apply_text(limited, rule).worked_out == 0
    assert known(limited, item_id)[2] == ["major_trauma", "post_operative"]


def test_a_person_clears_flags_in_one_step(limited: Database) -> None:
    item_id = arrive(limited)
    state(limited, item_id, {"major_trauma": NO})
    assert known(limited, item_id) == ([], ["major_trauma"], ["post_operative"], {"major_trauma": "person"})
    assert "post_operative" in refused(limited, item_id)
    state(limited, item_id, {"post_operative": NO})
    assert events_of(limited.app)[-1] == "item.flags-stated"
    assert claim(limited, "hart", item_id)


def test_a_person_who_says_that_it_is_so_closes_the_scope_whatever_a_rule_says(limited: Database) -> None:
    apply_text(limited, RULES)
    item_id = arrive(limited)
    state(limited, item_id, {"major_trauma": YES})
    assert known(limited, item_id)[0] == ["major_trauma"]
    assert refused(limited, item_id).endswith("it excludes major_trauma")
    state(limited, item_id, {"major_trauma": UNKNOWN})
    assert known(limited, item_id)[3]["major_trauma"] == "gp-trauma"


def test_a_clearing_lapses_when_the_clinical_question_is_another(limited: Database) -> None:
    hand: Any = (Code("XHANL", "NICIP", "XR Hand Lt"),)
    receive_and_complete(limited.app, an_object(requested_codes=hand))
    item_id = the_item(limited.app).id
    state(limited, item_id, BOTH_CLEARED)
    assert known(limited, item_id)[2] == []
    take(limited.app, an_order(exams=hand, clinical_question="Fell on the hand"))
    assert known(limited, item_id)[2] == ["major_trauma", "post_operative"]
    state(limited, item_id, BOTH_CLEARED | {"major_trauma": YES})
    take(limited.app, an_order(5, OrderControl.CHANGE, exams=hand, clinical_question="Post-op check of the hand"))
    assert known(limited, item_id) == (["major_trauma"], [], ["post_operative"], {"major_trauma": "person"})
    apply_text(limited, RULES)
    assert known(limited, item_id)[0] == ["major_trauma", "post_operative"]


def test_what_is_not_waiting_or_not_there_is_not_flagged(limited: Database) -> None:
    item_id = arrive(limited)
    with limited.app.begin() as connection:
        cancel(connection, "lead", item_id, "duplicate")
    with pytest.raises(ForbiddenMove):
        state(limited, item_id, BOTH_CLEARED)
    with pytest.raises(UnknownItem):
        state(limited, 987654321, BOTH_CLEARED)


def test_a_flag_that_no_scope_and_no_rule_names_is_refused_with_those_there_are(limited: Database) -> None:
    item_id = arrive(limited)
    with pytest.raises(UnknownFlag, match="no exclusion flag 'trauma'; there are major_trauma, post_operative"):
        state(limited, item_id, {"trauma": NO})


@pytest.mark.parametrize(
    ("conditions", "what"),
    [
        ((), "a rule needs"),
        (('state = "no"', 'words = ["nai"]'), "only tell that a flag is so"),
        (('exam_codes = ["NOVEL"]',), "no exam 'NOVEL'"),
        (('trust = "RXX"', 'settings = ["gp"]'), "no trust 'RXX'"),
        (("min_age_years = 20", "max_age_years = 10"), "max_age_years"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(network: Database, conditions: tuple[str, ...], what: str) -> None:
    said: Any = "no" if 'state = "no"' in conditions else "yes"
    rule = flag_rule("r", "trauma", said, *(one for one in conditions if not one.startswith("state")))
    assert any(what in str(fault) for fault in refused_text(network, rule))
