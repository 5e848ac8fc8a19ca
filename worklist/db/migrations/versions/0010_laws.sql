-- Grants of feeds. Run by the owner role.
GRANT SELECT, INSERT, UPDATE ON feed TO radpool_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON feed_hour TO radpool_app;
