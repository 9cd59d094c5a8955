#!/bin/sh
# Runs once, when PostgreSQL's folder is empty. The encoding is said: a server made with locale C
# would give SQL_ASCII, with which every client of ours fails.
set -eu
for database in studies mlflow features governor; do
    psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
        --command "CREATE DATABASE $database ENCODING 'UTF8' TEMPLATE template0"
done
