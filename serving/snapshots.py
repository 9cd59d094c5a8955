"""Snapshots of data: named by what is in them, kept in the workspace, never changed."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from invopt.config import DataConfig
from invopt.files import write_json
from invopt.sources import DatasetReport, read_dataset
from invopt.sources import Mapping as DataMapping
from serving.settings import Settings

_CHUNK = 1 << 20
# What the reader says about the data is not part of their identity.
_NOT_CONTENT = ("report.json", "quarantine.parquet")


@dataclass(frozen=True)
class Quality:
    """What ingest found, for the report and the gate.

    Attributes:
        snapshot: Name.
        report: Rows by table.
        stale_periods: Periods by which the data are older than the configuration allows.
    """

    snapshot: str
    report: DatasetReport
    stale_periods: int

    def save(self, path: str) -> None:
        """Write everything as JSON."""
        content = asdict(self.report) | {"bad_share": self.report.bad_share}
        write_json(
            path, {"snapshot": self.snapshot, "stale_periods": self.stale_periods, **content}
        )


def take_snapshot(
    mapping: DataMapping,
    data_dir: str,
    data: dict[str, Any],
    environment: Mapping[str, str],
    notify: Callable[[str], None],
) -> tuple[str, Quality]:
    """Read a data set into the workspace and return its name and what was found.

    The same data give the same name, whoever reads them and whenever.

    Raises:
        InvalidInputError: If the data cannot be used; nothing is left behind.
    """
    config = DataConfig.model_validate(data)
    folder = Settings.from_environment(environment).workspace / "snapshots"
    fresh = folder / f".new-{uuid.uuid4().hex}"
    try:
        report = read_dataset(
            mapping,
            Path(data_dir),
            fresh,
            variables=environment,
            max_bad_share=config.max_quarantine_share,
            notify=notify,
        )
        name = f"{mapping.name}-{content_hash(fresh)[:16]}"
        place = folder / name
        if not place.exists():
            fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    rows = sum(a.rows_in for a in report.accounting)
    aside = sum(sum(a.quarantined.values()) for a in report.accounting)
    notify(f"snapshot {name}: {rows:,} rows in, {aside:,} set aside with a reason")
    return name, Quality(name, report, stale_periods=0)


def snapshot_path(name: str) -> Path:
    """Return the folder of a snapshot in this process's workspace."""
    return Settings.from_environment().workspace / "snapshots" / name


def content_hash(folder: Path) -> str:
    """Return the SHA-256 of a folder's files and their names."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if file.name in _NOT_CONTENT:
            continue
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
