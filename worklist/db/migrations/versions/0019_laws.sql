-- Grants of kept messages. Run by the owner role.
ALTER TABLE kept_message ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_message FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON kept_message TO radpool_app
  USING (trust_ods = current_trust()) WITH CHECK (trust_ods = current_trust());
CREATE POLICY maintenance ON kept_message TO radpool_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON kept_message TO radpool_app;
GRANT UPDATE (due, taken_at) ON kept_message TO radpool_app;
GRANT USAGE, SELECT ON SEQUENCE kept_message_id_seq TO radpool_app;
