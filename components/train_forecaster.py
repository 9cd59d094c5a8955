"""Step 6: the networks."""

from kfp.dsl import Dataset, Input, Model, Output

from components.base import component


@component
def train_forecaster(
    training_set: Input[Dataset], config: dict, code_version: str, model: Output[Model]
):
    """Train on everything before the gate's weeks, export to ONNX, prove it equal.

    Args:
        training_set: The panel.
        config: The configuration to train with.
        code_version: Part of the cache key.
        model: Networks, ONNX graph, feature spec and configuration.
    """
    from invopt.config import Config
    from serving.cluster.train_job import Machines, train
    from serving.deployment import Deployment
    from serving.progress import tell

    deployment = Deployment.from_environment()
    scratch = deployment.settings.workspace / "training"
    machines = Machines(deployment.cluster, scratch, code_version)
    train(machines, training_set.path, Config.of(config), model.path, tell)
