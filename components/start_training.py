"""Monitoring: the training run that the governor let pass."""

from kfp.dsl import Artifact, Input

from components.base import component


@component
def start_training(decision: Input[Artifact], data_dir: str, mapping: str, config: dict):
    """Start the training pipeline with cause and window, once, where pipelines run on a cluster.

    Args:
        decision: Of the governor; it holds the claim.
        data_dir: Folder of the data.
        mapping: As JSON, for a training whose champion's own mapping is not known.
        config: The whole configuration.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.cluster_retraining import Data, start_on_cluster
    from serving.progress import tell

    deployment = Deployment.from_environment()
    data = Data(data_dir, mapping)
    start_on_cluster(deployment, decision.path, data, Config.of(config), tell)
