"""An item walked through its life by HTTP beside a small model: each act does what it says, or is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from allocation.leases import return_lapsed
from api.permissions import Role
from tests.allocation.always import broken
from tests.allocation.claims.claiming import let_pass
from tests.allocation.configuration.applying import apply_text
from tests.api.serving import LEASE_SECONDS, Served
from tests.builders import arrive
from tests.worklist.life.test_recall import NO_PLAIN_FILM
from worklist.item import ItemState as S

WAITS, READS = {S.READY, S.RECALLED}, {S.READY, S.RECALLED, S.IN_PROGRESS, S.PRELIMINARY}
#: Of each act of a person: from which states it is done, to which it leads; from any other it is 409.
STEERED: dict[str, tuple[set[S], S]] = {
    "hold": ({S.READY, S.IN_PROGRESS, S.RECALLED}, S.ON_HOLD),
    "return-to-site": ({S.READY, S.IN_PROGRESS, S.RECALLED, S.ON_HOLD}, S.RETURNED),
    "outsource": ({S.READY, S.IN_PROGRESS, S.RECALLED, S.ON_HOLD}, S.OUTSOURCED),
    "release": ({S.ON_HOLD}, S.READY),
    "corrected": ({S.RETURNED}, S.READY),
    "take-back": ({S.OUTSOURCED}, S.READY),
    "cancel": ({*READS, S.ON_HOLD, S.RETURNED, S.OUTSOURCED, S.NOT_OFFERED}, S.CANCELLED),
    "recall": ({S.VERIFIED, S.ADDENDUM}, S.RECALLED),
}
UNDOES = {"release", "corrected", "take-back"}
PLAIN_FILM = NO_PLAIN_FILM.replace('"XR"', '"US"')


class Walk(RuleBasedStateMachine):
    """One chest X-ray, a consultant, a trainee and a lead; the model knows its state and who has it."""

    api: Served

    def __init__(self) -> None:
        super().__init__()
        self.state, self.amended, self.purpose = S.READY, False, "first"
        self.holder: str | None = None
        self.lapsed = False
        self.plain = False  # whether a rule keeps plain film back
        self.claims: dict[str, dict[str, Any]] = {}
        self.own: str | None = None  # whose verified report stands
        self.checked: str | None = None  # whose preliminary report waits for its check

    @initialize()
    def images_come(self) -> None:
        apply_text(self.api.database, PLAIN_FILM)
        self.item = arrive(self.api.database, exam="XCHES")
        self.lead = self.api.as_(Role.CLINICAL_LEAD, Role.COORDINATOR)

    @rule(act=st.sampled_from(sorted(STEERED)), again=st.booleans())
    def a_person_acts(self, act: str, again: bool) -> None:
        sources, target = STEERED[act]
        body = {} if act in UNDOES else {"reason": "other"}
        answered = self.lead.post(f"/items/{self.item}/{act}", json=body)
        if self.state not in sources:
            self.refused(answered, 409, "forbidden-move")
            return
        assert answered.status_code == 200, answered.text
        if act == "recall":
            self.amended, self.own, self.purpose = True, None, "amendment"
        if target is S.READY and self.amended:
            target = S.RECALLED
        self.state, self.holder = target, None
        if act in UNDOES:
            self.worked_out()
        assert answered.json()["state"] == self.state
        if again and act not in UNDOES and target not in sources:
            self.refused(self.lead.post(f"/items/{self.item}/{act}", json=body), 409, "forbidden-move")

    @rule(who=st.sampled_from(["reed", "tran"]))
    def somebody_claims(self, who: str) -> None:
        answered = self.api.reporter(who).post("/claims", json={"item_id": self.item})
        free = self.state in WAITS or (self.state in READS and (self.holder is None or self.lapsed))
        if self.state is S.PRELIMINARY and self.checked and who == "tran":
            self.refused(answered, 403, "not-eligible")  # no trainee checks, nor anybody their own report
        elif not free:
            assert answered.status_code in (403, 409), answered.text
        else:
            assert answered.status_code == 201, answered.text
            self.claims[who] = answered.json()
            assert self.claims[who]["purpose"] == self.purpose
            self.holder, self.lapsed = who, False
            if self.state in WAITS:
                self.state = S.IN_PROGRESS

    @rule(
        who=st.sampled_from(["reed", "tran"]), status=st.sampled_from(["preliminary", "verified"]), words=st.integers()
    )
    def somebody_reports(self, who: str, status: str, words: int) -> None:
        made = self.claims.get(who)
        if made is None:
            return
        body = {"token": made["token"], "status": status, "text": f"words {words}"}
        answered = self.api.reporter(who).post(f"/claims/{made['claim_id']}/report", json=body)
        if answered.status_code == 200 and answered.json()["repeated"]:
            return
        if self.holder != who:
            self.refused(answered, 409, "claim-superseded")
        elif (who == "tran" and status == "verified") or (made["purpose"] == "check" and status == "preliminary"):
            self.refused(answered, 403, "not-eligible")
        else:
            assert answered.status_code == 200, answered.text
            if status == "verified":
                self.state, self.holder, self.own, self.amended, self.checked = S.VERIFIED, None, who, False, None
            else:
                self.state = S.PRELIMINARY
                if who == "tran":
                    self.holder, self.checked, self.purpose, self.amended = None, who, "check", False

    @rule(who=st.sampled_from(["reed", "tran"]))
    def somebody_adds(self, who: str) -> None:
        made = self.claims.get(who)
        if made is None or self.holder == who:
            return
        body = {"token": made["token"], "status": "addendum", "text": "and a rib"}
        answered = self.api.reporter(who).post(f"/claims/{made['claim_id']}/report", json=body)
        if answered.status_code == 200 and answered.json()["repeated"]:
            return
        if self.own == who and self.state in (S.VERIFIED, S.ADDENDUM):
            assert answered.status_code == 200, answered.text
            self.state = S.ADDENDUM
        else:
            assert answered.status_code in (403, 409), answered.text

    @rule(who=st.sampled_from(["reed", "tran"]))
    def somebody_gives_it_back(self, who: str) -> None:
        made = self.claims.get(who)
        if made is None:
            return
        answered = self.api.reporter(who).post(f"/claims/{made['claim_id']}/release", json={"token": made["token"]})
        if self.holder != who:
            self.refused(answered, 409, "claim-superseded")
            return
        assert answered.status_code == 204, answered.text
        self.holder = None
        if self.state is S.IN_PROGRESS:
            self.state = S.RECALLED if self.amended else S.READY

    @rule()
    def a_lease_runs_out(self) -> None:
        let_pass(self.api.database, LEASE_SECONDS + 1)
        return_lapsed(self.api.database.app)
        if self.holder is not None:
            self.lapsed = True
            if self.state is S.IN_PROGRESS:
                self.state = S.RECALLED if self.amended else S.READY

    @rule(urgency=st.sampled_from(["stroke", "urgent", "routine"]))
    def a_person_changes_the_priority(self, urgency: str) -> None:
        was = self.lead.get(f"/items/{self.item}").json()["urgency"]
        body = {"reason": "other", "urgency": urgency}
        answered = self.lead.post(f"/items/{self.item}/priority", json=body)
        if self.state in {S.VERIFIED, S.ADDENDUM, S.CANCELLED, S.NOT_OFFERED}:
            self.refused(answered, 409, "forbidden-move")
        elif was == urgency:
            self.refused(answered, 409, "priority-stands")
        else:
            assert (answered.status_code, answered.json()["urgency"]) == (200, urgency)
            self.worked_out()

    @rule(plain=st.booleans())
    def a_rule_takes_plain_film_away_or_gives_it_back(self, plain: bool) -> None:
        apply_text(self.api.database, NO_PLAIN_FILM if plain else PLAIN_FILM)
        if plain != self.plain:
            self.plain = plain
            self.worked_out()

    def worked_out(self) -> None:
        """Work out by the rules in force; those who read go on."""
        if self.plain and self.state is S.READY:
            self.state, self.holder = S.NOT_OFFERED, None
        elif not self.plain and self.state is S.NOT_OFFERED:
            self.state = S.READY

    @invariant()
    def it_stands_where_the_model_says(self) -> None:
        if hasattr(self, "item"):
            assert self.lead.get(f"/items/{self.item}").json()["state"] == self.state

    @invariant()
    def nothing_is_broken(self) -> None:
        assert broken(self.api.database) == {}

    def refused(self, answered: Any, status: int, word: str) -> None:
        assert (answered.status_code, answered.json()["type"]) == (status, word), answered.text


@pytest.mark.parametrize("walks", [6, pytest.param(150, marks=pytest.mark.proof, id="long")])
def test_every_act_in_every_state_does_what_it_says_or_is_refused(api: Served, walks: int) -> None:
    Walk.api = api
    how = settings(max_examples=walks, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Walk, settings=how)
