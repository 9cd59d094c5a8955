#!/bin/sh
# CatBoost 1.2.10: a regressor with the Poisson or Tweedie loss saved as ONNX answers the logarithm of
# the demand: predict() takes the exponential, the graph does not, and nothing says so (for XGBoost's
# and scikit-learn's the exporters add it). Served as it is, an article that sells 8 a day is forecast
# at 2. A graph of several quantiles is saved too, and ONNX Runtime cannot load it.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet catboost==1.2.10 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import onnxruntime
from catboost import CatBoostRegressor

draws = np.random.default_rng(0)
rows = draws.normal(size=(500, 3)).astype(np.float32)
sold = draws.poisson(np.exp(2 + 0.5 * rows[:, 0])).astype(float)


def both(loss):
    model = CatBoostRegressor(
        iterations=200, depth=3, loss_function=loss, verbose=0, thread_count=1, allow_writing_files=False
    ).fit(rows, sold)
    model.save_model("model.onnx", format="onnx")
    session = onnxruntime.InferenceSession("model.onnx")
    (served,) = session.run(None, {session.get_inputs()[0].name: rows})
    return model.predict(rows), served[:, 0]


for loss in ("RMSE", "Quantile:alpha=0.9", "Poisson", "Tweedie:variance_power=1.5"):
    asked, served = both(loss)
    kind = "the same" if np.allclose(asked, served, atol=1e-4) else "other"
    kind = "its logarithm" if np.allclose(np.log(asked), served, atol=1e-4) else kind
    print(f"{loss}: mean sold {sold.mean():.1f}, model {asked.mean():.1f}, graph {served.mean():.1f}: {kind}")
    assert kind == ("its logarithm" if loss[0] in "PT" else "the same"), (loss, kind)
try:
    both("MultiQuantile:alpha=0.1,0.5,0.9")
    seen = "loaded"
except Exception as err:
    seen = type(err).__name__
print("several quantiles:", seen)
# Seen: RMSE: mean sold 7.6, model 7.6, graph 7.6: the same
#       Quantile:alpha=0.9: mean sold 7.6, model 10.9, graph 10.9: the same
#       Poisson: mean sold 7.6, model 7.6, graph 1.9: its logarithm
#       Tweedie:variance_power=1.5: mean sold 7.6, model 7.6, graph 1.9: its logarithm
#       several quantiles: Fail
assert seen == "Fail", seen
PY
