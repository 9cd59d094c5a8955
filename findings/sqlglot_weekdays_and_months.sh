#!/bin/sh
# sqlglot 30.30.0: a query of Spark, BigQuery, MySQL or Presto is turned into DuckDB's SQL without a
# warning, and asks something else. Days of the week stay numbers (1 is Sunday there, 0 here), so a filter
# on the weekend, (1, 7), finds Mondays only; complete months become boundaries of months crossed, so an
# article sold since yesterday is a month old; Spark's interpolated percentile becomes a discrete quantile.
# It knows of such differences elsewhere: Presto's days of the week and BigQuery's weeks are right.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet sqlglot==30.30.0 duckdb==2.0.0
"$place/venv/bin/python" - <<'PY'
import duckdb
import sqlglot
from sqlglot import ErrorLevel

sunday, saturday = "DATE '2026-03-01'", "DATE '2026-02-28'"
born, review = "DATE '2026-01-31'", "DATE '2026-02-01'"
# Dialect, expression, what its manual says it gives.
cases = [
    ("spark", f"dayofweek({sunday})", 1),
    ("spark", f"dayofweek({saturday})", 7),
    ("bigquery", f"EXTRACT(DAYOFWEEK FROM {sunday})", 1),
    ("mysql", f"DAYOFWEEK({sunday})", 1),
    ("presto", f"day_of_week({sunday})", 7),
    ("mysql", f"TIMESTAMPDIFF(MONTH, {born}, {review})", 0),
    ("presto", f"date_diff('month', {born}, {review})", 0),
    ("bigquery", f"DATE_DIFF({sunday}, {saturday}, WEEK)", 1),
    ("spark", "(SELECT percentile(x, 0.9) FROM (VALUES (1), (2), (3), (4)) AS t(x))", 3.7),
]
wrong = []
for dialect, expression, right in cases:
    (query,) = sqlglot.transpile(
        f"SELECT {expression}", read=dialect, write="duckdb", unsupported_level=ErrorLevel.RAISE
    )
    found = float(duckdb.sql(query).fetchall()[0][0])
    wrong.append(found != right)
    print(f"{dialect}: {expression}: {found:g}, should be {right:g}")
# Seen: spark: dayofweek(DATE '2026-03-01'): 0, should be 1
#       ... mysql: TIMESTAMPDIFF(MONTH, DATE '2026-01-31', DATE '2026-02-01'): 1, should be 0
#       ... percentile(x, 0.9) ...: 4, should be 3.7
assert wrong == [True, True, True, True, False, True, True, False, True], wrong
PY
