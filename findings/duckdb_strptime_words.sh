#!/bin/sh
# DuckDB 2.0.0: try_strptime reads the words "infinity", "-infinity" and "epoch" as 1900-01-01,
# whatever the format, where a text that does not have the format should give NULL. A cast of the
# same text to DATE gives infinity. Met when dates of files were read by their format.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet duckdb==2.0.0
"$place/venv/bin/python" - <<'PY'
import duckdb

words = ("infinity", "-infinity", "epoch", "tomorrow")
found = [str(duckdb.sql(f"SELECT try_strptime('{w}', '%Y-%m-%d')").fetchall()[0][0]) for w in words]
print(dict(zip(words, found)))
# Seen: {'infinity': '1900-01-01 00:00:00', '-infinity': '1900-01-01 00:00:00',
#        'epoch': '1900-01-01 00:00:00', 'tomorrow': 'None'}
assert found == ["1900-01-01 00:00:00"] * 3 + ["None"], found
PY
