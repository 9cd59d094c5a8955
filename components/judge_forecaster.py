"""Step 11: the gate."""

from kfp.dsl import Artifact, Input, Output

from components.base import component


@component
def judge_forecaster(
    assessment: Input[Artifact], quality: Input[Artifact], config: dict, verdict: Output[Artifact]
) -> str:
    """Decide whether the challenger replaces the champion.

    Args:
        assessment: Of the challenger.
        quality: Of the data.
        config: The whole configuration.
        verdict: Every check with its value and limit, as JSON.

    Returns:
        "promote" or "keep".
    """
    from invopt.config import Config
    from invopt.steps.judge import judge_model
    from serving.progress import tell

    return judge_model(assessment.path, quality.path, Config.of(config).gate, verdict.path, tell)
