#!/bin/sh
# Runs once, when PostgreSQL's folder is empty.
set -eu
for database in studies mlflow features governor; do
    psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --command "CREATE DATABASE $database"
done
