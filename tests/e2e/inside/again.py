"""The champion's model registered once more, as a version of its own: again.py [corrupt|gone].

A version is its files: one more file makes another one. Graphs that are corrupt cannot be read;
of a version that is gone the store has no file.
Its verdict is the champion's, passed beside the champion of now: else the deploy step refuses it.
"""

import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import fsspec

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
    evidence = Path(shutil.copytree(champion.parent / "evidence", Path(place) / "evidence"))
    (evidence / "deployment.json").unlink(missing_ok=True)
    [file] = evidence.glob("verdict*")  # KFP's artifacts have no suffix
    verdict = json.loads(file.read_text())
    file.write_text(json.dumps(verdict | {"champion_version": registry.champion_version(name)}))
    files = [str(file) for file in sorted(evidence.iterdir())]
    version = registry.register(name, str(model), files, {}, print)
if sys.argv[1:] == ["gone"]:
    source = registry.model_source(name, version)
    fsspec.core.url_to_fs(source)[0].rm(source, recursive=True)
print("RESULT", json.dumps({"version": version}))
