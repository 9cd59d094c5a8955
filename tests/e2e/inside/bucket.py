"""The bucket of the models, made where it is not there."""

import json
import os

import fsspec

store = fsspec.filesystem("s3")
bucket = os.environ["INVOPT_MODEL_STORE"].partition("://")[2].split("/")[0]
is_new = not store.exists(bucket)
if is_new:
    store.mkdir(bucket)
print("RESULT", json.dumps({"bucket": bucket, "new": is_new}))
