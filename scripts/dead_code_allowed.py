# What only a framework, an operator or a test calls: named here, so that it does not count as dead.
# ruff: noqa: B018, F821, D100
# mypy: ignore-errors

downgrade  # Alembic, of every migration
get_col_spec  # SQLAlchemy, of a column type
ddl  # freezes the metadata when a migration is written; the test of migrations compares with it
failures  # tests of eligibility and configuration ask a verdict in one line
associations  # tests of the listener watch that places come back
formatException  # logging, of every error that a log line carries
capture_signals  # uvicorn, when it starts to serve
