"""Step 9 where the gate says keep: the challenger on record, and somebody who orders."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.base import component


@component
def keep_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    verdict: Input[Artifact],
    assessment: Input[Artifact],
    explanation: Input[Artifact],
    snapshot: str,
    config: dict,
    run: str,
    kept: Output[Model],
    evidence: Output[Artifact],
    cause: str = "",
    window: str = "",
    retraining: str = "",
) -> str:
    """Register the rejected challenger and, where there is no champion, deploy the best baseline.

    Args:
        model: The challenger.
        training_set: The panel.
        verdict: Of the gate.
        assessment: Of the challenger and the baselines.
        explanation: Of the challenger's forecasts.
        snapshot: Name of the data.
        config: The configuration it was trained with.
        run: Id of the pipeline's run.
        kept: The baseline, where it is to order.
        evidence: What was asked of it, answered and changed, as JSON; {} where nothing was.
        cause: What monitoring found, where it started this run.
        window: Period it found it in.
        retraining: Key of the governor's decision.

    Returns:
        The baseline's version, which orders now; "" where a champion goes on ordering.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.standing import deploy_stand_in, keep
    from serving.progress import tell

    files = {
        "model": model.path,
        "source": training_set.path,
        "verdict": verdict.path,
        "assessment": assessment.path,
        "explanation": explanation.path,
    }
    told = {"cause": cause, "window": window, "retraining": retraining}
    tags = {"snapshot": snapshot, "run": run} | told
    here, trained = Deployment.from_environment(), Config.of(config)
    version = keep(here, trained, files, tags=tags, kept=kept.path, notify=tell)
    return deploy_stand_in(here, trained, version, evidence.path, tell)
