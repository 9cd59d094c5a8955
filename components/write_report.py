"""The page a person reads after a training run."""

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
):
    """Draw the run: verdict and why, accuracy, calibration, money, reasons, data.

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
    """
    from invopt.report import write_training_report
    from serving.progress import tell

    files = {
        "model": model.path,
        "quality": quality.path,
        "cleaning": counts.path,
        "sweep": sweep.path,
        "assessment": assessment.path,
        "explanation": explanation.path,
        "verdict": verdict.path,
    }
    write_training_report(files, config, report.path, tell)
