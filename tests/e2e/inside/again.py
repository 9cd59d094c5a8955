"""The champion's model registered once more, as a version of its own: again.py [corrupt].

A version is its files: one more file makes another one. Graphs that are corrupt cannot be read.
"""

import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from serving.deployment import Deployment

name = "demand-forecaster"
registry = Deployment.from_environment().registry
champion = registry.champion_path(name)
with tempfile.TemporaryDirectory() as place:
    model = Path(shutil.copytree(champion, Path(place) / "model"))
    (model / "note.txt").write_text(f"{uuid.uuid4()}\n")
    if sys.argv[1:] == ["corrupt"]:
        for graph in model.rglob("*.onnx"):
            graph.write_bytes(b"no graph " * 100)
    evidence = sorted((champion.parent / "evidence").glob("*"))
    version = registry.register(
        name, str(model), [str(f) for f in evidence if f.name != "deployment.json"], {}, print
    )
print("RESULT", json.dumps({"version": version}))
