-- The rules that work is worked out by have one version, renewed in the transaction that changes any of them:
-- what was read under a version may be kept for as long as the version stands. Run by the owner role.
INSERT INTO rules_version DEFAULT VALUES;

CREATE FUNCTION renew_rules_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE rules_version SET version = gen_random_uuid();
  RETURN NULL;
END $$;

CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON exam
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON exam_alias
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON target_rule
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();
CREATE TRIGGER renews_rules AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON profile_cut
  FOR EACH STATEMENT EXECUTE FUNCTION renew_rules_version();

GRANT SELECT ON rules_version TO radpool_app;
