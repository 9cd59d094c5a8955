"""Step 13: the new version becomes the champion once it has answered."""

from kfp.dsl import Artifact, Output

from components.base import component


@component
def deploy_forecaster(config: dict, version: str, evidence: Output[Artifact]) -> str:
    """Put the version to work, ask it for decisions, and make it the champion.

    Args:
        config: The whole configuration.
        version: Of the registered model.
        evidence: What was asked, answered and changed, and the software, as JSON.

    Returns:
        The version that is champion now.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.release import deploy
    from serving.progress import tell

    run = Config.of(config)
    return deploy(Deployment.from_environment(), run, version, evidence.path, tell)
