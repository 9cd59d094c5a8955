#!/bin/sh
# demandplan 0.4.0: by its page, rolling_origin_backtest scores all articles on the same folds,
# and a longer history is only more to train on. It counts each article's days from the first one
# and cuts all articles to the length of the shortest: one of three years beside one of sixty days
# is trained on its first month and scored in February three years ago, where alone it is scored
# in the last four weeks. One new article in the table changes what every old one is judged by,
# and no row of an old one is recent.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet --no-deps demandplan==0.4.0 \
    numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 python-dateutil==2.9.0.post0 pytz==2026.6 \
    tzdata==2026.6 six==1.17.0
"$place/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from demandplan.eval.backtest import rolling_origin_backtest
from demandplan.models.simple import SeasonalNaiveForecaster


def article(name, first, days, units):
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(first, periods=days), "y": units})


def last_week():
    return SeasonalNaiveForecaster(season_length=7)


# Sales of the old article have grown from 10 a day to 50.
old = article("old", "2023-01-01", 1096, [10.0] * 500 + [50.0] * 596)
new = article("new", "2025-11-02", 60, 5.0)
seen = {}
for name, table in {"alone": old, "with a new one": pd.concat([old, new])}.items():
    result = rolling_origin_backtest(table, last_week, horizon=14, n_folds=2)
    rows = result.actuals[result.actuals["unique_id"] == "old"]
    ends = rows["ds"].min(), rows["ds"].max()
    seen[name] = *(str(day.date()) for day in ends), float(rows["y"].mean())
print("first and last day scored of the old article, and its mean:", seen)
# Seen: first and last day scored of the old article, and its mean: {'alone': ('2025-12-04',
#       '2025-12-31', 50.0), 'with a new one': ('2023-02-02', '2023-03-01', 10.0)}
assert seen["alone"] == ("2025-12-04", "2025-12-31", 50.0), seen
assert seen["with a new one"] == ("2023-02-02", "2023-03-01", 10.0), seen
PY
