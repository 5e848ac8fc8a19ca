-- Words of those who skipped or referred. Run by the owner role.
INSERT INTO item_act (trust_ods, item_id, act, actor, reason, note, at)
SELECT i.trust_ods, c.item_id, CASE c.end_reason WHEN 'skipped' THEN 'skip' ELSE 'refer' END, r.code,
  split_part(c.end_detail, ': ', 1), nullif(substr(c.end_detail, length(split_part(c.end_detail, ': ', 1)) + 3), ''),
  c.ended_at
FROM claim c JOIN item i ON i.id = c.item_id JOIN reporter r ON r.id = c.reporter_id
WHERE c.end_reason IN ('skipped', 'referred') AND c.end_detail IS NOT NULL ORDER BY c.ended_at, c.id;
UPDATE claim SET end_detail = split_part(end_detail, ': ', 1)
WHERE end_reason IN ('skipped', 'referred') AND end_detail IS NOT NULL;
