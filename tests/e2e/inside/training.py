"""A training in one process, its networks on two machines: registered four times, twice corrupt."""

import json
import os
import shutil
from pathlib import Path

import yaml
from steps import OUT, config, play

import components as c
from serving.deployment import Deployment

shutil.rmtree(OUT, ignore_errors=True)
# As little as makes every part work: what is learned does not matter here.
whole = config("training.num_nodes=2", "training.max_steps=200", "tuning.trial_steps=5")
mapping = json.dumps(yaml.safe_load(Path("/e2e/datasets/demo.yaml").read_text()))
code, study = {"code_version": "e2e"}, f"e2e-{Path('/etc/hostname').read_text().strip()}"

(snapshot, _), ingest = play(
    c.ingest_data, mapping=mapping, data_dir="/workspace/e2e/early", data=whole["data"],
    tell_faults=False,
)  # fmt: skip
_, built = play(
    c.prepare_panel, snapshot=snapshot, cleaning=whole["cleaning"], features=whole["features"],
    evaluation=whole["evaluation"], **code,
)  # fmt: skip
known_at, _ = play(
    c.publish_features, derived=built.derived, snapshot=snapshot, features=whole["features"]
)
_, retrieved = play(c.retrieve_training_set, known_at=known_at, snapshot=snapshot, **code)
learned = {"training_set": retrieved.training_set}
os.environ["PGPASSWORD"] = os.environ["STUDIES_PASSWORD"]
tuned, _ = play(c.search_alone, config=whole, study=study, job=study, **learned)
_, trained = play(c.train_forecaster, config=tuned, **learned, **code)
_, judged = play(
    c.evaluate_forecaster,
    model=trained.model,
    snapshot=snapshot,
    quality=ingest.quality,
    config=tuned,
    **learned,
)
_, explained = play(c.explain_forecaster, model=trained.model, config=tuned, **learned, **code)


def register() -> str:
    """Register what was trained as one more version."""
    evidence = [judged.verdict.path, judged.assessment.path, explained.explanation.path]
    registry, tags = Deployment.from_environment().registry, {"snapshot": snapshot, "run": study}
    return registry.register(tuned["name"], trained.model.path, evidence, tags, print)


versions = [register()]
# The others are judged beside the first: as champion it is what they are to take the place of.
verdict = Path(judged.verdict.path)
alone = json.loads(verdict.read_text())
verdict.write_text(json.dumps(alone | {"champion_version": versions[0]}))
# A version is its files: others in one of them make another one.
note = Path(trained.model.path) / "note.txt"
note.write_text("The same model, registered once more.\n")
versions.append(register())
for graph in Path(trained.model.path).rglob("*.onnx"):
    graph.write_bytes(b"no graph " * 100)
found = {"versions": versions, "corrupt": register()}
# And as if nothing had been champion yet: what a first rollout is to refuse.
verdict.write_text(json.dumps(alone))
note.write_text("The corrupt model, registered once more.\n")
print("RESULT", json.dumps(found | {"corrupt_first": register()}))
