"""The database: embedded server, engine, tables and migrations. One dialect, PostgreSQL."""
