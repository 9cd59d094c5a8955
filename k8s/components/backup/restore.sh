#!/bin/sh
# Bring databases back as a folder of backup.sh has them: restore.sh FOLDER [DATABASE ...]. To be run
# as PostgreSQL's superuser, while nothing writes (k8s/README.md, Backup). Each database is restored
# beside the one in use and takes its place when it is whole.
set -eu
folder=$1
shift
if [ $# = 0 ]; then set -- studies mlflow features governor; fi
for database in "$@"; do
    if ! [ -f "$folder/$database.dump" ]; then
        echo "$folder has no $database.dump. Nothing was changed." >&2
        exit 1
    fi
done
ask() {
    psql --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --command "$1"
}
for database in "$@"; do
    ask "DROP DATABASE IF EXISTS restored_$database WITH (FORCE)"
    ask "CREATE DATABASE restored_$database ENCODING 'UTF8' TEMPLATE template0 OWNER $database"
    # What databases.sh grants of a database itself; a dump holds what lies in it.
    ask "REVOKE ALL ON DATABASE restored_$database FROM PUBLIC"
    ask "GRANT CONNECT ON DATABASE restored_$database TO backup"
    if [ "$database" = features ]; then
        ask "GRANT CONNECT ON DATABASE restored_features TO server"
    fi
    pg_restore --exit-on-error --no-owner --role="$database" --username "$POSTGRES_USER" \
        --dbname="restored_$database" "$folder/$database.dump"
    ask "DROP DATABASE IF EXISTS $database WITH (FORCE)"
    ask "ALTER DATABASE restored_$database RENAME TO $database"
    echo "$database is as $folder has it"
done
