"""Monitoring: the training run that the governor let pass."""

from kfp.dsl import Artifact, Input

from components.base import component


@component
def start_training(decision: Input[Artifact], config: dict):
    """Start the training pipeline with cause and window, once, where pipelines run on a cluster.

    Args:
        decision: Of the governor; it holds the claim.
        config: The whole configuration.
    """
    from serving.cluster_retraining import start_on_cluster
    from serving.telling import tell

    start_on_cluster(decision.path, config, tell)
