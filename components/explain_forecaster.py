"""Step 8: why the forecasts are what they are."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.base import component


@component
def explain_forecaster(
    model: Input[Model],
    training_set: Input[Dataset],
    config: dict,
    code_version: str,
    explanation: Output[Artifact],
):
    """Attribute forecasts to features, in units that add up.

    Args:
        model: The challenger.
        training_set: The panel.
        config: The configuration it was trained with.
        code_version: Part of the cache key.
        explanation: Importance by feature and attributions of some series, as JSON.
    """
    from invopt.config import Config
    from invopt.steps.assess import explain_model
    from serving.progress import tell

    explain_model(model.path, training_set.path, Config.of(config), explanation.path, tell)
