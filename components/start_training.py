"""Monitoring: the training run that the governor let pass."""

from kfp.dsl import Artifact, Input

from components.base import component


@component
def start_training(decision: Input[Artifact], data_dir: str, config: dict):
    """Start the training pipeline with cause and window, once, where pipelines run on a cluster.

    Args:
        decision: Of the governor; it holds the claim.
        data_dir: Folder of the data.
        config: The whole configuration.
    """
    from serving.cluster_retraining import start_on_cluster
    from serving.telling import tell

    start_on_cluster(decision.path, data_dir, config, tell)
