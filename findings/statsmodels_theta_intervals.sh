#!/bin/sh
# statsmodels 0.15.0: the variance of ThetaModel's prediction intervals grows by 1 + (alpha - 1)^2 a step.
# The model is simple exponential smoothing with a drift, whose variance h steps ahead is
# sigma^2 (1 + (h - 1) alpha^2) (Hyndman and Billah 2003, the page it cites). The slower the smoothing, the
# wider they get, where it is the other way round: at alpha 0.1 the 80 % interval of week 13 is four times
# too wide and holds all of 100,000 continuations, and a stock taken from its upper bound is far too high.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==2.3.3
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
from statsmodels.tsa.forecasting.theta import ThetaModel

draws = np.random.default_rng(0)
weeks, ahead = 300, 13
seen = {}
for alpha in (0.1, 0.5):
    errors = draws.normal(0, 10, weeks)
    level = 500 + alpha * np.concatenate([[0], np.cumsum(errors)[:-1]])
    units = pd.Series(level + errors, index=pd.period_range("2020-01-06", periods=weeks, freq="W"))
    fitted = ThetaModel(units, period=1, deseasonalize=False).fit()
    found, sigma = float(fitted.params["alpha"]), float(np.sqrt(fitted.sigma2))
    bounds = fitted.prediction_intervals(ahead, alpha=0.2).iloc[-1]
    said = float(bounds.upper - bounds.lower) / 2
    due = 1.2816 * sigma * np.sqrt(1 + (ahead - 1) * found**2)
    # Continuations of the model as it was fitted, about its own forecast.
    shocks = draws.normal(0, sigma, (100_000, ahead))
    off = np.abs(shocks[:, -1] + found * shocks[:, :-1].sum(axis=1))
    inside = [round(float((off <= half).mean()), 2) for half in (said, due)]
    seen[alpha] = (round(found, 2), round(said), round(due), *inside)
print("by alpha: alpha found, half width of week 13 said and due, shares inside:", seen)
# Seen: by alpha: alpha found, half width of week 13 said and due, shares inside:
#       {0.1: (0.1, 62, 14, 1.0, 0.8), 0.5: (0.47, 48, 23, 0.99, 0.8)}
assert all(said > 1.5 * due and inside > 0.95 for _, said, due, inside, _ in seen.values()), seen
assert all(abs(share - 0.8) < 0.01 for *_, share in seen.values()), seen
assert seen[0.1][1] > 3 * seen[0.1][2], seen
PY
