"""Monitoring of data that cannot be read: that is the evidence."""

from kfp.dsl import Artifact, Input, Output

from components.base import component


@component
def monitor_unreadable(
    quality: Input[Artifact], mapping: str, config: dict, evidence: Output[Artifact]
):
    """Say which period cannot be judged, and why; judge nothing.

    Args:
        quality: Why ingest could read nothing.
        mapping: The data set's mapping, as JSON.
        config: The whole configuration.
        evidence: Folder as monitor_drift leaves it.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.unread_period import monitor_unreadable
    from serving.progress import tell

    deployment = Deployment.from_environment()
    monitor_unreadable(
        deployment, quality.path, mapping, config=Config.of(config), out=evidence.path, notify=tell
    )
