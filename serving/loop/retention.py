"""What a workspace need not keep: found, told, and deleted when asked.

Models, orders, served decisions, published features and the record of decisions are never among it:
they are served, or audited.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.deployment import Deployment
from serving.stores.registry import Registry

# A copy under way has a name like these; one that is a day old was cut off.
_CUT_OFF = (".partial-*", ".*.partial*", ".new-*")
_UNDER_WAY = timedelta(days=1)


@dataclass(frozen=True)
class Expired:
    """Something that may go.

    Attributes:
        path: File or folder.
        kind: What it is, in words.
        size: Bytes.
        days: Since it was last written.
    """

    path: Path
    kind: str
    size: int
    days: float


def expired(deployment: Deployment, keep: timedelta, now: datetime) -> list[Expired]:
    """Return what is older than `keep` and neither served nor audited, the largest first.

    - Intermediate files of local runs; their results (orders, verdict, reports) stay, and the
      newest run of each pipeline stays whole.
    - Snapshots, but those a champion or the one before it was trained on: the next run that reads
      the same data makes them again.
    - Checkpoints of trainings.
    - Copies that were cut off, after a day.

    Args:
        deployment: Whose workspace.
        keep: Age up to which everything stays.
        now: UTC.
    """
    root = deployment.settings.workspace
    found = [
        *((path, "intermediate files of a run") for path in _artifacts(root / "runs")),
        *((path, "snapshot of data") for path in _snapshots(deployment)),
        *((path, "checkpoints of a training") for path in _folders(root / "training")),
    ]
    told = [_told(path, kind, now) for path, kind in found]
    old = [item for item in told if item.days > keep / timedelta(days=1)]
    cut = [_told(path, "copy that was cut off", now) for path in _cut_off(root)]
    old += [item for item in cut if item.days > _UNDER_WAY / timedelta(days=1)]
    return sorted(old, key=lambda item: -item.size)


def delete(deployment: Deployment, items: list[Expired]) -> None:
    """Delete what `expired` found; a run that is cut off leaves a workspace that works."""
    gone = [item.path.resolve() for item in items]
    # First what points there: a step whose result is gone is computed again.
    for entry in sorted((deployment.settings.workspace / "cache").glob("**/*.json")):
        if any(place.is_relative_to(path) for place in _places(entry) for path in gone):
            entry.unlink(missing_ok=True)
    for item in items:
        if item.path.is_dir():
            shutil.rmtree(item.path, ignore_errors=True)
        else:
            item.path.unlink(missing_ok=True)


def _artifacts(runs: Path) -> Iterator[Path]:
    by_pipeline: dict[str, list[Path]] = {}
    for folder in _folders(runs):
        by_pipeline.setdefault(folder.name.partition("-")[0], []).append(folder)
    for folders in by_pipeline.values():
        for folder in folders[:-1]:  # names end in the time, so the last one is the newest
            if (folder / "artifacts").is_dir():
                yield folder / "artifacts"


def _snapshots(deployment: Deployment) -> list[Path]:
    folders = _folders(deployment.settings.snapshots)
    kept = _trained_on(deployment.registry) if folders else set()
    return [folder for folder in folders if folder.name not in kept]


def _trained_on(registry: Registry) -> set[str]:
    """Return the snapshots of every model's champion and of the one before it."""
    names = {name for name, _ in registry.registered_versions()}
    versions = {
        (name, version)
        for name in names
        for version in (registry.champion_version(name), registry.previous_version(name))
        if version
    }
    return {registry.snapshot_of(name, version) for name, version in versions}


def _folders(place: Path) -> list[Path]:
    return sorted(p for p in place.glob("*") if p.is_dir() and not p.name.startswith("."))


def _cut_off(root: Path) -> set[Path]:
    return {path for pattern in _CUT_OFF for path in root.glob(f"**/{pattern}")}


def _told(path: Path, kind: str, now: datetime) -> Expired:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    written = max([stat.st_mtime for stat in stats], default=path.stat().st_mtime)
    age = now - datetime.fromtimestamp(written, UTC)
    return Expired(path, kind, sum(stat.st_size for stat in stats), age / timedelta(days=1))


def _places(entry: Path) -> list[Path]:
    """Return where the results of a cached step lie."""
    try:
        content = json.loads(entry.read_text())
    except (OSError, ValueError):  # no cache of ours, or cut off: kfp's runner says so itself
        return []
    values = content.values() if isinstance(content, dict) else []
    return [Path(v["uri"]).resolve() for v in values if isinstance(v, dict) and "uri" in v]
