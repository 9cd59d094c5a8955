#!/bin/sh
# inventorize 1.2.6: reorderpoint_leadtime_variability writes a square as `^ 2`, which is exclusive or
# in Python and binds last: the lead time's deviation enters as it is, not squared. With 2 days, as in
# its own example, the safety stock is 92 instead of 129, with 3 days 112 instead of 193; half a day is
# a TypeError. Textbook: variance = L * sd_d^2 + d^2 * sd_L^2. total_logistics_cost has it right.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet inventorize==1.2.6 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
from math import sqrt
from statistics import NormalDist

import numpy as np
from inventorize import reorderpoint_leadtime_variability as reorder_point

daily, sd_daily, lead, level = 50, 5, 6, 0.90
seen = {}
for sd_lead in (1, 2, 3):
    found = reorder_point(daily, sd_daily, lead, sd_lead, level)["reorder_point"] - daily * lead
    right = NormalDist().inv_cdf(level) * sqrt(lead * sd_daily**2 + daily**2 * sd_lead**2)
    seen[sd_lead] = (round(float(found), 1), round(right, 1))
print("safety stock by deviation of the lead time, found and right:", seen)
# Seen: {1: (66.0, 66.0), 2: (92.0, 129.1), 3: (112.1, 192.9)}
assert seen == {1: (66.0, 66.0), 2: (92.0, 129.1), 3: (112.1, 192.9)}, seen

draws = np.random.default_rng(0)
days = draws.normal(lead, 2, 1_000_000).clip(0)
during = draws.normal(daily * days, sd_daily * np.sqrt(days))
served = [round(float((during <= daily * lead + stock).mean()), 2) for stock in seen[2]]
print("cycles without a stock-out, asked for 0.9:", served)
# Seen: [0.82, 0.9]
assert served == [0.82, 0.9], served
PY
