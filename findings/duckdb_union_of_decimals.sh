#!/bin/sh
# DuckDB 2.0.0: UNION ALL of DECIMAL(38,0) and DECIMAL(38,10) gives DECIMAL(38,0), whichever comes
# first, and rounds without a word: 12.7 becomes 13. The same union of DECIMAL(18,0) and
# DECIMAL(18,10) gives DECIMAL(28,10) and keeps it. Ordinary cause: a database that gives numbers
# without a scale (Oracle's NUMBER arrives as decimal128(38, 0 or 10)) in two files of one table.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet duckdb==2.0.0
"$place/venv/bin/python" - <<'PY'
import duckdb


def union(first, second):
    query = f"SELECT CAST(5 AS {first}) AS x UNION ALL SELECT CAST(12.7 AS {second})"
    found = duckdb.sql(query)
    return str(found.types[0]), [str(row[0]) for row in found.order("x").fetchall()]


narrow = union("DECIMAL(18,0)", "DECIMAL(18,10)")
wide = union("DECIMAL(38,0)", "DECIMAL(38,10)")
print("18 digits:", narrow)
print("38 digits:", wide, union("DECIMAL(38,10)", "DECIMAL(38,0)")[0])
# Seen: 18 digits: ('DECIMAL(28,10)', ['5.0000000000', '12.7000000000'])
#       38 digits: ('DECIMAL(38,0)', ['5', '13']) ...
assert narrow == ("DECIMAL(28,10)", ["5.0000000000", "12.7000000000"]), narrow
assert wide == ("DECIMAL(38,0)", ["5", "13"]), wide
PY
