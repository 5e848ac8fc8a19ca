-- Row-level security and grants of merges of patients: who was held to be whom identifies both. Run by the owner role.
ALTER TABLE patient_merge ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_merge FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON patient_merge TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON patient_merge TO radpool_owner USING (true) WITH CHECK (true);

-- What was said is never taken back: only whether it still stands is written anew.
GRANT SELECT, INSERT ON patient_merge TO radpool_app;
GRANT UPDATE (standing, unmerged_at, unmerged_by) ON patient_merge TO radpool_app;
GRANT USAGE, SELECT ON SEQUENCE patient_merge_id_seq TO radpool_app;
