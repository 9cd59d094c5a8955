"""What the release step does with a registered version: deploy.py VERSION [OVERRIDE ...]."""

import json
import sys

from steps import OUT, config

from invopt.config import Config
from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.loop.release import deploy

left, here = OUT / "evidence.json", Deployment.from_environment()
left.parent.mkdir(parents=True, exist_ok=True)
try:
    champion = deploy(here, Config.of(config(*sys.argv[2:])), sys.argv[1], str(left), print)
except InvalidInputError as err:
    sys.exit(str(err))
found = json.loads(left.read_text())
print("RESULT", json.dumps({"champion": champion, "steps": [s["step"] for s in found["steps"]]}))
