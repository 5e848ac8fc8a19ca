"""Reads what is known of studies' completeness, and of the true end of their acquisition, beside their objects.

Reads only; it must not judge. The transaction sees the trust's identities (`view_as`): without them
nothing that was announced is found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, text

from worklist.db.tables.announced import announced_study, performed_step, performed_step_study
from worklist.db.tables.work import study_identity
from worklist.intake.completeness import CompletedBy, Evidence, Step
from worklist.intake.study import StepStatus
from worklist.local_time import LocalTime


def evidence_of(connection: Connection, studies: Sequence[Row[Any]]) -> dict[int, Evidence]:
    """Give what is known of studies (rows of `study`), by their ids."""
    announced = {
        row.study_id: row
        for row in connection.execute(
            select(study_identity.c.study_id, announced_study)
            .join(
                announced_study,
                (announced_study.c.trust_ods == study_identity.c.trust_ods)
                & (announced_study.c.study_instance_uid == study_identity.c.study_instance_uid),
            )
            .where(study_identity.c.study_id.in_([one.id for one in studies]))
        )
    }
    steps = _steps(connection, [row.id for row in announced.values()])
    return {one.id: _evidence(one, announced.get(one.id), steps) for one in studies}


def step_ends(connection: Connection, study_ids: Sequence[int]) -> dict[int, LocalTime]:
    """Give the latest end of the performed steps of each study that has one, by the ids of the studies."""
    rows = connection.execute(
        select(study_identity.c.study_id, performed_step)
        .join(
            announced_study,
            (announced_study.c.trust_ods == study_identity.c.trust_ods)
            & (announced_study.c.study_instance_uid == study_identity.c.study_instance_uid),
        )
        .join(performed_step_study, performed_step_study.c.announced_study_id == announced_study.c.id)
        .join(performed_step, performed_step.c.id == performed_step_study.c.step_id)
        .where(study_identity.c.study_id.in_(study_ids), performed_step.c.ended_at.is_not(None))
        .order_by(performed_step.c.ended_at, performed_step.c.ended_source, performed_step.c.ended_as_sent)
    )
    return {
        row.study_id: LocalTime(row.ended_as_sent, row.ended_zone, row.ended_fold, row.ended_source, row.ended_at)
        for row in rows
    }


def _evidence(row: Row[Any], announced: Row[Any] | None, steps: dict[int, list[Step]]) -> Evidence:
    heard: dict[str, Any] = {}
    if announced is not None:
        named = announced.available_instances
        heard = {
            "steps": tuple(steps[announced.id]),
            "available": None if named is None else (named, announced.available_whole),
            "answered": announced.answered_at is not None,
            "expected": announced.expected_instances,
        }
    return Evidence(
        instances=row.instance_count,
        last_received_at=row.last_received_at,
        quiet_at=row.quiet_until or row.last_received_at,
        forced=row.completed_by == CompletedBy.FORCED,
        **heard,
    )


def _steps(connection: Connection, announced: Sequence[int]) -> dict[int, list[Step]]:
    found: dict[int, list[Step]] = defaultdict(list)
    if announced:
        for row in connection.execute(_STEPS, {"announced": list(announced)}):
            found[row.announced_study_id].append(Step(StepStatus(row.status), row.performed, row.missing))
    return found


#: Objects of a step are sought in all of its studies: a step does not say which series is of which.
_STEPS = text(
    """
    SELECT l.announced_study_id, p.status, coalesce(sum(s.instances), 0)::integer AS performed,
           coalesce(sum(greatest(s.instances - coalesce(here.instances, 0), 0)), 0)::integer AS missing
    FROM performed_step_study l
    JOIN performed_step p ON p.id = l.step_id AND p.create_digest IS NOT NULL
    LEFT JOIN performed_series s ON s.step_id = p.id
    LEFT JOIN LATERAL (
      SELECT sum(r.instance_count) AS instances
      FROM performed_step_study o
      JOIN announced_study a ON a.id = o.announced_study_id
      JOIN study_identity i ON i.trust_ods = a.trust_ods AND i.study_instance_uid = a.study_instance_uid
      JOIN series r ON r.study_id = i.study_id AND r.series_digest = s.series_digest
      WHERE o.step_id = p.id
    ) here ON true
    WHERE l.announced_study_id = ANY(:announced)
    GROUP BY l.announced_study_id, p.id, p.status ORDER BY p.id
    """
)
