"""The bucket, and a small retailer twice: up to a day, and with four weeks more.

In the last of these weeks demand is another one. Everything else goes on as it was: what was known
on that day says the same in both folders. One temperature is this installation's own: from equal
data KFP would take what an earlier installation computed from its cache, and play no step.
"""

import dataclasses
import json
import os
import random
from pathlib import Path

import fsspec
import pandas as pd

from invopt.synthetic import make_retailer, write_retailer

DAYS, MORE, OTHER = 365, 28, 7


def write_both(out: Path) -> int:
    """Write the folders early and later; returns the number of series."""
    whole = make_retailer(12, 5, DAYS + MORE, 1, shift=(2.0, DAYS + MORE - OTHER))
    write_retailer(whole, out / "later")
    names = ("demand", "sales", "on_hand", "on_order")
    past = {name: getattr(whole, name)[:, :DAYS] for name in names}
    write_retailer(dataclasses.replace(whole, num_days=DAYS, **past), out / "early")
    # What is random in writing (faulty lines, customers' shares) is drawn anew for other lengths.
    for name in ("sales_lines.csv", "customers.csv"):
        early, later = (pd.read_csv(out / f / name, dtype=str) for f in ("early", "later"))
        new = later[later["date"] >= f"{whole.dates[DAYS]:%Y-%m-%d}"].copy()
        if name == "customers.csv":
            fixed = [c for c in early if c not in ("store", "date", "visits")]
            known = early.groupby("store")[fixed].last()
            new[fixed] = known.loc[new["store"]].to_numpy()
        pd.concat([early, new]).to_csv(out / "later" / name, index=False)
    own = f"{random.uniform(-5, 5):.9f}"
    for folder in ("early", "later"):
        table = pd.read_csv(out / folder / "external.csv", dtype=str)
        table.loc[0, "temperature"] = own
        table.to_csv(out / folder / "external.csv", index=False)
    return len(whole.series)


if __name__ == "__main__":
    bucket = os.environ["INVOPT_MODEL_STORE"].partition("://")[2].split("/")[0]
    store = fsspec.filesystem("s3")
    if not store.exists(bucket):
        store.mkdir(bucket)
    place = Path("/workspace/e2e")
    place.mkdir(parents=True, exist_ok=True)
    print("RESULT", json.dumps({"series": write_both(place), "days": DAYS, "bucket": bucket}))
