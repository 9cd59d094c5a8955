"""Step 3: features into Feast, offline and online."""

from kfp.dsl import Dataset, Input

from components.base import component


@component
def publish_features(
    derived: Input[Dataset],
    snapshot: str,
    features: dict,
    model_version: str = "",
    # Not Optional[...]: KFP's backend names no schema, and the annotation is made an instance of.
    forecast: Input[Dataset] = None,
) -> str:
    """Write the feature tables, apply the definitions, materialise the online store.

    Args:
        derived: The panel with derived channels.
        snapshot: Name of the data; it holds the stock position.
        features: The features section of the configuration.
        model_version: Of the model that made the forecast.
        forecast: Of every series, for answers when the model cannot.

    Returns:
        Time at which these features were known.
    """
    from invopt.config import FeaturesConfig
    from serving.deployment import Deployment
    from serving.progress import tell
    from serving.stores.feature_store import MadeForecast, publish

    made = MadeForecast(forecast.path, model_version) if forecast is not None else None
    settings = Deployment.from_environment().settings
    config = FeaturesConfig.of(features)
    return publish(settings, derived.path, snapshot, config, forecast=made, notify=tell)
