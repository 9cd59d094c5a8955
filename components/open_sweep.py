"""Before the sweep: the shared study, made once so that workers cannot race for it."""

from typing import List

from components.base import component


@component
def open_sweep(config: dict, study: str, job: str) -> List[str]:
    """Make the shared study where it is not there yet.

    Args:
        config: The whole configuration.
        study: Name of the study, "" for the job's.
        job: Id of the run.

    Returns:
        Names of the workers that will share it.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.sweep import open_shared_study

    return open_shared_study(
        Deployment.from_environment().settings, Config.of(config), study or job
    )
