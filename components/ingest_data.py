"""Step 1 of every pipeline: a company's files and databases into one snapshot."""

from typing import NamedTuple

from kfp.dsl import Artifact, Output

from components.base import component


@component
def ingest_data(
    mapping: str, data_dir: str, data: dict, quality: Output[Artifact], tell_faults: bool = False
) -> NamedTuple("Ingested", snapshot=str, Output=str):  # type: ignore[valid-type]
    """Read the mapped data, set faulty rows aside, and return the snapshot's name.

    Args:
        mapping: The data set's mapping, as JSON.
        data_dir: Folder that its paths start from.
        data: The data section of the configuration.
        quality: Rows in, used and quarantined by table, as JSON; else why nothing can be used.
        tell_faults: Where the data cannot be used, say so in `quality` instead of failing.

    Returns:
        Name of the snapshot, the hash of its content; and "read", or "unreadable" without one,
        as Output: the local runner can branch by no other name.
    """
    from datetime import UTC, datetime
    from functools import partial
    from pathlib import Path

    import pandas as pd

    from invopt.config import DataConfig
    from invopt.sources import Mapping
    from serving.deployment import Deployment
    from serving.progress import tell
    from serving.stores.snapshots import Place, snapshot_or_fault, take_snapshot

    today = pd.Timestamp(datetime.now(UTC).date())
    deployment = Deployment.from_environment()
    place = Place(Path(data_dir), deployment.settings.snapshots, deployment.environment)
    read = Mapping.model_validate_json(mapping)
    take = partial(take_snapshot, read, place, DataConfig.of(data), today, tell)
    name, found = snapshot_or_fault(take, read, tell) if tell_faults else take()
    found.save(quality.path)
    return name, found.state
