"""The deploy step itself on one version: deploy.py VERSION."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from components.deploy_forecaster import deploy_forecaster
from invopt.config import load_config
from invopt.errors import InvalidInputError

config = load_config("/e2e/config.yaml").as_parameter()
evidence = SimpleNamespace(path="/tmp/evidence.json")
try:
    champion = deploy_forecaster.python_func(config=config, version=sys.argv[1], evidence=evidence)
except InvalidInputError as err:
    sys.exit(str(err))
found = json.loads(Path(evidence.path).read_text())
print("RESULT", json.dumps({"champion": champion, "steps": [s["step"] for s in found["steps"]]}))
