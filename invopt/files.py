"""Small results as JSON files: written aside then renamed, NaN as null."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np


def write_json(path: Path | str, content: Any) -> None:
    """Write plain data as JSON; the file appears whole or not at all.

    Numbers that are not finite become null: JSON has no word for them.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(plain(content), indent=1))
    partial.rename(path)


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text())


def plain(value: Any) -> Any:
    """Return nested data as JSON knows it: numpy as Python, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
