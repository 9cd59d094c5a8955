#!/bin/sh
# croston 0.1.2.4: the "in-sample forecast" of a day with demand already holds that day's demand, where
# Croston's forecast of a day is made from the days before: after a sale today, today's fitted value is
# tomorrow's forecast. The smoothing weight is chosen by the error of these values, so even demand,
# which asks for a weight near 0, gets one of 0.4 here: the last orders decide the forecast.
# The variant "tsb", which the source's comments name, gives the original method without a word.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet croston==0.1.2.4 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from croston.croston import fit_croston

sales = np.array([0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 4, 0, 0, 3, 0, 6.0])
found = fit_croston(sales, 1)
fitted, ahead = found["croston_fittedvalues"][-3:].round(2).tolist(), round(found["croston_forecast"][0], 2)
tsb = round(fit_croston(sales, 1, "tsb")["croston_forecast"][0], 2)
print("last three days", sales[-3:], "fitted", fitted, "tomorrow", ahead, "by tsb", tsb)
# Seen: last three days [3. 0. 6.] fitted [1.0, 1.0, 3.0] tomorrow 3.0 by tsb 3.0
assert (fitted, ahead, tsb) == ([1.0, 1.0, 3.0], 3.0, 3.0), (fitted, ahead, tsb)


def best_ahead(sales):
    """Return the weight of least squared error when each day is forecast from the days before."""
    errors = []
    for weight in np.linspace(0, 1, 51):
        size, gap, since, total = None, None, 1, 0.0
        for sold in sales:
            total += (sold - size / gap) ** 2 if size else 0
            if sold:
                size = sold if size is None else size + weight * (sold - size)
                gap = 2.5 if gap is None else gap + weight * (since - gap)
                since = 0
            since += 1
        errors.append(total)
    return float(np.linspace(0, 1, 51)[np.argmin(errors)])


draws = np.random.default_rng(0)
articles = [np.where(draws.random(104) < 0.4, draws.gamma(2, 5, 104).round(), 0) for _ in range(40)]
chosen = float(np.median([fit_croston(one, 1)["croston_model"]["a_demand"] for one in articles]))
ahead = float(np.median([best_ahead(one) for one in articles]))
print(f"median weight of 40 articles of even demand: {chosen:.2f}; best one day ahead: {ahead:.2f}")
# Seen: median weight of 40 articles of even demand: 0.40; best one day ahead: 0.08
assert chosen > 0.25 and ahead < 0.15, (chosen, ahead)
PY
