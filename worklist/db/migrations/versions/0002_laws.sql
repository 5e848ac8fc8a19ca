-- Row-level security and grants of what the headers of a study state. Run by the owner role.
ALTER TABLE header_statement ENABLE ROW LEVEL SECURITY;
ALTER TABLE header_statement FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON header_statement TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON header_statement TO radpool_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON header_statement TO radpool_app;
GRANT USAGE, SELECT ON SEQUENCE header_statement_id_seq TO radpool_app;
