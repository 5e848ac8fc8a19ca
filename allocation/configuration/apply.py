"""Puts a configuration into effect, all or nothing, in the caller's transaction; keeps who, when, what.

Rows are matched by their names; what a document leaves out stays as it was. Standing rate cards and
signed scopes are never edited: a change needs a new version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text

from allocation.configuration.document import Network
from allocation.configuration.people import put_reporter, put_sessions
from allocation.configuration.read import Fault, InvalidConfiguration, ReadNetwork
from allocation.configuration.recut import recut
from allocation.configuration.references import Known, check_references
from allocation.configuration.rows import put_rows, words
from allocation.configuration.sources import Source
from allocation.configuration.standing import add_rate_cards, add_scopes
from allocation.exam_catalogue.words import NOT_IONISING
from allocation.suspension import take_back_all
from allocation.workforce import hold_index, rebuild_index
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.alerts import alert_timer
from worklist.db.tables.catalogue import minutes_modifier, minutes_rule
from worklist.db.tables.exclusions import flag_rule
from worklist.db.tables.life import act_reason, pause_rule
from worklist.db.tables.network import config_version, exam, not_offered_rule, ris, source, target_rule, trust
from worklist.db.tables.pay import outsource_price
from worklist.db.tables.people import engagement, reporter, scope_of_practice
from worklist.exams.catalogue import Rules, rules_in_force
from worklist.exams.codes import AliasKind, normal
from worklist.exams.mappings import Word, state_word
from worklist.intake.offering import to_flag_anew, to_reconsider
from worklist.intake.places import note_contested
from worklist.intake.remapping import ask_to_work_out_unmapped
from worklist.intake.working_out import CUT_LOCK, work_out
from worklist.log import audit, events


@dataclass(frozen=True, slots=True)
class Applied:
    """What an import did: rows per table, and how many waiting items got another profile or were worked out again.

    `taken_back` counts claims that ended because their holders may not report the item any more.
    """

    rows: dict[str, int]
    reprofiled: int
    worked_out: int = 0
    taken_back: int = 0


def apply(connection: Connection, read: ReadNetwork, *, by: str) -> Applied:
    """Put a configuration into effect; the caller commits, or rolls back for a dry run.

    Raises
    ------
    InvalidConfiguration
        With every fault; the transaction is to be rolled back then.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CUT_LOCK})
    _refuse(check_references(read, _known(connection)))
    network = read.network
    before = rules_in_force(connection)
    _network_rows(connection, network, by)
    _refuse([*add_scopes(connection, read), *add_rate_cards(connection, read)])
    for row in network.reporter:
        put_reporter(connection, row)
    _refuse(put_sessions(connection, read))
    _record(connection, read, by)
    hold_index(connection)  # before the items, as those who claim do
    reprofiled = recut(connection)
    if network.trust or network.source:
        note_contested(connection)
    worked_out = _work_out_again(connection, before, rules_in_force(connection))
    rebuild_index(connection)
    taken_back = take_back_all(connection, by)
    view_as(connection, Viewer())
    if network.exam or network.exam_alias or network.minutes_rule or network.minutes_modifier:
        ask_to_work_out_unmapped(connection, "configuration")
    rows = {name: len(getattr(network, name)) for name in Network.model_fields if getattr(network, name)}
    events.append(connection, "configuration.imported", dimensions={"rows": rows, "taken_back": taken_back})
    audit.append(connection, by, "configuration imported", items=taken_back, detail={"rows": rows})
    return Applied(rows, reprofiled, worked_out, len(taken_back))


def _work_out_again(connection: Connection, before: Rules, after: Rules) -> int:
    """Work the items out that a change of what is offered, or of what tells exclusion flags, concerns; give how many.

    At once, not later: who may not report an item any more must not find it in between.
    """
    offers = {rule.trust for rule in {*before.not_offered} ^ {*after.not_offered}}
    flags = {rule.trust for rule in {*before.flags} ^ {*after.flags}}
    found = sorted({*to_reconsider(connection, offers), *to_flag_anew(connection, flags)}, key=lambda one: one[1])
    for trust_ods, item_id in found:
        view_as(connection, Viewer(trust=trust_ods))
        work_out(connection, item_id)
    view_as(connection, Viewer())
    return len(found)


#: Conditions of a flag's rule that are lists.
_SEVERAL = ("exam_codes", "modalities", "settings", "urgencies", "words")


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise InvalidConfiguration(faults)


def _known(connection: Connection) -> Known:
    def names(column: Any) -> frozenset[str]:
        return frozenset(connection.scalars(select(column)))

    called = connection.execute(select(trust.c.ods_code, trust.c.known_as)).all()
    return Known(
        frozenset(row.ods_code for row in called),
        {row.ods_code: tuple(row.known_as) for row in called},
        names(exam.c.code),
        names(scope_of_practice.c.code),
        names(reporter.c.code),
        {
            row.code: row.reporter
            for row in connection.execute(
                select(engagement.c.code, reporter.c.code.label("reporter")).join(
                    reporter, reporter.c.id == engagement.c.reporter_id
                )
            )
        },
        frozenset((row.act, row.code) for row in connection.execute(select(act_reason.c.act, act_reason.c.code))),
    )


def _record(connection: Connection, read: ReadNetwork, by: str) -> None:
    whole = "\n".join(one.text for one in read.sources)
    connection.execute(
        insert(config_version).values(
            imported_by=by,
            file_name=", ".join(one.name for one in read.sources),
            sha256=hashlib.sha256(whole.encode()).hexdigest(),
            document=read.network.model_dump(mode="json", exclude_defaults=True),
        )
    )


def _source_values(row: Source) -> dict[str, Any]:
    stated, meanwhile = row.completeness, row.claim_while_arriving
    return {
        "ae_title": row.ae_title,
        "trust_ods": row.trust,
        "address": row.address,
        "certificate_subject": row.certificate_subject,
        "quiet_seconds": row.quiet_seconds if stated is None or stated.quiet_seconds is None else stated.quiet_seconds,
        "services": [service.model_dump(mode="json") for service in row.services],
        "completeness": stated.model_dump(mode="json", exclude={"quiet_seconds"}) if stated else None,
        "query": row.query.model_dump(mode="json", by_alias=True) if row.query else None,
        "claim_while_arriving": meanwhile.model_dump(mode="json") if meanwhile else None,
        "elsewhere": list(row.elsewhere),
        "old_after_days": row.old_after_days,
    }


def _network_rows(connection: Connection, network: Network, by: str) -> None:
    trusts = [{"ods_code": row.ods_code, "name": row.name, "known_as": list(row.known_as)} for row in network.trust]
    put_rows(connection, trust, ["ods_code"], trusts)
    put_rows(
        connection,
        source,
        ["ae_title"],
        [_source_values(row) for row in network.source],
    )
    put_rows(
        connection,
        ris,
        ["sending_facility"],
        [{"trust_ods": row.trust, **row.model_dump(exclude={"trust"})} for row in network.ris],
    )
    put_rows(
        connection,
        exam,
        ["code"],
        [{**row.model_dump(), "ionising": row.modality not in NOT_IONISING} for row in network.exam],
    )
    for alias in network.exam_alias:
        word = Word(alias.trust, AliasKind(alias.kind), normal(alias.value))
        state_word(connection, word, alias.exam, by=by, valid_from=alias.valid_from)
    view_as(connection, Viewer())
    put_rows(
        connection,
        minutes_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "exam_codes", "body_regions"}),
                "code": row.id,
                "exam_codes": words(row.exam_codes),
                "body_regions": words(row.body_regions),
            }
            for row in network.minutes_rule
        ],
    )
    put_rows(
        connection, minutes_modifier, ["kind", "valid_from"], [row.model_dump() for row in network.minutes_modifier]
    )
    put_rows(
        connection,
        target_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "trust", "modalities", "exam_codes"}),
                "code": row.id,
                "trust_ods": row.trust,
                "modalities": words(row.modalities),
                "exam_codes": words(row.exam_codes),
            }
            for row in network.target
        ],
    )
    put_rows(
        connection,
        not_offered_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "trust", "modalities", "exam_codes", "settings"}),
                "code": row.id,
                "trust_ods": row.trust,
                "modalities": words(row.modalities),
                "exam_codes": words(row.exam_codes),
                "settings": words(row.settings),
            }
            for row in network.not_offered
        ],
    )
    put_rows(
        connection,
        flag_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "trust", *_SEVERAL}),
                "code": row.id,
                "trust_ods": row.trust,
                **{name: words(getattr(row, name)) for name in _SEVERAL},
            }
            for row in network.flag
        ],
    )
    put_rows(connection, act_reason, ["act", "code"], [row.model_dump() for row in network.act_reason])
    put_rows(
        connection,
        pause_rule,
        ["code", "valid_from"],
        [
            {
                **row.model_dump(exclude={"id", "trust", "reasons"}),
                "code": row.id,
                "trust_ods": row.trust,
                "reasons": words(row.reasons),
            }
            for row in network.pause
        ],
    )
    put_rows(
        connection,
        alert_timer,
        ["kind", "trust_ods", "valid_from"],
        [{**row.model_dump(exclude={"trust"}), "trust_ods": row.trust} for row in network.alert_timer],
    )
    put_rows(
        connection,
        outsource_price,
        ["modality", "valid_from"],
        [row.model_dump() for row in network.outsource_price],
    )
