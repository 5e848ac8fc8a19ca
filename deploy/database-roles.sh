#!/bin/sh
# Runs once, when the database is made: the roles of radpool, and the login of its services, which may
# become the application role (under row-level security) and no other.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$RADPOOL_SERVICES_PASSWORD" --set database="$POSTGRES_DB" <<'SQL'
CREATE ROLE radpool_owner NOLOGIN;
CREATE ROLE radpool_app NOLOGIN NOBYPASSRLS;
CREATE ROLE radpool_services LOGIN NOINHERIT PASSWORD :'password';
GRANT radpool_app TO radpool_services;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO radpool_services;
SQL
