"""Step 9: the promoted model into the registry with its evidence, and to work."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.base import component


@component
def release_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    verdict: Input[Artifact],
    assessment: Input[Artifact],
    explanation: Input[Artifact],
    snapshot: str,
    config: dict,
    run: str,
    released: Output[Model],
    evidence: Output[Artifact],
    study: str = "",
    cause: str = "",
    window: str = "",
    retraining: str = "",
) -> str:
    """Register the model, ask it for decisions where it is to work, and make it the champion.

    Args:
        model: The challenger, refitted where configured.
        training_set: The panel, which parts beside the model are fitted on once more.
        verdict: Of the gate.
        assessment: Of the challenger.
        explanation: Of its forecasts.
        snapshot: Name of the data.
        config: The configuration it was trained with.
        run: Id of the pipeline's run.
        released: The model with its parts, where it was judged with parts.
        evidence: What was asked, answered and changed, and the software, as JSON.
        study: Name of the run; its id where it is empty.
        cause: What monitoring found, where it started this run.
        window: Period it found it in.
        retraining: Key of the governor's decision.

    Returns:
        The version that is champion now.
    """
    from invopt.config import Config
    from invopt.steps.compose import model_to_register
    from serving.deployment import Deployment
    from serving.loop.release import deploy
    from serving.progress import tell

    deployment, trained = Deployment.from_environment(), Config.of(config)
    files = {"model": model.path, "source": training_set.path, "verdict": verdict.path,
             "assessment": assessment.path}  # fmt: skip
    told = {"cause": cause, "window": window, "retraining": retraining}
    version = deployment.registry.register(
        trained.name,
        model_to_register(files, trained, released.path, tell),
        [verdict.path, assessment.path, explanation.path],
        {"snapshot": snapshot, "run": run} | told,
        tell,
        run=study,
    )
    return deploy(deployment, trained, version, evidence.path, tell)
