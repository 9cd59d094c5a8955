"""Files and folders that appear whole or not at all, and small results as JSON."""

import json
import math
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def replacing_file(path: Path | str) -> Iterator[Path]:
    """Yield a place beside a file to write to; it becomes the file when all went well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path)
    try:
        yield partial
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside its final place to fill; it takes the place when all went well."""
    partial = _beside(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _beside(path: Path) -> Path:
    # Hidden, so that nobody who lists the folder takes it for a result. Numbers of processes are
    # no names: in the pods that share a workspace they are the same.
    return path.with_name(f".{path.name}.partial-{uuid.uuid4().hex[:12]}")


def write_json(path: Path | str, content: Any) -> None:
    """Write plain data as JSON; the file appears whole or not at all.

    Numbers that are not finite become null: JSON has no word for them.
    """
    with replacing_file(path) as partial:
        partial.write_text(json.dumps(plain(content), indent=1))


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
