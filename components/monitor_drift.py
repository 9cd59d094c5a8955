"""Monitoring: what the latest period says about data, forecasts and decisions."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.base import component


@component
def monitor_drift(
    derived: Input[Dataset],
    quality: Input[Artifact],
    snapshot: str,
    config: dict,
    evidence: Output[Artifact],
):
    """Compare the latest period with its history and its season; decide nothing.

    Args:
        derived: The panel with derived channels.
        quality: What ingest found.
        snapshot: Name of the data: their calendar says who was closed.
        config: The whole configuration.
        evidence: Folder of evidence.json and Evidently's report.
    """
    from pathlib import Path

    from invopt.config import Config
    from invopt.steps.monitor import Watched, monitor
    from serving.deployment import Deployment
    from serving.loop.unread_period import last_seen
    from serving.progress import tell
    from serving.stores.planner_desk import planners_overrides

    run, deployment = Config.of(config), Deployment.from_environment()
    champion = deployment.registry.champion_of(run.name)
    watched = Watched(
        model=deployment.registry.files(champion),
        version=champion.label,
        source=Path(derived.path),
        quality=Path(quality.path),
        predictions=deployment.settings.prediction_log,
        kept=deployment.settings.monitoring,
        snapshot=deployment.settings.snapshots / snapshot,
        seen=last_seen(deployment, champion),
        overrides=planners_overrides(deployment.settings.plans, run.name),
        plans=deployment.settings.plans / run.name,
    )
    monitor(watched, run, evidence.path, tell)
