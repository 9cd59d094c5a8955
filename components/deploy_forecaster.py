"""Step 13: the new version becomes the champion once it has answered."""

from components.base import component


@component
def deploy_forecaster(config: dict, version: str) -> str:
    """Start a server with the version, ask it for decisions, and make it the champion.

    Args:
        config: The whole configuration.
        version: Of the registered model.

    Returns:
        The version that is champion now.
    """
    from serving.deploy import deploy_local
    from serving.telling import tell

    return deploy_local(config["name"], version, tell)
