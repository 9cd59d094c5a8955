"""The bucket, and a small retailer twice: up to a day, and with four weeks of other demand more."""

import dataclasses
import json
import os
from pathlib import Path

import fsspec

from invopt.synthetic import make_retailer, write_retailer

DAYS, MORE = 365, 28
bucket = os.environ["INVOPT_MODEL_STORE"].partition("://")[2].split("/")[0]
store = fsspec.filesystem("s3")
if not store.exists(bucket):
    store.mkdir(bucket)
out = Path("/workspace/e2e")
out.mkdir(parents=True, exist_ok=True)
whole = make_retailer(12, 5, DAYS + MORE, 1, shift=(1.8, DAYS))
write_retailer(whole, out / "later")
early = dataclasses.replace(
    whole,
    num_days=DAYS,
    **{name: getattr(whole, name)[:, :DAYS] for name in ("demand", "sales", "on_hand", "on_order")},
)
write_retailer(early, out / "early")
print("RESULT", json.dumps({"series": len(whole.series), "days": DAYS, "bucket": bucket}))
