#!/bin/sh
# inventorize 1.2.6: EPP_singleperiod (one season, Poisson demand) gives an expected profit that grows
# with every unit ordered: its formula goes over two lines without a bracket, and Python drops the
# second. An order 20 % above the mean "earns" 816 where it earns 319; no best order can be found by
# it. Its expected and lost sales are right, and so is EPN_singleperiod (normal demand).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet inventorize==1.2.6 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from inventorize import EPN_singleperiod, EPP_singleperiod
from scipy.stats import poisson

mean, price, cost, salvage = 100, 10, 6, 2
units = np.arange(400)
seen = {}
for order in (80, 100, 120):
    said = EPP_singleperiod(order, mean, price, cost, salvage, 0)
    sales = np.minimum(units, order) @ poisson.pmf(units, mean)
    assert abs(said["expected_sales"] - sales) < 1e-6
    right = price * sales + salvage * (order - sales) - cost * order
    normal = EPN_singleperiod(order, mean, 10, price, cost, salvage, 0)["profit"]
    seen[order] = [round(float(value)) for value in (said["expectedprofit"], right, normal)]
print("expected profit by order; said, summed over the demands, normal demand:", seen)
# Seen: {80: [9, 319, 319], 100: [337, 368, 368], 120: [816, 319, 319]}
assert seen == {80: [9, 319, 319], 100: [337, 368, 368], 120: [816, 319, 319]}, seen
PY
