"""What MLflow holds of a pipeline's run, with one file read back: kept.py ID."""

import json
import sys
from pathlib import Path

from mlflow.artifacts import download_artifacts

from serving.deployment import Deployment

client = Deployment.from_environment().registry.client
experiments = [found.experiment_id for found in client.search_experiments()]
[run] = client.search_runs(experiments, f"tags.`invopt.run` = '{sys.argv[1]}'")
files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
decision = ""
if "verdict.json" in files:
    place = download_artifacts(
        run_id=run.info.run_id, artifact_path="verdict.json", dst_path="/tmp"
    )
    decision = json.loads(Path(place).read_text())["decision"]
found = {"files": files, "decision": decision, "metrics": len(run.data.metrics)}
print("RESULT", json.dumps(found))
