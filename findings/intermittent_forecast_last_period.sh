#!/bin/sh
# intermittent-forecast 1.0.0: forecast(start, end) says of every model that `end` is inclusive.
# Croston's leaves it out, the exponential smoothings and ADIDA give it: for days 9 to 15 Croston has
# six values where the others have seven, so a week's sum is a day short and columns side by side do
# not fit.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet intermittent-forecast==1.0.0 numpy==2.4.6 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from intermittent_forecast.aggregators import ADIDA
from intermittent_forecast.forecasters import Croston, SimpleExponentialSmoothing

sales = np.array([0, 3, 0, 4, 0, 0, 0, 2, 0.0])
models = {
    "Croston": Croston().fit(sales, alpha=0.1, beta=0.1),
    "SES": SimpleExponentialSmoothing().fit(sales, alpha=0.1),
    "ADIDA": ADIDA(3, "block", "uniform").fit(SimpleExponentialSmoothing(), sales, alpha=0.1),
}
seen = {name: len(model.forecast(start=9, end=15)) for name, model in models.items()}
print("values for days 9 to 15:", seen)
# Seen: values for days 9 to 15: {'Croston': 6, 'SES': 7, 'ADIDA': 7}
assert all("(inclusive)" in type(model).forecast.__doc__ for model in models.values())
assert seen == {"Croston": 6, "SES": 7, "ADIDA": 7}, seen
PY
