"""Step 8: the networks."""

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
    import time

    from invopt.steps import train_model
    from serving.machine import available_memory
    from serving.telling import tell

    train_model(training_set.path, config, model.path, time.monotonic, tell, available_memory())
