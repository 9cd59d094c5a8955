"""Step 9: the promoted model once more, on every period there is."""

from kfp.dsl import Dataset, Input, Model, Output

from components.base import component


@component
def refit_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    config: dict,
    code_version: str,
    refitted: Output[Model],
):
    """Train with the judged model's configuration on the gate's weeks too, where asked for.

    Args:
        model: As judged; handed on as it is unless training.refit.
        training_set: The panel.
        config: The configuration it was trained with.
        code_version: Part of the cache key.
        refitted: The model to serve.
    """
    from invopt.config import Config
    from serving.cluster.train_job import Machines, refit
    from serving.deployment import Deployment
    from serving.progress import tell

    deployment = Deployment.from_environment()
    scratch = deployment.settings.workspace / "training"
    machines = Machines(deployment.cluster, scratch, code_version)
    trained = Config.of(config)
    refit(machines, model.path, training_set.path, trained, out=refitted.path, notify=tell)
