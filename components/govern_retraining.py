"""Monitoring: what to do about it."""

from kfp.dsl import Artifact, Input, Output

from components.base import component


@component
def govern_retraining(
    evidence: Input[Artifact], config: dict, run: str, job: str, decision: Output[Artifact]
) -> str:
    """Decide, and write down why: evidence, brakes and memory, whole.

    Args:
        evidence: Of the period.
        config: The whole configuration.
        run: Name of the run, "" for the job's.
        job: Name KFP gave it.
        decision: Evidence and decision, as JSON.

    Returns:
        "ignore", "alert", "retrain" or "page".
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.retraining import govern
    from serving.progress import tell

    deployment = Deployment.from_environment()
    return govern(
        deployment,
        evidence.path,
        Config.of(config),
        run=run or job,
        out=decision.path,
        notify=tell,
    )
