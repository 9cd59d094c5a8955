#!/bin/sh
# sktime 1.2.0 and skpro 2.16.0: AUCalibration, the area between calibration curve and diagonal,
# never looks at the probabilities that the forecast gave, only at their ranks against the order
# of the rows: a right forecast of a demand of 100, one of 160 and one with a tenth of the spread
# score 0.35, 0.35 and 0.34, and rows sorted by the sales score 0. By its page's formula the three
# score 0.01, 0.50 and 0.22. A choice of models by it is left to chance. SquaredDistrLoss of
# sktime takes the logarithm of the density where its page has the density; skpro's is right, so
# the two libraries disagree.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    sktime==1.2.0 skpro==2.16.0 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import skpro.metrics
import sktime.performance_metrics.forecasting.probabilistic as ours
from skpro.distributions import Normal

days = 200
sales = pd.DataFrame({"A": np.random.default_rng(0).normal(100, 10, days)})


def scores(measure, forecast):
    found = (getattr(library, measure)()(sales, forecast) for library in (ours, skpro.metrics))
    return [float(score) for score in found]


def forecast(mean, deviation):
    return Normal(np.full((days, 1), mean), deviation, index=sales.index, columns=sales.columns)


said, due = {}, {}
for name, of in {"right": (100.0, 10), "too high": (160.0, 10), "too narrow": (100.0, 1)}.items():
    found = forecast(*of)
    said[name] = [round(area, 2) for area in scores("AUCalibration", found)]
    curve = np.sort(np.ravel(found.cdf(sales)))
    due[name] = round(float(np.abs(curve - np.arange(1, days + 1) / days).mean()), 2)
ordered = sales.sort_values("A", ignore_index=True)
by_size = round(float(ours.AUCalibration()(ordered, forecast(160.0, 10))), 2)
print("area by sktime and skpro:", said, "by the formula:", due, "too high, rows sorted:", by_size)
# Seen: area by sktime and skpro: {'right': [0.35, 0.35], 'too high': [0.35, 0.35],
#       'too narrow': [0.34, 0.34]} by the formula: {'right': 0.01, 'too high': 0.5,
#       'too narrow': 0.22} too high, rows sorted: 0.0
assert said == {"right": [0.35] * 2, "too high": [0.35] * 2, "too narrow": [0.34] * 2}, said
assert due == {"right": 0.01, "too high": 0.5, "too narrow": 0.22} and by_size == 0, (due, by_size)

right = forecast(100.0, 10)
loss = [round(one, 3) for one in scores("SquaredDistrLoss", right)]
formula = round(float(np.mean(right.pdfnorm(a=2).to_numpy() - 2 * right.pdf(sales).to_numpy())), 3)
print("squared loss by sktime and skpro:", loss, "by the formula:", formula)
# Seen: squared loss by sktime and skpro: [7.395, -0.029] by the formula: -0.029
assert loss == [7.395, -0.029] and formula == -0.029, (loss, formula)
PY
