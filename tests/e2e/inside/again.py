"""The champion's model registered once more as a new version: again.py [corrupt|gone|parts].

A version is its files: one more file makes another one. Graphs that are corrupt cannot be read;
of a version that is gone the store has no file. One with parts forecasts one place by a baseline
of the champion's assessment, one series by the average of both, and all others as before.
Its verdict is the champion's, passed beside the champion of now: else the deploy step refuses it.
"""

import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import fsspec
import pandas as pd

from invopt.model_files import BASELINES, COMPOSED_VERSION, HEAD, PARTS
from invopt.parts import MAIN, PartRule, Parts
from serving.deployment import Deployment


def give_parts(model: Path, assessment: Path, orders: Path) -> None:
    """Make a model one of parts, as an assessment that chose them would.

    Args:
        model: Folder of the main model.
        assessment: Folder of its assessment, with the baselines.
        orders: Of a review: they name places and series.
    """
    shutil.rmtree(model / PARTS, ignore_errors=True)  # those of a champion that has some
    part = min((assessment / BASELINES).iterdir())
    shutil.copytree(part, model / PARTS / part.name)
    plan = pd.read_csv(orders, dtype=str)
    place, series = plan["location"].iloc[0], plan["unique_id"].iloc[-1]
    one = PartRule(group=series, makers=(MAIN, part.name), series=(series,))
    rule = PartRule(group=place, makers=(part.name,), column="location", values=(place,))
    Parts((one, rule)).save(model)
    head = json.loads((model / HEAD).read_text())
    (model / HEAD).write_text(json.dumps(head | {"format": COMPOSED_VERSION}))


name = "demand-forecaster"
deployment = Deployment.from_environment()
registry = deployment.registry
champion = registry.champion_path(name)
with tempfile.TemporaryDirectory() as place:
    model = Path(shutil.copytree(champion, Path(place) / "model"))
    (model / "note.txt").write_text(f"{uuid.uuid4()}\n")
    if sys.argv[1:] == ["corrupt"]:
        for graph in model.rglob("*.onnx"):
            graph.write_bytes(b"no graph " * 100)
    evidence = Path(shutil.copytree(champion.parent / "evidence", Path(place) / "evidence"))
    (evidence / "deployment.json").unlink(missing_ok=True)
    if sys.argv[1:] == ["parts"]:
        [assessment] = evidence.glob("assessment*")
        give_parts(model, assessment, max((deployment.settings.plans / name).glob("*.csv")))
    [file] = evidence.glob("verdict*")  # KFP's artifacts have no suffix
    verdict = json.loads(file.read_text())
    file.write_text(json.dumps(verdict | {"champion_version": registry.champion_version(name)}))
    files = [str(file) for file in sorted(evidence.iterdir())]
    version = registry.register(name, str(model), files, {}, print)
if sys.argv[1:] == ["gone"]:
    source = registry.model_source(name, version)
    fsspec.core.url_to_fs(source)[0].rm(source, recursive=True)
print("RESULT", json.dumps({"version": version}))
