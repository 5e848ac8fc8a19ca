-- Grants and triggers of what turnaround is worked out from. Run by the owner role after the tables exist.
GRANT SELECT, INSERT, UPDATE, DELETE ON exam_end, not_offered_rule TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;

CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON not_offered_rule
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
