"""Step 7: the challenger beside champion and baselines, and the gate's word on it."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components.base import component


@component
def evaluate_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    snapshot: str,
    quality: Input[Artifact],
    config: dict,
    assessment: Output[Artifact],
    verdict: Output[Artifact],
    metrics: Output[Metrics],
) -> str:
    """Forecast and order on the gate's weeks, the same for all, and judge what came of it.

    Args:
        model: The challenger.
        training_set: The panel.
        snapshot: Name of the data; it holds the lanes of a network.
        quality: Of the data.
        config: The configuration it was trained with.
        assessment: Every number, and the forecasts that the report draws.
        verdict: Every check with its value and limit, as JSON.
        metrics: The challenger's, for the KFP page.

    Returns:
        "promote" or "keep".
    """
    import time
    from pathlib import Path

    from invopt.config import Config
    from invopt.steps.assess import Contenders, assess_model
    from invopt.steps.judge import judge_model
    from serving.deployment import Deployment
    from serving.progress import tell

    run = Config.of(config)
    deployment = Deployment.from_environment()
    registry = deployment.registry
    version = registry.champion_version(run.name)
    champion = registry.version_path(run.name, version) if version else None
    points = assess_model(
        Contenders(challenger=Path(model.path), champion=champion),
        training_set.path,
        run,
        out=assessment.path,
        clock=time.monotonic,
        notify=tell,
        snapshot=deployment.settings.snapshots / snapshot,
    )
    for name, value in points.items():
        metrics.log_metric(name, value)
    return judge_model(
        assessment.path, quality.path, run.gate, verdict.path, tell, champion_version=version
    )
