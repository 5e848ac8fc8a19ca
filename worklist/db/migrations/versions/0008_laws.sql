-- Grants and triggers of what turnaround is worked out from. Run by the owner role after the tables exist.
GRANT SELECT, INSERT, UPDATE, DELETE ON exam_end, not_offered_rule, item_act, item_priority, act_reason,
  pause_rule, clock_pause, alert, alert_timer TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;

CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON not_offered_rule
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();

ALTER TABLE item_act ENABLE ROW LEVEL SECURITY;
ALTER TABLE item_act FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON item_act TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON item_act TO radpool_owner USING (true) WITH CHECK (true);
