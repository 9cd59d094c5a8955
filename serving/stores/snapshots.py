"""Snapshots of data: named by what is in them, kept in the workspace, never changed."""

import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from invopt.config import DataConfig
from invopt.errors import ConfigError, InvalidInputError
from invopt.files import write_json
from invopt.panel import iter_panels
from invopt.sources import DataCheck, DataProfile, DatasetReport, check_data, read_dataset
from invopt.sources import Mapping as DataMapping
from invopt.types import Notify

_CHUNK = 1 << 20
# What the reader says about the data is not part of their identity.
_NOT_CONTENT = ("report.json", "quarantine.parquet")
# What came of reading: fixed words, because pipelines branch by them.
READ, UNREADABLE = "read", "unreadable"
AGAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Quality:
    """What ingest found, for the report and the gate.

    Attributes:
        snapshot: Name.
        report: Rows by table.
        checks: Of age, volume, references, completeness and jumps.
        profile: Rows and units by date.
    """

    state: ClassVar[str] = READ
    snapshot: str
    report: DatasetReport
    checks: list[DataCheck]
    profile: dict[str, Any]

    @property
    def failed(self) -> list[DataCheck]:
        """Checks that do not hold."""
        return [check for check in self.checks if not check.passed]

    @property
    def content(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "snapshot": self.snapshot,
            **asdict(self.report),
            "bad_share": self.report.bad_share,
            "stale_periods": self.stale_periods,
            "checks": [asdict(check) for check in self.checks],
            "profile": self.profile,
        }

    @property
    def stale_periods(self) -> int:
        """Periods by which the data are older than allowed."""
        [fresh] = (check for check in self.checks if check.name == "freshness")
        return 0 if fresh.passed else int((fresh.value or 0) - (fresh.limit or 0))

    def save(self, path: str) -> None:
        """Write everything as JSON."""
        write_json(path, self.content)


@dataclass(frozen=True)
class Fault:
    """Why ingest found nothing that can be used.

    Attributes:
        sentence: What is wrong, where, and what to do.
    """

    state: ClassVar[str] = UNREADABLE
    sentence: str

    def save(self, path: str) -> None:
        """Write it as JSON."""
        write_json(path, {"unreadable": self.sentence})


def snapshot_or_fault(
    take: Callable[[], tuple[str, Quality]], mapping: DataMapping, notify: Notify
) -> tuple[str, Quality | Fault]:
    """Return the snapshot that is taken, or "none" and what is wrong with the data.

    A mistake in the configuration is no fault of the data and still raises. What lies in a
    database or an object store is asked for twice: it may have been away for a moment.

    Args:
        take: take_snapshot of the mapping.
        mapping: Of the data set.
        notify: Called with a line of progress.
    """
    name, found = _taken(take, notify)
    elsewhere = any(s.url or "://" in (s.path or "") for s in mapping.sources.values())
    if elsewhere and found.state == UNREADABLE:
        time.sleep(AGAIN_SECONDS)
        name, found = _taken(take, notify)
    return name, found


def _taken(take: Callable[[], tuple[str, Quality]], notify: Notify) -> tuple[str, Quality | Fault]:
    try:
        return take()
    except ConfigError:
        raise
    except InvalidInputError as err:
        notify(f"the data cannot be read: {err}")
        return "none", Fault(str(err))


@dataclass(frozen=True)
class Place:
    """Where a data set is read from and kept.

    Attributes:
        data_dir: Folder that the mapping's paths start from.
        snapshots: Folder that holds all snapshots.
        variables: That a mapping may name by ${VAR}: secrets of its sources.
    """

    data_dir: Path
    snapshots: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def take_snapshot(
    mapping: DataMapping,
    place: Place,
    config: DataConfig,
    today: pd.Timestamp,
    notify: Notify,
) -> tuple[str, Quality]:
    """Read a data set into the workspace and return its name and what was found.

    The name is the data set's, its last period and the hash of its content: the same data give
    the same name, whoever reads them and whenever.

    Args:
        mapping: Of the data set.
        place: Where its files and the snapshots are.
        config: Section of the configuration.
        today: Date that the age of the data is counted to, and that no sale is later than.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If the data cannot be used; nothing is left behind.
    """
    fresh = place.snapshots / f".new-{uuid.uuid4().hex}"
    try:
        report = read_dataset(
            mapping,
            place.data_dir,
            fresh,
            variables=place.variables,
            max_bad_share=config.max_quarantine_share,
            today=today,
            notify=notify,
        )
        profile = DataProfile.of(iter_panels(fresh))
        checks = check_data(profile, report, config, today)
        watermark = report.last.replace("-", "")
        name = f"{mapping.name}-{watermark}-{content_hash(fresh)[:16]}"
        quality = Quality(name, report, checks, profile.by_date())
        _refuse_if_suspect(quality, config, notify)
        kept = place.snapshots / name
        if not kept.exists():
            fresh.rename(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    rows = sum(a.rows_in for a in report.accounting)
    aside = sum(sum(a.quarantined.values()) for a in report.accounting)
    notify(f"snapshot {name}: {rows:,} rows in, {aside:,} set aside with a reason")
    return name, quality


def _refuse_if_suspect(quality: Quality, config: DataConfig, notify: Notify) -> None:
    told = [check.sentence for check in quality.failed]
    for line in told:
        notify(f"suspect: {line}")
    if told and config.suspect == "refuse":
        raise InvalidInputError(
            f"the data of {quality.report.name} are suspect: {'; '.join(told)}. Send them again, "
            "or change the limits under data; nothing was kept."
        )


def last_period_of(name: str) -> pd.Timestamp | None:
    """Return the last period of a snapshot's data, from its name; None where it tells none."""
    found = re.search(r"-(\d{8})-[0-9a-f]+$", name)
    return pd.Timestamp(found[1]) if found else None


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
