-- Row-level security and grants of whose work a study is. Run by the owner role.
ALTER TABLE study_waiting ENABLE ROW LEVEL SECURITY;
ALTER TABLE study_waiting FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON study_waiting TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON study_waiting TO radpool_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON study_waiting TO radpool_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON study_to_place TO radpool_app;

-- Which trusts have a study of a UID, without showing it: one of them is the performer's, the others are priors.
DROP FUNCTION study_owner(text);
CREATE FUNCTION study_copies(uid text) RETURNS TABLE (study_id bigint, trust_ods text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT s.study_id, s.trust_ods FROM study_identity s WHERE s.study_instance_uid = uid $$;
REVOKE EXECUTE ON FUNCTION study_copies(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION study_copies(text) TO radpool_app;

ALTER TABLE kept_message ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_message FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON kept_message TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON kept_message TO radpool_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON kept_message TO radpool_app;
GRANT UPDATE (due, taken_at) ON kept_message TO radpool_app;
GRANT USAGE, SELECT ON SEQUENCE kept_message_id_seq TO radpool_app;
