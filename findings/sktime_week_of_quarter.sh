#!/bin/sh
# sktime 1.2.0: DateTimeFeatures' "week_of_quarter" takes it that 1 January lies in the last ISO
# week of the year before. Where it is a Monday to a Thursday (2024 to 2026, 2029, 2030), the
# first quarter has no week 1 and is a week ahead of its page, whose two examples are a Monday and
# a Thursday. The days of December that lie in week 1 of the next year get week 4294967258: 1 - 40
# + 1 without a sign. A scaler or a linear model is spoiled by one to three days a year; a tree
# takes one week of January for another. The feature comes with feature_scope="comprehensive", so
# nobody needs to have asked for it by name.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    sktime==1.2.0 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1
"$place/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from sktime.transformations.date import DateTimeFeatures

seen = {}
for year in range(2021, 2031):
    days = pd.date_range(f"{year}-01-01", f"{year}-12-31")
    sales = pd.DataFrame({"units": 1}, index=days)
    features = DateTimeFeatures(manual_selection=["week_of_quarter"])
    said = features.fit_transform(sales)["week_of_quarter"]
    # Its page: weeks begin on Monday, and the first, often shorter, is week 1.
    begin = days.to_period("Q").start_time
    due = ((days - begin).days + begin.dayofweek) // 7 + 1
    seen[year] = int((said.to_numpy() != due).sum()), int(said.iloc[0]), int(said.iloc[-1])
print("days with another week, week of 1 January, week of 31 December:", seen)
# Seen: days with another week, week of 1 January, week of 31 December: {2021: (0, 1, 14),
#       2022: (0, 1, 14), 2023: (0, 1, 14), 2024: (93, 2, 4294967258), 2025: (93, 2, 4294967258),
#       2026: (90, 2, 14), 2027: (0, 1, 14), ..., 2030: (92, 2, 4294967258)}
assert all(seen[year] == (0, 1, 14) for year in (2021, 2022, 2023, 2027, 2028)), seen
assert seen[2026] == (90, 2, 14) and seen[2030] == (92, 2, 4294967258), seen
assert seen[2024] == seen[2025] == (93, 2, 4294967258) and seen[2029] == (91, 2, 4294967258), seen
scope = DateTimeFeatures(ts_freq="D", feature_scope="comprehensive").fit_transform(sales)
assert "week_of_quarter" in scope, list(scope)
PY
