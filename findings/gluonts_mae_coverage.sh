#!/bin/sh
# GluonTS 0.17.0: the evaluator's MAE_Coverage (the mean distance of each quantile's coverage from its
# level) takes the coverage of the last quantile for all of them, because a loop's variable is left
# over. A fan whose quantiles cover exactly their level scores 0.4 for the deciles, and another number
# when they are listed in another order. The coverage of each quantile, beside it, is right.
# (The evaluator imports `packaging`, which an installation of gluonts alone does not bring.)
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet gluonts==0.17.0 packaging==26.4 numpy==2.4.6 pandas==2.3.3
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
from gluonts.evaluation import Evaluator
from gluonts.model.forecast import QuantileForecast

days = pd.period_range("2026-01-01", periods=200, freq="D")
sold = pd.Series(np.random.default_rng(0).permutation(200) % 100 + 0.5, index=days)
sold[100:] = np.random.default_rng(1).permutation(100) + 0.5


def judged(levels):
    # The quantile of level q is 100 q: of the hundred days 0.5 to 99.5 a share of q lies below.
    fan = np.array([[100.0 * level] * 100 for level in levels])
    forecast = QuantileForecast(fan, days[100], [str(level) for level in levels])
    total, _ = Evaluator(quantiles=levels)([sold], [forecast])
    each = [abs(total[f"Coverage[{level}]"] - level) for level in levels]
    return round(float(total["MAE_Coverage"]), 2), round(float(np.mean(each)), 2)


deciles = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
seen = [judged(deciles), judged([0.1, 0.9, 0.5])]
print("MAE_Coverage and the mean of its own coverages, deciles:", seen[0], "last is the median:", seen[1])
# Seen: MAE_Coverage and the mean of its own coverages, deciles: (0.4, 0.0) last is the median: (0.27, 0.0)
assert seen == [(0.4, 0.0), (0.27, 0.0)], seen
PY
