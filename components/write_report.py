"""The page a person reads after a training run, and the run in MLflow."""

from kfp.dsl import HTML, Artifact, Input, Model, Output

from components.base import component


@component
def write_report(
    model: Input[Model],
    quality: Input[Artifact],
    counts: Input[Artifact],
    sweep: Input[Artifact],
    assessment: Input[Artifact],
    explanation: Input[Artifact],
    verdict: Input[Artifact],
    config: dict,
    report: Output[HTML],
    snapshot: str = "",
    run: str = "",
    study: str = "",
    code_version: str = "",
    cause: str = "",
    window: str = "",
    retraining: str = "",
):
    """Draw the run (verdict and why, accuracy, calibration, money, reasons, data) and record it.

    Args:
        model: The challenger.
        quality: Of the data.
        counts: What cleaning did.
        sweep: The trials.
        assessment: Of the challenger.
        explanation: Of its forecasts.
        verdict: Of the gate.
        config: The configuration it was trained with.
        report: One HTML file that needs nothing else.
        snapshot: Name of the data.
        run: Id of the pipeline's run.
        study: Name of the run; its id where it is empty.
        code_version: Of the library.
        cause: What monitoring found, where it started this run.
        window: Period it found it in.
        retraining: Key of the governor's decision.
    """
    from invopt.config import Config
    from invopt.report.training_page import write_training_report
    from serving.deployment import Deployment
    from serving.progress import tell
    from serving.stores.tracking import TrainingRun, keep_training

    trained = Config.of(config)
    files = {
        "model": model.path, "quality": quality.path, "cleaning": counts.path, "sweep": sweep.path,
        "assessment": assessment.path, "explanation": explanation.path, "verdict": verdict.path,
    }  # fmt: skip
    write_training_report(files, trained.name, report.path, tell)
    tags = {"snapshot": snapshot, "commit": code_version, "cause": cause, "window": window,
            "retraining": retraining}  # fmt: skip
    called = TrainingRun(trained.name, study or run, run, tags)
    registry = Deployment.from_environment().registry
    keep_training(registry, called, files | {"report": report.path}, trained, tell)
