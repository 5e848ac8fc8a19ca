-- Grants and triggers of exclusion flags. Run by the owner role.
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON flag_rule
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
GRANT SELECT, INSERT, UPDATE, DELETE ON flag_rule, item_flag TO radpool_app;
GRANT USAGE, SELECT ON SEQUENCE flag_rule_id_seq TO radpool_app;
