#!/bin/sh
# PyIceberg 0.12.0: whether delete("units > 3") takes a row whose units are NaN depends on the other
# rows of its data file: where the file's smallest number is above 3 the whole file is dropped, the row
# with it; where one row lies below, the file is rewritten and the row stays. delete("units != 4") takes
# rows of null in the same way. A scan by the same condition shows neither row in any file.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet 'pyiceberg[sql-sqlite,pyarrow]==0.12.0' pyarrow==26.0.1
cd "$place"
"$place/venv/bin/python" -W ignore - <<'PY'
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("sales", uri="sqlite:///sales.db", warehouse="file:.")
catalog.create_namespace("shop")


def days(table, condition="true"):
    return sorted(table.scan(row_filter=condition).to_arrow()["day"].to_pylist())


def shown_and_kept(units, condition):
    """Return the days a scan by the condition shows and those left after a delete by it."""
    rows = pa.table({"day": range(1, len(units) + 1), "units": pa.array(units, pa.float64())})
    table = catalog.create_table(f"shop.t{len(catalog.list_tables('shop'))}", rows.schema)
    table.append(rows)
    shown = days(table, condition)
    table.delete(condition)
    return shown, days(table)


missing = float("nan")
seen = {
    "NaN beside 5 and 7, > 3": shown_and_kept([5, missing, 7], "units > 3"),
    "NaN beside 5 and 1, > 3": shown_and_kept([5, missing, 1], "units > 3"),
    "null beside 5 and 7, != 4": shown_and_kept([5, None, 7], "units != 4"),
    "null beside 5 and 4, != 4": shown_and_kept([5, None, 4], "units != 4"),
}
for case, (shown, kept) in seen.items():
    print(f"{case}: shown {shown}, kept {kept}")
# Seen: NaN beside 5 and 7, > 3: shown [1, 3], kept []
#       NaN beside 5 and 1, > 3: shown [1], kept [2, 3]
#       null beside 5 and 7, != 4: shown [1, 3], kept []
#       null beside 5 and 4, != 4: shown [1], kept [2, 3]
assert list(seen.values()) == [([1, 3], []), ([1], [2, 3])] * 2, seen
PY
