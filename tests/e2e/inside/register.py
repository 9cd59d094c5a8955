"""One trained model registered as a version of its own: register.py FOLDER [corrupt]."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from serving.registry import register

folder, corrupt = Path(sys.argv[1]), sys.argv[2:] == ["corrupt"]
with tempfile.TemporaryDirectory() as place:
    model = Path(shutil.copytree(folder / "model", Path(place) / "model"))
    if corrupt:
        for file in model.rglob("*.onnx"):
            file.write_bytes(b"no graph " * 100)
    evidence = sorted(
        str(f) for f in (folder / "evidence").iterdir() if f.name != "deployment.json"
    )
    version = register("demand-forecaster", str(model), evidence, {}, print)
print("RESULT", json.dumps({"version": version}))
