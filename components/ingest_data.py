"""Step 1 of every pipeline: a company's files and databases into one snapshot."""

from kfp.dsl import Artifact, Output

from components.base import component


@component
def ingest_data(mapping: str, data_dir: str, data: dict, quality: Output[Artifact]) -> str:
    """Read the mapped data, set faulty rows aside, and return the snapshot's name.

    Args:
        mapping: The data set's mapping, as JSON.
        data_dir: Folder that its paths start from.
        data: The data section of the configuration.
        quality: Rows in, used and quarantined by table, as JSON.

    Returns:
        Name of the snapshot: the hash of its content.
    """
    import os
    from datetime import UTC, datetime

    import pandas as pd

    from invopt.sources import Mapping
    from serving.snapshots import take_snapshot
    from serving.telling import tell

    today = pd.Timestamp(datetime.now(UTC).date())
    name, report = take_snapshot(
        Mapping.model_validate_json(mapping), data_dir, data, os.environ, today, tell
    )
    report.save(quality.path)
    return name
