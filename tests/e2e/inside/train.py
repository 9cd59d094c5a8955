"""The train step alone, on what `training.py` left, with another seed: train.py SEED."""

import sys

from steps import config, left, play

from components import train_forecaster
from invopt.errors import InvalidInputError

try:
    play(
        train_forecaster,
        training_set=left("retrieve-training-set", "training_set"),
        config=config("training.num_nodes=2", f"training.seed={sys.argv[1]}"),
        code_version="e2e",
    )
except InvalidInputError as err:
    sys.exit(str(err))
