"""Replenishment: every series' forecast by the champion."""

from kfp.dsl import Dataset, Input, Output

from components.base import component


@component
def forecast_demand(derived: Input[Dataset], config: dict, forecast: Output[Dataset]) -> str:
    """Forecast every series from its last period with the champion's ONNX graph.

    Args:
        derived: The panel with derived channels.
        config: The whole configuration.
        forecast: Arrays for planning, and the Forecast table.

    Returns:
        Name and version of the model, "demo-3".
    """
    from invopt.config import Config
    from invopt.steps.replenish import forecast_series
    from serving.deployment import Deployment
    from serving.loop.served import served_champion
    from serving.progress import tell

    deployment = Deployment.from_environment()
    champion = served_champion(deployment, Config.of(config))
    forecast_series(deployment.registry.files(champion), derived.path, forecast.path, tell)
    return champion.label
