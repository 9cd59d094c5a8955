"""Step 5 with one worker: the whole sweep in one step."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.base import component


@component
def search_alone(
    training_set: Input[Dataset], config: dict, study: str, job: str, sweep: Output[Artifact]
) -> dict:
    """Open the study, run its trials and return the configuration with the best one's values.

    Args:
        training_set: The panel.
        config: The whole configuration.
        study: Name of the study, "" for the job's.
        job: Id of the run.
        sweep: Every trial with its values and score, as JSON.

    Returns:
        The configuration to train with.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.sweep import best_configuration, open_shared_study, work_on_study
    from serving.progress import tell

    settings, run, name = Deployment.from_environment().settings, Config.of(config), study or job
    open_shared_study(settings, run, name)
    work_on_study(settings, training_set.path, run, study=name, worker=0, notify=tell)
    return best_configuration(settings, run, name, sweep.path, tell)
