#!/bin/sh
# pytimetk 2.5.3: pad_by_time of several articles, without fillna, leaves the missing days of a
# column empty, except where an article's values are all the same: those it carries forward, as is
# meant for a store's name. An article that sells one unit a time, as slow ones do, is then sold
# every day: 3 units become 8 here, without a word. (The page speaks of a fill forward and
# backward, which other columns do not get.) fillna=0 gives what was sold, and so does one article
# on its own. future_frame beside it takes the last row for the last day (one article, pandas): a
# table with the newest day on top gets a "future" of days that it already holds.
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

days = pd.to_datetime(["2026-01-01", "2026-01-05", "2026-01-08"])
sold = pd.DataFrame({
    "article": ["slow"] * 3 + ["fast"] * 3, "day": [*days, *days], "units": [1, 1, 1, 4, 1, 7],
})
seen = {}
for engine in ("pandas", "polars"):
    padded = sold.groupby("article").pad_by_time("day", freq="D", engine=engine)
    found = padded.groupby("article")["units"].agg(["sum", "count"]).astype(int)
    seen[engine] = {name: tuple(row) for name, row in found.iterrows()}
print("units and days with a value:", seen)
# Seen: units and days with a value: {'pandas': {'fast': (12, 3), 'slow': (8, 8)},
#       'polars': {'fast': (12, 3), 'slow': (8, 8)}}
assert all(found == {"fast": (12, 3), "slow": (8, 8)} for found in seen.values()), seen
slow = sold[sold["article"] == "slow"]
filled = sold.groupby("article").pad_by_time("day", freq="D", fillna=0)
zeros = filled.groupby("article")["units"].sum()
alone = slow[["day", "units"]].pad_by_time("day", freq="D")["units"].sum()
assert zeros.to_dict() == {"fast": 12, "slow": 3} and alone == 3, (zeros.to_dict(), alone)

days = pd.date_range("2026-01-01", "2026-01-05")
newest_first = pd.DataFrame({"day": days[::-1], "units": range(5)})
ahead = {}
for engine in ("pandas", "polars"):
    rows = newest_first.future_frame("day", length_out=2, freq="D", engine=engine, bind_data=False)
    ahead[engine] = [str(pd.Timestamp(day).date()) for day in rows["day"]]
print("two days after 2026-01-05:", ahead)
# Seen: two days after 2026-01-05: {'pandas': ['2026-01-02', '2026-01-03'],
#       'polars': ['2026-01-06', '2026-01-07']}
assert ahead["pandas"] == ["2026-01-02", "2026-01-03"], ahead
assert ahead["polars"] == ["2026-01-06", "2026-01-07"], ahead
PY
