#!/bin/sh
# pytimetk 2.5.3: of the 29 features of augment_timeseries_signature, "weekend" is 1 on Sundays
# only: Saturday, in most shops the strongest day, counts as a working day. "am_pm" calls the hour
# after noon "am". "index_num", the time "to the second", is a thousand times too small for days
# that are kept in microseconds (as they come from DuckDB, Arrow or polars), so a trend learned on
# one file is flat on another. Its page promises the weekend and the seconds.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    pytimetk==2.5.3 numpy==2.4.6 pandas==2.3.3 polars==2.1.0
"$place/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
import pytimetk  # noqa: F401  (adds the methods)

week = pd.DataFrame({"day": pd.date_range("2026-01-02", periods=4)})
signed = week.augment_timeseries_signature("day")
weekend = dict(zip(signed["day_wday_lbl"], signed["day_weekend"], strict=True))
print("weekend:", weekend)
# Seen: weekend: {'Friday': 0, 'Saturday': 0, 'Sunday': 1, 'Monday': 0}
assert weekend == {"Friday": 0, "Saturday": 0, "Sunday": 1, "Monday": 0}, weekend

hours = pd.DataFrame({"hour": pd.date_range("2026-01-02 11:30", periods=3, freq="h")})
halves = hours.augment_timeseries_signature("hour")["hour_am_pm"].tolist()
print("11:30, 12:30 and 13:30:", *halves)
# Seen: 11:30, 12:30 and 13:30: am am pm
assert halves == ["am", "am", "pm"], halves

seconds = {}
for unit in ("ns", "us"):
    kept = week.astype({"day": f"datetime64[{unit}]"})
    seconds[unit] = int(kept.augment_timeseries_signature("day")["day_index_num"][0])
print("seconds of 2026-01-02:", seconds)
# Seen: seconds of 2026-01-02: {'ns': 1767312000, 'us': 1767312}
assert seconds == {"ns": 1767312000, "us": 1767312}, seconds
PY
