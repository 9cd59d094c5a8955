#!/bin/sh
# onnxmltools 1.16.0 with XGBoost 3.2.0: a regressor of several quantiles converts without a
# word into a graph that is wrong: its shape is right, the first output is another number, the rest are
# 0. A regressor of one quantile converts well, and so do counts, tweedie and missing values. Compare
# graph and model on real rows after every export, or convert one model for each quantile.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet onnxmltools==1.16.0 xgboost-cpu==3.2.0 onnx==1.23.2 \
    onnxruntime==1.32.0 scikit-learn==1.9.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import onnxruntime
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBRegressor

draws = np.random.default_rng(0)
rows = draws.normal(size=(500, 3)).astype(np.float32)
sold = draws.poisson(np.exp(1 + 0.5 * rows[:, 0])).astype(float)


def both(levels):
    model = XGBRegressor(
        objective="reg:quantileerror", quantile_alpha=levels, n_estimators=20, max_depth=3, n_jobs=1
    ).fit(rows, sold)
    graph = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 3]))])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (served,) = session.run(None, {"x": rows})
    return model.predict(rows).reshape(500, -1), served


asked, served = both(np.array([0.9]))
print("one quantile, largest difference:", f"{np.abs(asked - served).max():.0e}")
assert np.abs(asked - served).max() < 1e-4
asked, served = both(np.array([0.1, 0.5, 0.9]))
zeros = float((served == 0).mean())
rows_seen = [table[0].astype(float).round(2).tolist() for table in (asked, served)]
print("three, first row: model", rows_seen[0], "graph", rows_seen[1], f"| zeros in the graph: {zeros:.0%}")
# Seen: one quantile, largest difference: 3e-06
#       three, first row: model [1.0, 2.61, 4.89] graph [0.5, 0.0, 0.0] | zeros in the graph: 67%
assert served.shape == asked.shape and not (asked == 0).any()
assert zeros > 0.6 and np.abs(asked[:, 0] - served[:, 0]).max() > 0.1, (zeros, rows_seen)
PY
