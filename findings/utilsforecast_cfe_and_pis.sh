#!/bin/sh
# utilsforecast 0.2.17: two measures of bias that are not what they are called. `cfe` (cumulative
# forecast error) says that positive means under-forecast; it sums forecast minus actual, so positive
# is over-forecast. `pis` (periods in stock; `spis` likewise) is the sum of absolute errors, thus MAE
# times the rows: it cannot tell a forecast always 2 too high from one that swings by 2, the very thing
# periods in stock (the sum of the cumulative errors) was made for.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet utilsforecast==0.2.17 numpy==2.4.6 pandas==2.3.3
"$place/venv/bin/python" - <<'PY'
import numpy as np
import pandas as pd
from utilsforecast.losses import cfe, mae, pis

sold = np.array([5.0, 3, 6, 4, 5, 7])
table = pd.DataFrame({"unique_id": "a", "ds": range(6), "y": sold})
table["high"] = sold + 2
table["swings"] = sold + [2, -2, 2, -2, 2, -2]
models = ["high", "swings"]
defined = [float(np.abs(np.cumsum(table[name] - sold).cumsum().iloc[-1])) for name in models]
said = {loss.__name__: loss(table, models)[models].iloc[0].tolist() for loss in (cfe, pis, mae)}
print(said, "periods in stock:", defined)
print([line.strip() for line in cfe.__doc__.splitlines() if "Positive" in line])
# Seen: {'cfe': [12.0, 0.0], 'pis': [12.0, 12.0], 'mae': [2.0, 2.0]} periods in stock: [42.0, 6.0]
#       ['Total signed forecast error per series. Positive values mean under forecast; negative ...']
assert said == {"cfe": [12.0, 0.0], "pis": [12.0, 12.0], "mae": [2.0, 2.0]}, said
assert defined == [42.0, 6.0], defined
assert "Positive values mean under forecast" in cfe.__doc__
PY
