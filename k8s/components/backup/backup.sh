#!/bin/sh
# Dump every database into a folder of this moment; a folder that is there is whole. The `backup` role
# reads everything and changes nothing. Older folders than the newest $KEEP go, after the new one is there.
set -eu
place=${BACKUPS:-/backups}
now=$(date -u +%Y%m%dT%H%M%SZ)
rm -rf "$place"/.partial-*
mkdir "$place/.partial-$now"
for database in studies mlflow features governor; do
    file=$place/.partial-$now/$database.dump
    pg_dump --format=custom --no-owner --dbname="$database" --file="$file"
    # One that cannot be listed cannot be restored.
    tables=$(pg_restore --list "$file" | grep -c ' TABLE DATA ' || true)
    echo "$database: $tables tables, $(wc -c < "$file") bytes"
done
mv "$place/.partial-$now" "$place/$now"
echo "$place/$now is whole"
# shellcheck disable=SC2012  # names are ours: digits and letters
ls -d "$place"/[0-9]*Z | sort -r | tail -n "+$((KEEP + 1))" | while read -r old; do
    rm -rf "$old"
    echo "$old deleted: more than $KEEP"
done
