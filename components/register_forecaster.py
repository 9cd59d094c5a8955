"""Step 12: the promoted model into the registry, with its evidence."""

from kfp.dsl import Artifact, Input, Model

from components.base import component


@component
def register_forecaster(
    model: Input[Model],
    verdict: Input[Artifact],
    assessment: Input[Artifact],
    explanation: Input[Artifact],
    snapshot: str,
    config: dict,
    run: str,
    study: str = "",
    cause: str = "",
    window: str = "",
    retraining: str = "",
) -> str:
    """Register the model as a new version; it serves nobody yet.

    Args:
        model: The challenger, refitted where configured.
        verdict: Of the gate.
        assessment: Of the challenger.
        explanation: Of its forecasts.
        snapshot: Name of the data.
        config: The configuration it was trained with.
        run: Id of the pipeline's run.
        study: Name of the run; its id where it is empty.
        cause: What monitoring found, where it started this run.
        window: Period it found it in.
        retraining: Key of the governor's decision.

    Returns:
        The version.
    """
    from serving.deployment import Deployment
    from serving.progress import tell

    evidence = [verdict.path, assessment.path, explanation.path]
    told = {"cause": cause, "window": window, "retraining": retraining}
    tags = {"snapshot": snapshot, "run": run} | told
    registry = Deployment.from_environment().registry
    return registry.register(config["name"], model.path, evidence, tags, tell, run=study)
