#!/bin/sh
# sktime 1.2.0 and skpro 2.16.0: EmpiricalCoverage and ConstraintViolation of several articles at
# several levels set one article's sales against another's interval: the intervals are ordered by
# article, the sales are repeated level by level. Two articles whose 50 % and 90 % intervals are
# right score 0.52 and 0, 0 and 0.92; with one article or one level the numbers are right, as is
# PinballLoss. On counts the two libraries differ as well: skpro takes the ends of an interval for
# outside (its page says "y in [a, b]", and sktime does so), so an article that never sells,
# forecast at 0 to 0, has a coverage of 0, and one that sells one a day of 0 to 1 has the same.
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
from scipy.stats import norm

draws = np.random.default_rng(0)
articles, levels = {"A": (100, 10), "B": (10, 1)}, (0.5, 0.9)
sales = pd.DataFrame({name: draws.normal(*of, 200) for name, of in articles.items()})
columns = pd.MultiIndex.from_product([articles, levels, ["lower", "upper"]])
sides = {"lower": -1, "upper": 1}
ends = [norm.ppf(0.5 + sides[side] * level / 2, *articles[name]) for name, level, side in columns]
fan = pd.DataFrame([ends] * 200, columns=columns)


def coverage(library, sold, interval):
    measure = library.EmpiricalCoverage(multioutput="raw_values", score_average=False)
    return [round(float(share), 3) for share in np.ravel(measure(sold, interval))]


together, alone = {}, {}
for library in (ours, skpro.metrics):
    name = library.__name__.partition(".")[0]
    together[name] = coverage(library, sales, fan)
    each = [coverage(library, sales[[one]], fan[[one]]) for one in articles]
    alone[name] = sum(each, [])
print("coverage of A and B at 50 % and 90 %, together:", together, "each alone:", alone)
# Seen: coverage of A and B at 50 % and 90 %, together: {'sktime': [0.52, 0.0, 0.0, 0.925],
#       'skpro': [0.52, 0.0, 0.0, 0.925]} each alone: {'sktime': [0.52, 0.92, 0.48, 0.925], ...}
assert all(found == [0.52, 0.0, 0.0, 0.925] for found in together.values()), together
assert all(found == [0.52, 0.92, 0.48, 0.925] for found in alone.values()), alone
for library in (ours, skpro.metrics):
    most = fan.loc[:, (slice(None), 0.9)]
    assert coverage(library, sales, most) == [0.92, 0.925], coverage(library, sales, most)

counts = {}
for low, high, sold in ((0, 0, [0] * 4), (0, 1, [0, 1, 1, 0]), (0, 2, [0, 1, 2, 1])):
    interval = pd.DataFrame([[low, high]] * 4, columns=columns[:2], dtype=float)
    table = pd.DataFrame({"A": sold}, dtype=float)
    counts[low, high] = [coverage(library, table, interval)[0] for library in (ours, skpro.metrics)]
print("counts within 0 to 0, 0 to 1 and 0 to 2; sktime, skpro:", counts)
# Seen: counts within 0 to 0, 0 to 1 and 0 to 2; sktime, skpro: {(0, 0): [1.0, 0.0],
#       (0, 1): [1.0, 0.0], (0, 2): [1.0, 0.5]}
assert counts == {(0, 0): [1.0, 0.0], (0, 1): [1.0, 0.0], (0, 2): [1.0, 0.5]}, counts
PY
