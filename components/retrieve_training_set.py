"""Step 4: the training set, point in time, out of Feast."""

from kfp.dsl import Dataset, Output

from components.base import component


@component
def retrieve_training_set(
    known_at: str, snapshot: str, code_version: str, training_set: Output[Dataset]
):
    """Join every series' history as it was known at one time.

    Args:
        known_at: Time of knowledge.
        snapshot: Name of the data; part of the cache key.
        code_version: Part of the cache key.
        training_set: The panel to learn from and be judged on.
    """
    from serving.deployment import Deployment
    from serving.progress import tell
    from serving.stores.feature_store import retrieve

    retrieve(Deployment.from_environment().settings, known_at, training_set.path, tell)
