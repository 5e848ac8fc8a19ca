-- Grants of what home RIS are told; what was verified before counts as available since. Run by the owner role.
UPDATE item SET verified_at = reported_at, reported_source = 'verified'
  WHERE reported_at IS NOT NULL AND state IN ('verified', 'addendum');
UPDATE item SET reported_source = 'home-report' WHERE reported_at IS NOT NULL AND reported_source IS NULL;

-- What happened before is not told: only what happens from now on.
INSERT INTO consumer_checkpoint (consumer, position) SELECT 'delivery', coalesce(max(position), 0) FROM event_position;

GRANT SELECT, INSERT, UPDATE ON delivery TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;
