"""The train step itself on the newest training set of the workspace: train.py SEED."""

import sys
from pathlib import Path
from types import SimpleNamespace

from components.train_forecaster import train_forecaster
from invopt.config import load_config
from invopt.errors import InvalidInputError

config = load_config(
    "/e2e/config.yaml", ["training.num_nodes=2", f"training.seed={sys.argv[1]}"]
).as_parameter()
found = sorted(Path("/workspace").glob("runs/*/**/training_set"), key=lambda p: p.stat().st_mtime)
found += sorted(Path("/workspace").glob("cache/**/training_set"), key=lambda p: p.stat().st_mtime)
try:
    train_forecaster.python_func(
        training_set=SimpleNamespace(path=str(found[-1])),
        config=config,
        code_version="e2e",
        model=SimpleNamespace(path="/tmp/model"),
    )
except InvalidInputError as err:
    sys.exit(str(err))
