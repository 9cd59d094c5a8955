#!/bin/sh
# MLServer 1.7.1 asks for any pandas and gets 3.1.1, whose text columns have a type of their own: its
# PandasCodec, which turns a table into an Open Inference request, then ends in "KeyError: 'O'" for a
# column of article names. With pandas 2.3.3 it encodes them. Columns of dates end in "KeyError: 'M'"
# with both, though MLServer has a codec for dates: give them as text.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet mlserver==1.7.1 pandas==3.1.1
cat > "$place/see.py" <<'PY'
import pandas as pd
from mlserver.codecs import PandasCodec

table = pd.DataFrame({
    "units": [3, 5],
    "article": ["00123", "A-7"],
    "day": pd.to_datetime(["2026-01-02", "2026-01-03"]),
})
seen = []
for name in table:
    try:
        seen.append(PandasCodec.encode_request(table[[name]]).inputs[0].datatype)
    except KeyError as err:
        seen.append(f"KeyError: {err}")
print(pd.__version__, *seen, sep=" | ")
text = "KeyError: 'O'" if pd.__version__ == "3.1.1" else "BYTES"
assert seen == ["INT64", text, "KeyError: 'M'"], seen
PY
"$place/venv/bin/python" -W ignore "$place/see.py"
"$place/venv/bin/pip" install --quiet pandas==2.3.3
"$place/venv/bin/python" -W ignore "$place/see.py"
# Seen: 3.1.1 | INT64 | KeyError: 'O' | KeyError: 'M'
#       2.3.3 | INT64 | BYTES | KeyError: 'M'
