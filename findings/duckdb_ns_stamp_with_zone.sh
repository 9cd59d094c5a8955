#!/bin/sh
# DuckDB 2.0.0 reads a parquet column of nanoseconds with a zone (pandas' default for aware stamps)
# as TIMESTAMPTZ_NS. Of that type a cast to TIMESTAMP is not implemented, and TRY_CAST says so by
# NULL: a column of sound dates is empty without a word. By way of TIMESTAMPTZ it is read.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet duckdb==2.0.0 pyarrow==25.0.1
cd "$place"
"$place/venv/bin/python" - <<'PY'
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
pq.write_table(pa.table({"a": pa.array([noon], pa.timestamp("ns", "Europe/Berlin"))}), "a.parquet")


def read(expression):
    return duckdb.sql(f"SELECT {expression} FROM 'a.parquet'").fetchall()[0][0]


duckdb.sql("SET TimeZone='UTC'")
print(read("typeof(a)"), read("TRY_CAST(a AS TIMESTAMP)"), read("a::TIMESTAMPTZ::TIMESTAMP"))
# Seen: TIMESTAMPTZ_NS None 2026-01-02 12:00:00
assert read("typeof(a)") == "TIMESTAMPTZ_NS"
assert read("TRY_CAST(a AS TIMESTAMP)") is None
assert read("a::TIMESTAMPTZ::TIMESTAMP") == datetime(2026, 1, 2, 12)
PY
