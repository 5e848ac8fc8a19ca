"""Cuts exams and ages into profiles anew after the scopes, and gives waiting items their new profiles.

It must not judge who may report; profiles only part what some scope tells apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, or_, select

from worklist.db.tables.network import exam, exam_group, profile_cut
from worklist.db.tables.people import scope_grant, scope_of_practice
from worklist.db.tables.work import item, reading
from worklist.intake.working_out import reprofile
from worklist.item import UNREPORTED
from worklist.profile import ScopeTerms, age_cuts, exam_group_key, exam_groups, flags_of_exams
from worklist.reading import ReadingState


def recut(connection: Connection) -> int:
    """Cut anew and give how many items were looked at; none where the cut is the one in force."""
    scopes = connection.execute(select(scope_of_practice)).all()
    narrower = connection.execute(select(scope_grant.c.min_age_years, scope_grant.c.max_age_years)).all()
    terms = [
        ScopeTerms(
            frozenset(one.exam_codes),
            one.min_age_years,
            one.max_age_years,
            frozenset(one.excluded_flags),
            one.classifies_unmapped,
        )
        for one in scopes
    ]
    ages = [ScopeTerms(frozenset(), one.min_age_years, one.max_age_years) for one in narrower]
    named = {code for one in terms for code in one.exam_codes}
    # one without a scope group that no scope names stays out, and so is unmapped work: whoever classifies may read it
    ionising = {
        one.code: one.ionising
        for one in connection.execute(select(exam.c.code, exam.c.ionising, exam.c.subspecialty))
        if one.subspecialty is not None or one.code in named
    }
    group_of_exam: dict[str, int] = {}
    flags_of_group = {"": sorted(flags_of_exams(terms, None))}
    for codes in exam_groups(ionising, terms):
        number = _group_id(connection, codes, ionising=ionising[codes[0]])
        group_of_exam |= dict.fromkeys(codes, number)
        flags_of_group[str(number)] = sorted(flags_of_exams(terms, codes))
    flags_of_group = {group: flags for group, flags in flags_of_group.items() if flags}
    cuts = list(age_cuts([*terms, *ages]))
    newest = connection.execute(select(profile_cut).order_by(profile_cut.c.id.desc()).limit(1)).one_or_none()
    cut = {"age_cuts": cuts, "group_of_exam": group_of_exam, "flags_of_group": flags_of_group}
    if newest is not None and {name: getattr(newest, name) for name in cut} == cut:
        return 0
    connection.execute(insert(profile_cut).values(cut))
    unreported = [state.value for state in UNREPORTED]
    to_read = select(reading.c.item_id).where(reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value)))
    waiting = connection.scalars(
        select(item.c.id)
        .where(item.c.profile_id.is_not(None), or_(item.c.state.in_(unreported), item.c.id.in_(to_read)))
        .order_by(item.c.id)
    ).all()
    for item_id in waiting:
        reprofile(connection, item_id)
    return len(waiting)


def _group_id(connection: Connection, codes: Sequence[str], *, ionising: bool) -> int:
    key = exam_group_key(codes, ionising=ionising)
    found: int | None = connection.scalar(select(exam_group.c.id).where(exam_group.c.key == key))
    if found is not None:
        return found
    made = insert(exam_group).values(key=key, exam_codes=list(codes), ionising=ionising).returning(exam_group.c.id)
    return int(connection.execute(made).scalar_one())
