-- Row-level security and grants of what sources say of studies. Run by the owner role after the tables exist.
ALTER TABLE announced_study ENABLE ROW LEVEL SECURITY;
ALTER TABLE announced_study FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON announced_study TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON announced_study TO radpool_owner USING (true) WITH CHECK (true);

ALTER TABLE forced_completion ENABLE ROW LEVEL SECURITY;
ALTER TABLE forced_completion FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON forced_completion TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON forced_completion TO radpool_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON
  announced_study, performed_step, performed_series, performed_step_study, forced_completion TO radpool_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO radpool_app;
