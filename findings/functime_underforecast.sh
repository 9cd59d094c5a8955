#!/bin/sh
# functime 1.0.0: `underforecast` and `overforecast` say they give the difference between actual and
# predicted where the forecast is too low or too high; they add up the forecasts of those days instead.
# A forecast one unit short on each of three days at 100 is 297 short, not 3; of two articles the one
# that sells more looks worse. `crps` beside them takes the rows by position, where the other measures
# join by article and day: a forecast in another order is scored against other articles' sales.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet functime==1.0.0 polars==2.1.0 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PY'
from datetime import date

import polars as pl
from functime.metrics import crps, mae, overforecast, underforecast

days = [date(2026, 1, day) for day in (1, 2, 3)]


def table(fast, slow):
    return pl.DataFrame({"article": ["fast"] * 3 + ["slow"] * 3, "day": days * 2, "units": [*fast, *slow]})


def score(measure, forecast):
    found = measure(y_true=sold, y_pred=forecast).sort("article")
    return [round(value, 2) for value in found[found.columns[-1]].to_list()]


sold = table([100.0] * 3, [5.0] * 3)
short, long = table([99.0] * 3, [3.0] * 3), table([101.0] * 3, [7.0] * 3)
seen = score(underforecast, short) + score(overforecast, long)
print("one and two units off a day, short and long:", seen)
# Seen: one and two units off a day, short and long: [297.0, 9.0, 303.0, 21.0]
assert seen == [297.0, 9.0, 303.0, 21.0], seen

turned = short.sort("article", descending=True)
seen = {measure.__name__: (score(measure, short), score(measure, turned)) for measure in (mae, crps)}
print("the same forecast in two orders:", seen)
# Seen: the same forecast in two orders: {'mae': ([1.0, 2.0], [1.0, 2.0]),
#       'crps': ([0.6, 1.45], [96.44, 93.44])}
assert seen == {"mae": ([1.0, 2.0], [1.0, 2.0]), "crps": ([0.6, 1.45], [96.44, 93.44])}, seen
PY
