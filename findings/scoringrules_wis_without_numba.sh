#!/bin/sh
# scoringrules 0.10.0: without numba, weighted_interval_score adds half of the median itself where
# the definition (and the compiled path) adds half of |y - median|. A perfect forecast of 100 then
# scores 20 instead of 0, and articles that sell much look badly forecast. numba is an optional extra.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet scoringrules==0.10.0 numpy==2.4.6
cat > "$place/see.py" <<'PY'
import importlib.util

import numpy as np
import scoringrules as sr

alpha = np.array([0.2, 0.5])


def score(sold, median, lower, upper):
    return round(float(sr.weighted_interval_score(sold, median, lower, upper, alpha)), 3)


def defined(sold, median, lower, upper):
    outside = np.maximum(lower - sold, 0) + np.maximum(sold - upper, 0)
    total = abs(sold - median) / 2 + np.sum(alpha / 2 * (upper - lower + 2 / alpha * outside))
    return round(float(total / (len(alpha) + 0.5)), 3)


exact = (100.0, 100.0, np.array([100.0, 100.0]), np.array([100.0, 100.0]))
usual = (9.0, 6.0, np.array([2.0, 4.0]), np.array([11.0, 8.0]))
seen = [score(*exact), defined(*exact), score(*usual), defined(*usual)]
numba = importlib.util.find_spec("numba") is not None
print("numba:", numba, "| exact forecast:", *seen[:2], "| usual forecast:", *seen[2:])
assert seen == ([0.0, 0.0, 1.76, 1.76] if numba else [20.0, 0.0, 2.36, 1.76]), seen
PY
"$place/venv/bin/python" "$place/see.py"
"$place/venv/bin/pip" install --quiet numba==0.68.1
"$place/venv/bin/python" "$place/see.py"
# Seen: numba: False | exact forecast: 20.0 0.0 | usual forecast: 2.36 1.76
#       numba: True | exact forecast: 0.0 0.0 | usual forecast: 1.76 1.76
