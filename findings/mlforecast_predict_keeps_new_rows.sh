#!/bin/sh
# mlforecast 1.1.0: predict(new_df=...) forecasts other rows than the model was fitted to, and
# keeps them: from then on predict() forecasts those rows instead of the fitted ones, and update()
# appends the next days to them. Its page says only that forecasts are made for the new rows, and
# nothing warns. The question "what if half as much again is sold" is the forecast of all later
# calls; after a question about a new article the others are gone; a server that forecasts what
# its callers send answers the next caller, who sends nothing, with the sales of the one before.
# Ask a copy of the model.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    mlforecast==1.1.0 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1
"$place/venv/bin/python" -W ignore - <<'PY'
import copy

import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.target_transforms import LocalStandardScaler
from sklearn.linear_model import LinearRegression

draws = np.random.default_rng(0)
days = pd.date_range("2026-01-01", periods=100)
sold = pd.concat(
    pd.DataFrame({"unique_id": name, "ds": days, "y": draws.poisson(mean, 100).astype(float)})
    for name, mean in {"A": 5, "B": 50}.items()
)
more, new = sold.assign(y=sold["y"] * 1.5), sold[sold["unique_id"] == "B"].assign(unique_id="C")
next_day = days[-1] + pd.Timedelta(days=1)
tomorrow = pd.DataFrame({"unique_id": ["A", "B"], "ds": next_day, "y": [5.0, 50.0]})


def week(model, **rows):
    found = model.predict(7, **rows).groupby("unique_id")["LinearRegression"].sum()
    return {name: round(float(units)) for name, units in found.items()}


model = MLForecast(
    LinearRegression(), freq="D", lags=[1, 7], target_transforms=[LocalStandardScaler()]
).fit(sold)
untouched = copy.deepcopy(model)
seen = [week(model), week(model), week(model, new_df=more), week(model)]
print("a week, again, with half as much more, and after that question:", *seen)
# Seen: a week, again, with half as much more, and after that question: {'A': 38, 'B': 352}
#       {'A': 38, 'B': 352} {'A': 56, 'B': 529} {'A': 56, 'B': 529}
first, again, asked, after = seen
assert first == again and after == asked and asked["B"] > 1.4 * first["B"], seen
model.update(tomorrow)
untouched.update(tomorrow)
later = week(model)["B"], week(untouched)["B"]
print("B a day later, after the question and without it:", *later)
# Seen: B a day later, after the question and without it: 525 352
assert later[0] > 1.4 * later[1], later
untouched.predict(7, new_df=new)
print("after a question about C:", week(untouched))
# Seen: after a question about C: {'C': 352}
assert list(week(untouched)) == ["C"], week(untouched)
PY
