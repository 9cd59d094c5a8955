#!/bin/sh
# Evidently 0.7.23: MAPE() counts every day without a sale as an error of 100 %, whatever was
# forecast: a perfect forecast of an article that sells one day of four has a MAPE of 75 %.
# zero_handling is None by default, which is "replace" by 1 (a note in the report's plot says so,
# the number does not). Goods brought back, a day of -1, are no such day: the error is divided by
# 2e-16, and one of them makes a mean of 10^17 %. The spread given beside the mean is a share, not
# a percentage, so a limit on it in per cent never fails.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet evidently==0.7.23 \
    numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from evidently import DataDefinition, Dataset, Regression, Report
from evidently.metrics import MAPE

definition = DataDefinition(regression=[Regression(target="sold", prediction="forecast")])


def score(sold, forecast, **handling):
    table = pd.DataFrame({"sold": sold, "forecast": forecast}, dtype=float)
    report = Report([MAPE(**handling)]).run(Dataset.from_pandas(table, definition), None)
    error = report.dict()["metrics"][0]["value"]
    return float(f"{error['mean']:.3g}"), float(f"{error['std']:.2g}")


slow = [0, 0, 0, 10] * 2
seen = {
    "perfect": score(slow, slow),
    "50 on each day without a sale": score(slow, [50, 50, 50, 10] * 2),
    "perfect, zero_handling none": score(slow, slow, zero_handling="none"),
    "perfect, zero_handling drop": score(slow, slow, zero_handling="drop"),
    "one brought back": score([10, 10, 10, -1], [9, 11, 10, 0]),
    "10 and 30 % off": score([10, 10, 10, 10], [9, 13, 11, 7]),
}
print("mean and spread:", *seen.items(), sep="\n  ")
# Seen: mean and spread:
#         ('perfect', (75.0, 0.46)), ('50 on each day without a sale', (75.0, 0.46)),
#         ('perfect, zero_handling none', (0.0, 0.0)), ('perfect, zero_handling drop', (0.0, 0.0)),
#         ('one brought back', (1.13e+17, 2.3e+15)), ('10 and 30 % off', (20.0, 0.12))
assert seen["perfect"] == seen["50 on each day without a sale"] == (75.0, 0.46), seen
assert seen["perfect, zero_handling none"][0] == seen["perfect, zero_handling drop"][0] == 0, seen
assert seen["one brought back"][0] > 1e15 and seen["10 and 30 % off"] == (20.0, 0.12), seen
PY
