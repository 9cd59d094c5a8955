"""What `feast apply` in this folder finds: the declarations of the data set published last.

Feast collects the objects of the modules here. The layout lies beside the registry, in the folder
that feature_store.yaml names by a variable.
"""

import json
from pathlib import Path
from typing import Any

from feast.repo_config import load_repo_config

from feature_repo.definitions import Definitions

_HERE = Path(__file__).resolve().parent


def _published() -> list[Any]:
    registry = load_repo_config(_HERE, _HERE / "feature_store.yaml").registry
    folder = Path(registry if isinstance(registry, str) else registry.path).parent
    layout = folder / "layout.json"
    if not layout.is_file():
        return []
    return Definitions.of(json.loads(layout.read_text()), str(folder)).objects


for _number, _object in enumerate(_published()):
    globals()[f"published_{_number}"] = _object
