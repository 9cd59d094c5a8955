"""The champion registered once more, with graphs that cannot be read."""

import json
import shutil
import tempfile
from pathlib import Path

from serving.registry import champion_path, register

name = "demand-forecaster"
champion = champion_path(name, required=True)
with tempfile.TemporaryDirectory() as place:
    model = Path(shutil.copytree(champion, Path(place) / "model"))
    for graph in model.rglob("*.onnx"):
        graph.write_bytes(b"no graph " * 100)
    evidence = sorted((champion.parent / "evidence").glob("*"))
    version = register(
        name, str(model), [str(f) for f in evidence if f.name != "deployment.json"], {}, print
    )
print("RESULT", json.dumps({"version": version}))
