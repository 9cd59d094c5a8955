#!/bin/sh
# statsforecast 2.1.1: AutoCES (complex exponential smoothing) gives its prediction interval the same width
# at every horizon: the errors it draws are added once, to the states it starts from, and do not add up
# along the way. The 80 % interval of sales that wander holds four days of five tomorrow and one of five in
# four weeks; AutoETS on the same series widens five times. A level of stock for a long lead time is far
# too low, and a measure of coverage one day ahead shows nothing.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    statsforecast==2.1.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from statsforecast.models import AutoCES, AutoETS

draws = np.random.default_rng(0)
days, deviation = 28, 10
sales = 1000 + np.cumsum(draws.normal(0, deviation, 200))
ways = sales[-1] + np.cumsum(draws.normal(0, deviation, (100_000, days)), axis=1)
seen = {}
for model in (AutoCES(season_length=1), AutoETS(season_length=1)):
    found = model.forecast(y=sales, h=days, level=[80])
    low, high = found["lo-80"], found["hi-80"]
    inside = ((ways >= low) & (ways <= high)).mean(axis=0)
    seen[type(model).__name__] = [
        (round(float(high[day] - low[day])), round(float(inside[day]), 2)) for day in (0, 6, 27)
    ]
print("width of the 80 % interval and share inside, days 1, 7 and 28:", seen)
# Seen: {'AutoCES': [(25, 0.8), (25, 0.37), (26, 0.19)], 'AutoETS': [(24, 0.78), (65, 0.78), (129, 0.78)]}
assert seen["AutoCES"][2][0] < 1.1 * seen["AutoCES"][0][0] and seen["AutoETS"][2][0] > 100, seen
assert seen["AutoCES"][0][1] > 0.7 and seen["AutoCES"][2][1] < 0.3, seen
assert all(share > 0.7 for _, share in seen["AutoETS"]), seen
PY
