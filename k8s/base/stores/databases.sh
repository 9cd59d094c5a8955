#!/bin/sh
# Databases and roles. Each database belongs to a role that enters no other one; `server`, which the
# forecaster's pods are, reads `features` and changes nothing; `backup` reads all four. Runs when PostgreSQL's folder is empty,
# and may run again: it gives roles their passwords of now, and takes over the databases of an
# installation that had one role for all (k8s/README.md, Upgrade). The encoding is said: a server made
# with locale C would give SQL_ASCII, with which every client of ours fails.
set -eu
secrets=${INVOPT_SECRETS:-/run/secrets/invopt}

ask() {
    psql --quiet --no-align --tuples-only -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

make_role() {
    # By the environment: arguments would show it in the process list.
    ROLE_PASSWORD=$(cat "$secrets/$1-password") ask --dbname postgres -v name="$1" <<'SQL'
\getenv password ROLE_PASSWORD
SELECT format('CREATE ROLE %I LOGIN', :'name')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'name', :'password') \gexec
SQL
}

make_database() {
    ask --dbname postgres -v name="$1" <<'SQL'
SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'name')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', :'name', :'name') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL
    # A sequence of a column goes with its table.
    ask --dbname "$1" -v name="$1" <<'SQL'
SELECT format('ALTER TABLE %s OWNER TO %I', oid::regclass, :'name') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') \gexec
SELECT format('ALTER TYPE %s OWNER TO %I', oid::regtype, :'name') FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' \gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', oid::regprocedure, :'name') FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace \gexec
SQL
}

for database in studies mlflow features governor; do
    make_role "$database"
    make_database "$database"
done
make_role server
make_role backup
ask --dbname postgres <<'SQL'
GRANT pg_read_all_data TO backup;
GRANT CONNECT ON DATABASE studies, mlflow, features, governor TO backup;
SQL
ask --dbname features <<'SQL'
GRANT CONNECT ON DATABASE features TO server;
GRANT USAGE ON SCHEMA public TO server;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO server;
ALTER DEFAULT PRIVILEGES FOR ROLE features IN SCHEMA public GRANT SELECT ON TABLES TO server;
SQL
