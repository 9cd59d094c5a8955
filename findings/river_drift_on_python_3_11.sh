#!/bin/sh
# river 0.26.0 says `Requires-Python: >=3.11`, and no part of it that reads streams can be imported
# on Python 3.11: `river/stream/iter_csv.py` subscripts `csv.DictReader`, which can be subscripted
# from Python 3.12 on. `from river.drift import ADWIN` ends in a TypeError; 0.24.2 works. Met when
# ADWIN and Page-Hinkley were put beside our monitor.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet river==0.26.0
"$place/venv/bin/python" - <<'PY'
import importlib.metadata

needs = importlib.metadata.metadata("river")["Requires-Python"]
try:
    from river.drift import ADWIN  # noqa: F401

    seen = "imported"
except TypeError as err:
    seen = str(err)
print(needs, "|", seen)
# Seen on 3.11.7: >=3.11 | type 'DictReader' is not subscriptable
assert (needs, seen) == (">=3.11", "type 'DictReader' is not subscriptable"), (needs, seen)
PY
