"""Monitoring: what the latest period says about data, forecasts and decisions."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.base import component


@component
def monitor_drift(
    derived: Input[Dataset],
    quality: Input[Artifact],
    config: dict,
    evidence: Output[Artifact],
):
    """Compare the latest period with its history and its season; decide nothing.

    Args:
        derived: The panel with derived channels.
        quality: What ingest found.
        config: The whole configuration.
        evidence: Folder of evidence.json and Evidently's report.
    """
    from invopt.steps import monitor
    from serving.registry import champion_path, champion_version
    from serving.settings import Settings
    from serving.telling import tell

    path = champion_path(config["name"], required=True)
    settings = Settings.from_environment()
    version = f"{config['name']}-{champion_version(config['name'])}"
    monitor(
        path,
        derived.path,
        quality.path,
        version,
        config,
        evidence.path,
        tell,
        predictions=settings.prediction_log,
        kept=settings.monitoring,
    )
