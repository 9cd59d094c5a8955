"""Step 5: the sweep's best trial."""

from typing import List

from kfp.dsl import Artifact, Output

from components.base import component


@component
def select_trial(
    config: dict, study: str, job: str, finished: List[str], sweep: Output[Artifact]
) -> dict:
    """Return the configuration with the best trial's values in it.

    Args:
        config: The whole configuration.
        study: Name of the study, "" for the job's.
        job: Id of the run.
        finished: What the workers returned.
        sweep: Every trial with its values and score, as JSON.

    Returns:
        The configuration to train with.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.sweep import best_configuration
    from serving.progress import tell

    settings = Deployment.from_environment().settings
    return best_configuration(settings, Config.of(config), study or job, sweep.path, tell)
