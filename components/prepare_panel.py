"""Step 2: records into demand, and demand into what the model sees."""

from kfp.dsl import Artifact, Dataset, Output

from components.base import component


@component
def prepare_panel(
    snapshot: str,
    cleaning: dict,
    features: dict,
    evaluation: dict,
    code_version: str,
    derived: Output[Dataset],
    counts: Output[Artifact],
):
    """Mark what each period's sales mean, then add derived channels and fit scales.

    Args:
        snapshot: Name of the data.
        cleaning: The cleaning section of the configuration.
        features: The features section.
        evaluation: The evaluation section; it says where the training range ends.
        code_version: Part of the cache key.
        derived: The cleaned panel with derived channels, and the fitted feature spec.
        counts: Periods touched by each rule of cleaning, as JSON.
    """
    from invopt.config import CleaningConfig, EvaluationConfig, FeaturesConfig
    from invopt.steps.prepare import Preparation, prepare
    from serving.deployment import Deployment
    from serving.progress import tell

    how = Preparation(
        cleaning=CleaningConfig.of(cleaning),
        features=FeaturesConfig.of(features),
        evaluation=EvaluationConfig.of(evaluation),
    )
    data = Deployment.from_environment().settings.snapshots / snapshot
    prepare(data, how, derived.path, counts.path, tell)
