"""Step 3: demand into what the model sees."""

from kfp.dsl import Dataset, Input, Output

from components.base import component


@component
def build_features(
    panel: Input[Dataset],
    features: dict,
    evaluation: dict,
    code_version: str,
    derived: Output[Dataset],
):
    """Add the channels derived from all series and fit scales on the training range.

    Args:
        panel: The cleaned panel.
        features: The features section of the configuration.
        evaluation: The evaluation section; it says where the training range ends.
        code_version: Part of the cache key.
        derived: The panel with derived channels, and the fitted feature spec.
    """
    from invopt.config import EvaluationConfig, FeaturesConfig
    from invopt.steps.prepare import build_feature_panel
    from serving.progress import tell

    seen, judged = FeaturesConfig.of(features), EvaluationConfig.of(evaluation)
    build_feature_panel(panel.path, seen, judged, derived.path, tell)
