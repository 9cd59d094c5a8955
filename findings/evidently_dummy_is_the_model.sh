#!/bin/sh
# Evidently 0.7.23: DummyMAE, DummyMAPE and DummyRMSE are to say how a simple baseline would do,
# such as the mean on every day, to set the model against. They give the model's own error, to the
# last digit: any model is as good as the baseline, none is better. The tests that
# include_tests=True adds to MAE, MAPE and RMSE ask for less than that number, so without
# reference data they fail for every model, a perfect forecast among them. The baseline's numbers
# are computed, under names that end in _default, and not used.
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
from evidently.metrics import MAE, RMSE, DummyMAE, DummyRMSE

definition = DataDefinition(regression=[Regression(target="sold", prediction="forecast")])
sold = pd.Series([10.0, 20, 30, 40])
# The best constants: the median for MAE, the mean for RMSE.
baseline = float((sold - sold.median()).abs().mean()), round(float(sold.std(ddof=0)), 1)
seen = {}
for name, forecast in {"perfect": sold, "1 off": sold + 1, "50 off": sold + 50}.items():
    table = Dataset.from_pandas(pd.DataFrame({"sold": sold, "forecast": forecast}), definition)
    report = Report([MAE(), RMSE(), DummyMAE(), DummyRMSE()], include_tests=True)
    result = report.run(table, None).dict()
    mae, rmse, *dummies = (metric["value"] for metric in result["metrics"])
    verdicts = {test["status"].value for test in result["tests"]}
    seen[name] = (mae["mean"], rmse), tuple(dummies), verdicts
print("MAE and RMSE of the best constants:", baseline)
print("of the model, of the dummy, and verdict:", seen)
# Seen: MAE and RMSE of the best constants: (10.0, 11.2)
#       of the model, of the dummy, and verdict: {'perfect': ((0.0, 0.0), (0.0, 0.0), {'FAIL'}),
#       '1 off': ((1.0, 1.0), (1.0, 1.0), {'FAIL'}),
#       '50 off': ((50.0, 50.0), (50.0, 50.0), {'FAIL'})}
assert baseline == (10.0, 11.2), baseline
errors = {"perfect": 0.0, "1 off": 1.0, "50 off": 50.0}
assert all(seen[name] == ((of, of), (of, of), {"FAIL"}) for name, of in errors.items()), seen
PY
