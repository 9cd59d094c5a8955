"""Step 9: the challenger beside champion and baselines."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components.base import component


@component
def evaluate_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    config: dict,
    assessment: Output[Artifact],
    metrics: Output[Metrics],
):
    """Forecast and decide on the gate's weeks, with the same start and the same demand for all.

    Args:
        model: The challenger.
        training_set: The panel.
        config: The configuration it was trained with.
        assessment: Every number, and the forecasts that the report draws.
        metrics: The challenger's, for the KFP page.
    """
    import time
    from pathlib import Path

    from invopt.config import Config
    from invopt.steps.assess import Contenders, assess_model
    from serving.deployment import Deployment
    from serving.progress import tell

    run = Config.of(config)
    champion = Deployment.from_environment().registry.champion_path(run.name)
    points = assess_model(
        Contenders(challenger=Path(model.path), champion=champion),
        training_set.path,
        run,
        out=assessment.path,
        clock=time.monotonic,
        notify=tell,
    )
    for name, value in points.items():
        metrics.log_metric(name, value)
