"""Routes of the worklist and its items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from allocation.eligibility import judge
from allocation.offered import bundle_of, holds, may_open, offered_to, on_duty
from allocation.workforce import load_item_row, load_reporters, trusts_of, work_of_item
from api.acts import Act, Permitted
from api.cursors import read_cursor, write_cursor
from api.permissions import Role
from api.problems import Problem
from api.schemas.work import Accession, Classify, Complete, Item, ItemPage, QuietFeed, item_of
from worklist.bundles import bundles_of
from worklist.clock import now
from worklist.doubts import list_doubts
from worklist.exclusions.unknown import unknown_flags_of
from worklist.feeds.heard import quiet_feeds
from worklist.intake.item_facts import PERSON
from worklist.item import UNREPORTED, ItemState
from worklist.item_view import ItemView, Page, list_item_ids, read_items
from worklist.life.moves import UnknownItem
from worklist.life.settle import classify, complete, give_accession, say_available
from worklist.log import audit

router = APIRouter(tags=["worklist"])

_LONGEST_PAGE = 500


@router.get("/me")
def me(act: Permitted) -> dict[str, Any]:
    """Who the token belongs to, and the server's time."""
    who = act.principal
    with act.transaction() as connection:
        moment = now(connection)
    return {
        "name": who.name,
        "roles": sorted(who.roles),
        "trust": who.trust,
        "reporter_id": who.reporter_id,
        "now": moment,
    }


@router.get("/worklist")
def worklist(
    act: Permitted,
    trust: str | None = None,
    modality: str | None = None,
    setting: str | None = None,
    state: Annotated[list[ItemState] | None, Query()] = None,
    unknown_flag: str | None = None,
    mine: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=_LONGEST_PAGE)] = 100,
) -> ItemPage:
    """List waiting work, the most urgent first.

    A reporter sees what they hold, what is assigned to them and what they may claim; others see
    the items of their trust, or of the network, and with `mine` what a reporter in their place sees.
    """
    if mine or not act.principal.lists_work:
        states = tuple(state) if state else tuple(UNREPORTED)
        filters = Page(trust, modality, setting, states, limit=limit, unknown_flag=unknown_flag)
        return _reporters_list(act, filters)
    trusts = trust_filter(act, trust)
    page = Page(
        trust=trusts,
        modality=modality,
        setting=setting,
        states=tuple(state) if state else tuple(UNREPORTED),
        after=read_cursor(cursor),
        limit=limit + 1,
        unknown_flag=unknown_flag,
    )
    with act.transaction() as connection:
        ids = list_item_ids(connection, page)
        views = read_items(connection, ids[:limit])
        quiet = _quiet(connection, None, trusts)
        seen = [view.id for view in views if view.patient is not None]
        bundles = bundles_of(connection, seen)
        audit.append(connection, act.principal.name, "worklist read", items=seen, detail={"listed": len(views)})
    more = views[-1] if len(ids) > limit else None
    return ItemPage(
        items=[item_of(view, bundle=bundles.get(view.id, ())) for view in views],
        next_cursor=write_cursor(more.due_at, more.id) if more else None,
        quiet_feeds=quiet,
    )


@router.get("/items/{item_id}")
def item(act: Permitted, item_id: int) -> Item:
    """Show one item."""
    with act.transaction() as connection:
        views = read_items(connection, [item_id])
        if not views or not may_see(act, connection, item_id, views[0].trust):
            raise UnknownItem(item_id)
        bundle = _bundle(act, connection, views[0])
        audit.append(
            connection,
            act.principal.name,
            "item read",
            items=[item_id],
            detail={"patient": views[0].patient is not None},
        )
    return item_of(views[0], bundle=bundle)


@router.get("/items/{item_id}/eligibility")
def eligibility(act: Permitted, item_id: int) -> dict[str, Any]:
    """Say of each reporter whether they may report the item, with every condition and what decided it."""
    with act.transaction() as connection:
        row = load_item_row(connection, item_id)
        if row is None or not may_see(act, connection, item_id, row.trust_ods):
            raise UnknownItem(item_id)
        work, moment = work_of_item(connection, row), now(connection)
        unknown = unknown_flags_of(connection, item_id)
        cleared = replace(work, cleared_flags=work.cleared_flags.union(unknown))
        verdicts = [
            (one, judge(one, work, moment), judge(one, cleared, moment)) for one in load_reporters(connection).values()
        ]
        audit.append(connection, act.principal.name, "eligibility read", items=[item_id])
    return {
        "item_id": item_id,
        "unknown_flags": unknown,
        "reporters": [
            {
                "reporter": one.code,
                "name": one.name,
                "profession": one.profession,
                "eligible": verdict.eligible,
                "eligible_once_flags_are_cleared": once_cleared.eligible,
                "level": verdict.level.name.lower() if verdict.level else None,
                "valid_until": verdict.valid_until,
                "reasons": [
                    {"condition": reason.condition, "passed": reason.passed, "detail": reason.detail}
                    for reason in verdict.reasons
                ],
            }
            for one, verdict, once_cleared in sorted(verdicts, key=lambda told: (not told[1].eligible, told[0].code))
        ],
    }


@router.post("/items/{item_id}/classify", response_model=Item)
def classify_item(act: Permitted, item_id: int, body: Classify) -> Response:
    """Say which exams an item has; a reporter does so for an unmapped item that they hold."""

    def do(connection: Connection) -> tuple[int, Any]:
        _require_classifier(act, connection, item_id)
        classify(connection, act.principal.name, item_id, body.exam_codes)
        act.see_as_principal(connection)
        return 200, item_of(read_items(connection, [item_id])[0])

    return act.once(do, body)


@router.post("/items/{item_id}/accession", response_model=Item)
def accession(act: Permitted, item_id: int, body: Accession) -> Response:
    """Give an item the accession number that its images lacked; it is offered to reporters then."""

    def do(connection: Connection) -> tuple[int, Any]:
        row = load_item_row(connection, item_id)
        if row is None or not act.principal.sees_trust(row.trust_ods):
            raise UnknownItem(item_id)
        stands = give_accession(connection, act.principal.name, item_id, body.accession_number)
        act.see_as_principal(connection)
        return 200, item_of(read_items(connection, [stands])[0])

    return act.once(do, body)


@router.post("/items/{item_id}/complete", response_model=Item)
def complete_item(act: Permitted, item_id: int, body: Complete) -> Response:
    """Say that an item's images are complete; a reporter says so of what they hold, or have duty for."""

    def do(connection: Connection) -> tuple[int, Any]:
        _require_completer(act, connection, item_id)
        complete(connection, act.principal.name, item_id, body.reason, body.note)
        act.see_as_principal(connection)
        return 200, item_of(read_items(connection, [item_id])[0])

    return act.once(do, body)


@router.post("/items/{item_id}/available", response_model=Item)
def available(act: Permitted, item_id: int) -> Response:
    """Say that an item's verified report is in its home RIS, which has not told so."""

    def do(connection: Connection) -> tuple[int, Any]:
        row = load_item_row(connection, item_id)
        if row is None or not act.principal.sees_trust(row.trust_ods):
            raise UnknownItem(item_id)
        say_available(connection, act.principal.name, item_id)
        act.see_as_principal(connection)
        return 200, item_of(read_items(connection, [item_id])[0])

    return act.once(do, None)


@router.get("/exceptions")
def exceptions(
    act: Permitted, kind: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    """List what a person must look at, the oldest first."""
    with act.transaction() as connection:
        trust = None if act.principal.network_wide else act.principal.trust
        rows = list_doubts(connection, trust=trust, every_trust=act.principal.network_wide, kind=kind, limit=limit)
        named = sum(row["study"] is not None for row in rows)
        if named:
            audit.append(connection, act.principal.name, "exceptions read", detail={"studies_named": named})
    return {"exceptions": rows}


def _reporters_list(act: Act, filters: Page) -> ItemPage:
    with act.transaction() as connection:
        narrow = (filters.setting, filters.unknown_flag) != (None, None) or filters.states != tuple(UNREPORTED)
        reach = _LONGEST_PAGE if narrow else filters.limit
        offers = offered_to(connection, act.reporter_id, limit=reach, trust=filters.trust, modality=filters.modality)
        views = {
            view.id: view for view in read_items(connection, [one.item_id for one in offers]) if filters.takes(view)
        }
        shown = [one for one in offers if one.item_id in views][: filters.limit]
        seen = sorted({one.item_id for one in shown if views[one.item_id].patient is not None})
        quiet = _quiet(connection, trusts_of(connection, act.reporter_id), filters.trust)
        audit.append(connection, act.principal.name, "worklist read", items=seen, detail={"listed": len(shown)})
    return ItemPage(items=[item_of(views[one.item_id], one) for one in shown], quiet_feeds=quiet)


def _bundle(act: Act, connection: Connection, view: ItemView) -> Sequence[int]:
    """Give what else waits of an item's patient and day, to those who see the patient; to a reporter what is theirs."""
    if view.patient is None:
        return ()
    if act.principal.sees_trust(view.trust):
        return bundles_of(connection, [view.id]).get(view.id, ())
    return [one.item_id for one in bundle_of(connection, act.reporter_id, view.id)]


def _quiet(connection: Connection, trusts: frozenset[str] | None, wanted: str | None) -> list[QuietFeed]:
    """Give what feeds a list and is quiet; `trusts` None is the whole network."""
    feeding = trusts if wanted is None else frozenset({wanted}) if trusts is None else trusts & {wanted}
    return [QuietFeed.model_validate(one) for one in quiet_feeds(connection, feeding)]


def trust_filter(act: Act, wanted: str | None) -> str | None:
    """Give the trust to list: the principal's own, or for the network the wanted one or all."""
    if act.principal.network_wide:
        return wanted
    if act.principal.trust is None:
        raise Problem(403, "not-permitted", "this account has no trust; add it with --trust ODS")
    if wanted not in (None, act.principal.trust):
        raise Problem(404, "not-found", "no such trust of yours")
    return act.principal.trust


def may_see(act: Act, connection: Connection, item_id: int, trust: str) -> bool:
    """Whether an item is theirs: their trust's, the network's to see, or theirs to open as a reporter."""
    if act.principal.sees_trust(trust):
        return True
    is_reporter = Role.REPORTER in act.principal.roles
    return is_reporter and may_open(connection, act.reporter_id, item_id)


def _require_classifier(act: Act, connection: Connection, item_id: int) -> None:
    """A role that settles items may classify any of theirs; a reporter what is unmapped and in their hands."""
    row = load_item_row(connection, item_id)
    if row is not None and act.principal.settles and act.principal.sees_trust(row.trust_ods):
        return
    if row is None or Role.REPORTER not in act.principal.roles or not holds(connection, act.reporter_id, item_id):
        raise UnknownItem(item_id)
    exams = read_items(connection, [item_id])[0].exams
    if all(one.code is not None and one.mapped_by != PERSON for one in exams):
        raise Problem(403, "not-permitted", "its exams are known; a PACS manager or clinical lead corrects them")


def _require_completer(act: Act, connection: Connection, item_id: int) -> None:
    """A role that completes may for any of theirs; a reporter what is in their hands, or theirs by duty."""
    row = load_item_row(connection, item_id)
    if row is not None and act.principal.completes and act.principal.sees_trust(row.trust_ods):
        return
    if row is None or Role.REPORTER not in act.principal.roles:
        raise UnknownItem(item_id)
    if not holds(connection, act.reporter_id, item_id) and not on_duty(connection, act.reporter_id, item_id):
        raise UnknownItem(item_id)
