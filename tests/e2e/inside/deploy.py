"""The deploy step on one version: deploy.py VERSION."""

import json
import sys
from pathlib import Path

from steps import config, play

from components import deploy_forecaster
from invopt.errors import InvalidInputError

try:
    champion, left = play(deploy_forecaster, config=config(), version=sys.argv[1])
except InvalidInputError as err:
    sys.exit(str(err))
found = json.loads(Path(left.evidence.path).read_text())
print("RESULT", json.dumps({"champion": champion, "steps": [s["step"] for s in found["steps"]]}))
