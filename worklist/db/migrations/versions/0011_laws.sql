-- Grants of who reads at home. Run by the owner role.
GRANT SELECT, INSERT, UPDATE ON home_reading TO radpool_app;
