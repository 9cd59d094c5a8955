#!/bin/sh
# Two libraries that sort articles by how they sell (interval between sales, and squared
# coefficient of variation of the sizes, borders 1.32 and 0.49; Syntetos, Boylan and Croston 2005)
# sort them wrongly. pyinterdemand 1.4.3 divides by the mean where its square belongs, takes the
# mean of all days and counts the days of sales only: the class depends on the unit, and 2 boxes a
# day are smooth where their 20 pieces are erratic. sbc-classification 0.0.4 names the method the
# wrong way round below 1.32: it gives smooth articles SBA and erratic ones Croston; its own
# picture shades the smooth corner for Croston.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pyinterdemand==1.4.3 sbc-classification==0.0.4 \
    numpy==2.4.6 pandas==2.3.3 matplotlib==3.11.2
MPLBACKEND=Agg "$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
from pyInterDemand.algorithm.intermittent import classification
from sbc.sbc_class import sbc_class

draws, days = np.random.default_rng(0), 200
sizes = {"even": draws.poisson(20, days), "uneven": draws.geometric(0.05, days)}
sold = pd.DataFrame(
    {
        "smooth": sizes["even"], "erratic": sizes["uneven"],
        "intermittent": sizes["even"] * (draws.random(days) < 0.3),
        "lumpy": sizes["uneven"] * (draws.random(days) < 0.3),
    },
    index=pd.date_range("2026-01-01", periods=days), dtype=float,
)
due, said = {}, {}
for name, units in sold.items():
    some = units[units > 0]
    due[name] = round(float((some.std(ddof=0) / some.mean()) ** 2), 2)
    # Boxes of ten pieces, and pieces.
    said[name] = [round(float(classification(units / each)[1]), 3) for each in (10, 1)]
print("squared variation by the book:", due, "by pyinterdemand, in boxes and in pieces:", said)
# Seen: squared variation by the book: {'smooth': 0.05, 'erratic': 0.92, 'intermittent': 0.04,
#       'lumpy': 0.98} by pyinterdemand, in boxes and in pieces: {'smooth': [0.099, 0.99],
#       'erratic': [1.725, 17.253], 'intermittent': [1.198, 11.978], 'lumpy': [2.269, 22.694]}
assert due["smooth"] < 0.49 and said["smooth"][0] < 0.49 < said["smooth"][1], (due, said)
assert due["intermittent"] < 0.49 < min(said["intermittent"]), (due, said)
assert all(abs(pieces / boxes - 10) < 0.1 for boxes, pieces in said.values()), said
method = dict(zip(sold.columns, sbc_class(sold)["model"], strict=True))
print("method by sbc-classification:", method)
# Seen: method by sbc-classification: {'smooth': 'SBA', 'erratic': 'Croston', 'intermittent': 'SBA',
#       'lumpy': 'SBA'}
assert [name for name, found in method.items() if found == "Croston"] == ["erratic"], method
assert set(method.values()) == {"SBA", "Croston"}, method
PY
