"""What people do with an item beside reading it: each act, its way back, its reason, and whose claim it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from allocation.claims import NotFree
from allocation.leases import ClaimSuperseded, renew
from insight.backlog import backlog
from insight.filters import Filters
from insight.turnaround import turnaround
from tests.allocation.claims.claiming import (
    PRELIMINARY,
    VERIFIED,
    claim_as,
    claimed_by,
    do,
    let_pass,
    report,
)
from tests.allocation.configuration.applying import apply_text
from tests.allocation.pay.earning import INSOURCED, paid, reported
from tests.builders import arrive, reporter_id
from tests.conftest import NOW, Database
from tests.worklist.arrivals import (
    a_home_report,
    an_object,
    an_order,
    doubts_of,
    readings_of,
    receive,
    receive_and_complete,
    take,
    the_item,
)
from worklist.intake.senders import Sender
from worklist.item import ForbiddenMove
from worklist.life import acts as life
from worklist.life.act_reasons import reasons_for
from worklist.life.reasons import FIXED, ReasonedAct, UnknownReason
from worklist.life.recall import recall
from worklist.turnaround.targets import Setting

Stop = Callable[[Connection, str, int, str], None]
STOPS = {
    "on_hold": (life.hold, "awaiting-priors", life.release_hold),
    "returned": (life.return_to_site, "wrong-side-marked", life.take_corrected),
    "outsourced": (life.outsource, "backlog", life.take_back),
}


def ready(network: Database, **values: Any) -> int:
    receive_and_complete(network.app, an_object(**values))
    return int(the_item(network.app).id)


def act(network: Database, what: Callable[..., None], *words: object, note: str | None = None) -> None:
    with network.app.begin() as connection:
        what(connection, "cora", the_item(network.app).id, *words, note)


@pytest.mark.parametrize("state", STOPS)
def test_an_act_takes_the_item_out_of_the_pool_and_its_way_back_offers_it_again(network: Database, state: str) -> None:
    stop, reason, resume = STOPS[state]
    ready(network)
    before = the_item(network.app)
    act(network, stop, reason, note="the mother of Tilda rang")
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (row.state, row.state_reason, only.state) == (state, reason, "held")
    assert row.due_at == before.due_at  # its clock goes on
    assert claim_as(network, reporter_id(network, "reed")) is None
    act(network, resume)
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (row.state, row.state_reason, only.state) == ("ready", None, "open")
    assert claimed_by(network, "reed").item_id == row.id


@pytest.mark.parametrize("state", STOPS)
def test_who_has_it_has_it_no_longer_and_is_told_why(network: Database, state: str) -> None:
    stop, reason, resume = STOPS[state]
    ready(network)
    made = claimed_by(network, "reed")
    act(network, stop, reason)
    with pytest.raises(ClaimSuperseded, match=reason):
        do(network, "renew", "reed", made)
    filed = report(network, "reed", made, VERIFIED)
    assert filed.superseded is not None
    assert the_item(network.app).state == state
    assert "report-under-superseded-claim" in doubts_of(network.app)
    act(network, resume)
    again = claimed_by(network, "reed")  # at once: the ended lease bars nobody
    assert again.token == made.token + 1


@pytest.mark.parametrize("state", STOPS)
def test_late_facts_do_not_bring_it_back(network: Database, state: str) -> None:
    stop, reason, _ = STOPS[state]
    ready(network)
    act(network, stop, reason)
    take(network.app, an_order(setting=Setting.GP))
    receive_and_complete(network.app, an_object(2))
    assert (the_item(network.app).state, the_item(network.app).setting) == (state, "gp")
    assert [one.state for one in readings_of(network.app)] == ["held"]


@pytest.mark.parametrize("state", STOPS)
def test_the_home_ris_s_final_report_ends_it_wherever_it_is(network: Database, state: str) -> None:
    stop, reason, _ = STOPS[state]
    ready(network)
    act(network, stop, reason)
    take(network.app, a_home_report())
    assert (the_item(network.app).state, the_item(network.app).state_reason) == ("reported_elsewhere", None)


@pytest.mark.parametrize("state", STOPS)
def test_event_and_audit_say_who_did_what_and_why_and_free_words_stay_in_their_table(
    network: Database, state: str
) -> None:
    stop, reason, _ = STOPS[state]
    ready(network)
    act(network, stop, reason, note="Zephyrwood")
    with network.owner.connect() as connection:
        kept = connection.execute(text("SELECT actor, reason, note FROM item_act")).one()
        event = connection.execute(text("SELECT dimensions FROM event ORDER BY id DESC LIMIT 1")).scalar_one()
        payload = connection.execute(
            text("SELECT actor, payload FROM audit.entry ORDER BY at DESC, sequence DESC")
        ).all()
    assert tuple(kept) == ("cora", reason, "Zephyrwood")
    assert (event["reason"], event["by"]) == (reason, "person")
    assert any(actor == "cora" and reason in words for actor, words in payload)
    assert "Zephyrwood" not in str(event) + str(payload)


def test_a_note_is_shown_to_no_other_trust(network: Database) -> None:
    ready(network)
    act(network, life.hold, "other", note="words")
    with network.app.begin() as connection:
        assert connection.execute(text("SELECT note FROM item_act")).all() == []


def test_an_unknown_reason_is_refused_and_a_network_s_own_counts_while_it_is_in_force(network: Database) -> None:
    ready(network)
    with pytest.raises(UnknownReason, match="awaiting-priors"):
        act(network, life.hold, "awaiting-the-gunner")
    own = '[[act_reason]]\nact = "hold"\ncode = "awaiting-the-gunner"\ndescription = "x"\nsource = "t"\n'
    apply_text(network, own + "valid_from = 2026-06-11\n")
    with pytest.raises(UnknownReason):
        act(network, life.hold, "awaiting-the-gunner")
    apply_text(network, own + "valid_from = 2026-06-10\n")
    act(network, life.hold, "awaiting-the-gunner")
    with network.app.connect() as connection:
        assert reasons_for(connection, ReasonedAct.HOLD) == (*FIXED[ReasonedAct.HOLD], "awaiting-the-gunner")


def test_every_act_has_fixed_reasons_and_other_is_one() -> None:
    assert all("other" in FIXED[one] and len(set(FIXED[one])) == len(FIXED[one]) for one in ReasonedAct)


def test_what_is_not_worked_out_is_not_held(network: Database) -> None:
    receive(network.app, an_object(requesting_service="Ward 4"), sender=Sender("PACS_A", "RXA", 600))
    assert the_item(network.app).state == "arriving"
    with pytest.raises(ForbiddenMove):
        act(network, life.hold, "other")


def test_what_lacks_its_accession_number_is_not_released_and_a_hold_outlasts_the_number(network: Database) -> None:
    from worklist.life.settle import give_accession

    ready(network, accession_number=None)
    with pytest.raises(life.AccessionMissing):
        act(network, life.release_hold)
    act(network, life.return_to_site, "wrong-patient")
    with pytest.raises(life.AccessionMissing):
        act(network, life.take_corrected)
    with network.app.begin() as connection:
        give_accession(connection, "pacs", the_item(network.app).id, "000777")
    act(network, life.take_corrected)
    act(network, life.hold, "other")
    assert the_item(network.app).state == "on_hold"


def test_work_with_a_preliminary_report_waits_for_its_check_and_is_not_held(network: Database) -> None:
    ready(network)
    report(network, "reed", claimed_by(network, "reed"), PRELIMINARY)
    for stop, reason, _ in STOPS.values():
        with pytest.raises(ForbiddenMove):
            act(network, stop, reason)


def test_a_cancelled_item_ends_the_claim_and_only_the_home_ris_reports_it(network: Database) -> None:
    ready(network)
    made = claimed_by(network, "reed")
    act(network, life.cancel, "duplicate")
    assert (the_item(network.app).state, the_item(network.app).state_reason) == ("cancelled", "duplicate")
    assert report(network, "reed", made, VERIFIED).superseded is not None
    with pytest.raises(ForbiddenMove):
        act(network, life.cancel, "duplicate")
    take(network.app, a_home_report())
    assert the_item(network.app).state == "reported_elsewhere"


def test_a_recalled_report_stays_as_history_and_its_author_may_amend_it(network: Database) -> None:
    ready(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    due_at = the_item(network.app).due_at
    act(network, recall, "error-in-report")
    row, [first, amendment] = the_item(network.app), readings_of(network.app)
    assert (row.state, row.reported_at, row.due_at) == ("recalled", None, due_at)
    assert (first.state, amendment.purpose, amendment.state, amendment.due_at) == ("done", "amendment", "open", due_at)
    with network.app.connect() as connection:
        assert backlog(connection, Filters()).rows[0].recalled == 1
    made = claimed_by(network, "reed")
    assert (made.purpose, the_item(network.app).state) == ("amendment", "in_progress")
    let_pass(network, 60)
    report(network, "reed", made, VERIFIED)
    row = the_item(network.app)
    assert row.state == "verified"
    assert row.reported_at >= NOW + timedelta(seconds=60)  # the amended report stops the clock
    with network.app.connect() as connection:
        standing = "SELECT status, recalled_at IS NULL FROM report ORDER BY id"
        reports = [tuple(one) for one in connection.execute(text(standing))]
        assert turnaround(connection, Filters()).rows[0].reported == 1
    assert reports == [("verified", False), ("verified", True)]


def test_an_amendment_that_is_given_back_or_lapses_is_recalled_as_before(network: Database) -> None:
    from allocation.leases import return_lapsed

    ready(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    act(network, recall, "wrong-side")
    made = claimed_by(network, "reed")
    do(network, "release", "reed", made)
    assert the_item(network.app).state == "recalled"
    made = claimed_by(network, "reed")
    let_pass(network, 601)
    assert return_lapsed(network.app) == 1
    assert the_item(network.app).state == "recalled"
    with network.app.begin() as connection:
        renew(connection, reporter_id(network, "reed"), made.claim_id, made.token, lease_seconds=600)
    assert the_item(network.app).state == "in_progress"
    report(network, "reed", made, VERIFIED)
    assert the_item(network.app).state == "verified"


def test_what_was_never_reported_here_is_not_recalled(network: Database) -> None:
    ready(network)
    with pytest.raises(ForbiddenMove):
        act(network, recall, "other")
    take(network.app, a_home_report())
    with pytest.raises(ForbiddenMove):
        act(network, recall, "other")


def test_a_recalled_item_can_be_held_and_offered_again(network: Database) -> None:
    ready(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    act(network, recall, "other")
    act(network, life.hold, "other")
    with pytest.raises(NotFree):
        claim_as(network, reporter_id(network, "reed"), item_id=the_item(network.app).id)
    act(network, life.release_hold)
    assert claimed_by(network, "reed").purpose == "amendment"


def test_work_that_is_elsewhere_still_waits_in_the_figures(network: Database) -> None:
    ready(network)
    act(network, life.outsource, "backlog")
    with network.app.connect() as connection:
        row = backlog(connection, Filters()).rows[0]
    assert (row.items, row.outsourced, row.ready) == (1, 1, 0)


@pytest.mark.parametrize("state", STOPS)
def test_a_report_and_an_act_at_the_same_moment_leave_one_of_the_two(network: Database, state: str) -> None:
    """Whichever comes first counts: the other is refused, or kept for a person. Nothing is lost and nothing both."""
    stop, reason, _ = STOPS[state]
    ready(network)
    made, start = claimed_by(network, "reed"), threading.Barrier(2)

    def reports() -> bool:
        start.wait()
        return report(network, "reed", made, VERIFIED).superseded is None

    def stops() -> bool:
        start.wait()
        try:
            act(network, stop, reason)
        except ForbiddenMove:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        reported, stopped = pool.submit(reports), pool.submit(stops)
    assert reported.result() != stopped.result()
    assert the_item(network.app).state == ("verified" if reported.result() else state)
    assert network.count("SELECT count(*) FROM report") == 1


def test_an_amended_report_is_not_paid_again_and_what_was_paid_stays(network: Database) -> None:
    item_id = arrive(network, exam="XHANL")
    reported(network, "hart", INSOURCED)
    paid(network)
    assert network.count("SELECT count(*) FROM pay_line") == 1
    with network.app.begin() as connection:
        recall(connection, "lead", item_id, "error-in-report")
    reported(network, "hart", INSOURCED)
    paid(network)
    assert network.count("SELECT count(*) FROM report WHERE status = 'verified'") == 2
    assert network.count("SELECT count(*) FROM pay_line") == 1
    assert network.count("SELECT count(*) FROM held_pay") == 0
