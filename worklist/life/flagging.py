"""What a person says of an item's exclusion flags, against its clinical question; one transaction with event and audit.

The caller commits. It must not decide who may say so; the edge does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from worklist.exams.catalogue import rules_in_force
from worklist.exclusions.flags import FlagState, looked_at
from worklist.exclusions.statements import write_statements
from worklist.intake.item_facts import facts_of_item
from worklist.intake.working_out import work_out
from worklist.item import UNREPORTED, ForbiddenMove, ItemState
from worklist.life.acts import lock_for_act, note_act
from worklist.life.moves import append_item_event, lock_item


class UnknownFlag(ValueError):
    """A flag that no scope of practice excludes and no rule tells; says which there are."""

    def __init__(self, flag: str, known: Collection[str]) -> None:
        super().__init__(f"no exclusion flag {flag!r}; there are {', '.join(sorted(known)) or 'none'}")


def state_flags(
    connection: Connection, actor: str, item_id: int, stated: Mapping[str, FlagState], note: str | None = None
) -> None:
    """Say of an item that flags are so, or are not, or take back what was said; who may report it follows.

    That a flag is not so holds while the exams and the clinical question stay what they are.

    Raises
    ------
    UnknownItem, UnknownFlag, ForbiddenMove
    """
    rules = rules_in_force(connection)
    known = {rule.flag for rule in rules.flags}.union(*rules.cut.flags_of_group.values())
    for flag in stated:
        if flag not in known:
            raise UnknownFlag(flag, known)
    row = lock_for_act(connection, item_id)
    if row.profile_id is None or row.state not in UNREPORTED:
        raise ForbiddenMove(ItemState(row.state), "state its exclusion flags")
    seen = looked_at(facts_of_item(connection, row, rules).to_flag(row.trust_ods))
    write_statements(connection, row.trust_ods, item_id, actor, stated, seen)
    work_out(connection, item_id)
    said = {flag: state.value for flag, state in sorted(stated.items())}
    append_item_event(connection, lock_item(connection, item_id), "item.flags-stated", dimensions={"stated": said})
    note_act(connection, actor, row, "state-flags", None, note, said)
