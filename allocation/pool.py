"""The statements that find a free reading by the index of eligibility, and lock it.

All take `reporter`, `radiologist`, `purpose`, `trusts`, `modalities` and `refused`. They must not judge:
what they find is a candidate, and `allocation.claims` asks the rule. A bundle is what waits of one trust's patient of
one day.
"""

from __future__ import annotations

#: The first in the order given that is still free. The item is locked before the reading, as everywhere.
LOCK_ONE = """
SELECT r.* FROM reading r JOIN item i ON i.id = r.item_id
WHERE r.id = ANY(:ids) AND r.state = 'open' AND r.free_from <= radpool_now()
ORDER BY array_position(CAST(:ids AS bigint[]), r.id) LIMIT 1 FOR NO KEY UPDATE OF i, r {how}
"""

#: What every search asks of a reading beyond the index.
_FITS = """
  r.state = 'open' AND r.free_from <= radpool_now()
  AND (CAST(:purpose AS text) IS NULL OR r.purpose = :purpose)
  AND (NOT r.for_radiologist OR :radiologist)
  AND r.id <> ALL(CAST(:refused AS bigint[]))
  AND (CAST(:trusts AS text[]) IS NULL OR r.trust_ods = ANY(:trusts))
  AND (CAST(:modalities AS text[]) IS NULL
       OR EXISTS (SELECT FROM item i WHERE i.id = r.item_id AND i.modality = ANY(:modalities)))
  AND NOT EXISTS (SELECT FROM item_exclusion x WHERE x.item_id = r.item_id AND x.reporter_id = :reporter)
"""

#: Free readings that the plan gave to a reporter, in the plan's order.
ASSIGNED = """
SELECT r.id FROM assignment a JOIN reading r ON r.id = a.reading_id
WHERE a.reporter_id = :reporter AND a.valid_until > radpool_now() AND FITS
ORDER BY a.rank LIMIT :most
""".replace("FITS", _FITS)

#: Free readings that a reporter may claim by the index, the most urgent first.
POOL = """
WITH mine AS (
  SELECT rp.profile_id, rt.trust_ods, rp.level
  FROM reporter_profile rp
  JOIN profile p ON p.id = rp.profile_id
  JOIN reporter_trust rt ON rt.reporter_id = rp.reporter_id AND rt.ionising = p.ionising
  WHERE rp.reporter_id = :reporter AND rp.valid_until > radpool_now() AND rt.valid_until > radpool_now()
)
SELECT best.id FROM mine CROSS JOIN LATERAL (
  SELECT r.id, r.due_at FROM reading r
  WHERE r.profile_id = mine.profile_id AND r.trust_ods = mine.trust_ods
    AND (r.purpose <> 'check' OR mine.level = 'autonomous') AND FITS
  ORDER BY r.due_at, r.id LIMIT :most
) best
ORDER BY best.due_at, best.id LIMIT :most
""".replace("FITS", _FITS)

_UNASSIGNED = """NOT EXISTS (
  SELECT FROM assignment a
  WHERE a.reading_id = r.id AND a.reporter_id <> :reporter AND a.valid_until > radpool_now()
)"""

#: The same without those planned for a colleague.
POOL_UNASSIGNED = POOL.replace("ORDER BY r.due_at, r.id", f"AND {_UNASSIGNED}\n  ORDER BY r.due_at, r.id")

#: The first of the pool's most urgent readings that fits, locked. Who may report much finds it at once, where
#: going through a thousand profiles takes tens of milliseconds. Eight steps for each profile cost less than half of
#: looking into each, so that those who find nothing this way lose little.
WALK_UNASSIGNED = """
SELECT r.* FROM (
  SELECT id, item_id, profile_id, trust_ods, due_at FROM reading
  WHERE state = 'open' AND free_from <= radpool_now()
  ORDER BY due_at, id LIMIT (SELECT 8 * count(*) FROM reporter_profile WHERE reporter_id = :reporter)
) w
JOIN profile p ON p.id = w.profile_id
JOIN reporter_profile rp ON rp.reporter_id = :reporter AND rp.profile_id = w.profile_id
JOIN reporter_trust rt ON rt.reporter_id = :reporter AND rt.trust_ods = w.trust_ods AND rt.ionising = p.ionising
JOIN reading r ON r.id = w.id
JOIN item i ON i.id = w.item_id
WHERE rp.valid_until > radpool_now() AND rt.valid_until > radpool_now()
  AND (r.purpose <> 'check' OR rp.level = 'autonomous') AND UNASSIGNED AND FITS
ORDER BY w.due_at, w.id LIMIT 1 FOR NO KEY UPDATE OF i, r SKIP LOCKED
""".replace("UNASSIGNED", _UNASSIGNED).replace("FITS", _FITS)

#: No more items of one patient and day are looked at: nobody has so many, and a phantom's must cost no more.
_MOST_OF_A_DAY = 50

#: Free readings of the bundles of items (`items`) that a reporter may claim by the index, the most urgent first.
BUNDLED = """
WITH mates AS (
  SELECT DISTINCT m.id FROM item l CROSS JOIN LATERAL (
    SELECT i.id FROM item i WHERE i.patient_id = l.patient_id AND i.trust_ods = l.trust_ods
      AND i.exam_date = l.exam_date AND i.id <> l.id LIMIT MOST_OF_A_DAY
  ) m WHERE l.id = ANY(CAST(:items AS bigint[]))
)
SELECT r.id FROM mates
JOIN reading r ON r.item_id = mates.id
JOIN profile p ON p.id = r.profile_id
JOIN reporter_profile rp ON rp.reporter_id = :reporter AND rp.profile_id = r.profile_id
JOIN reporter_trust rt ON rt.reporter_id = :reporter AND rt.trust_ods = r.trust_ods AND rt.ionising = p.ionising
WHERE rp.valid_until > radpool_now() AND rt.valid_until > radpool_now()
  AND (r.purpose <> 'check' OR rp.level = 'autonomous') AND FITS
ORDER BY r.due_at, r.id LIMIT :most
""".replace("FITS", _FITS).replace("MOST_OF_A_DAY", str(_MOST_OF_A_DAY))

#: The same of the item that the reporter had last, if they have it still or have reported it, without those planned
#: for a colleague.
GOING_ON = BUNDLED.replace(
    "l.id = ANY(CAST(:items AS bigint[]))",
    "l.id = (SELECT c.item_id FROM (SELECT item_id, ended_at, end_reason FROM claim WHERE reporter_id = :reporter"
    " ORDER BY id DESC LIMIT 1) c WHERE c.ended_at IS NULL OR c.end_reason = 'reported')",
).replace("ORDER BY r.due_at", f"AND {_UNASSIGNED}\nORDER BY r.due_at")

#: How urgent a reading is.
WAITING = """
SELECT r.due_at, r.reporting_minutes, i.urgency FROM reading r JOIN item i ON i.id = r.item_id WHERE r.id = :id
"""
