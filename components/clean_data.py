"""Step 2: records into demand."""

from kfp.dsl import Artifact, Dataset, Output

from components.base import component


@component
def clean_data(
    snapshot: str,
    cleaning: dict,
    code_version: str,
    panel: Output[Dataset],
    counts: Output[Artifact],
):
    """Mark what each period's sales mean, rule by rule, and count what each rule did.

    Args:
        snapshot: Name of the data.
        cleaning: The cleaning section of the configuration.
        code_version: Part of the cache key.
        panel: The cleaned panel.
        counts: Periods touched by rule, as JSON.
    """
    from invopt.config import CleaningConfig
    from invopt.steps.prepare import clean_partitions
    from serving.deployment import Deployment
    from serving.progress import tell

    data = Deployment.from_environment().settings.snapshots / snapshot
    clean_partitions(data, CleaningConfig.of(cleaning), panel.path, counts.path, tell)
