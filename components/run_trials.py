"""Step 5: one worker's share of the sweep."""

from kfp.dsl import Dataset, Input

from components.base import component


@component
def run_trials(
    training_set: Input[Dataset], config: dict, study: str, job: str, worker: str
) -> str:
    """Run trials of the shared study until it has enough or the budget is used.

    Args:
        training_set: The panel.
        config: The whole configuration.
        study: Name of the study, the same for all workers; "" for the job's.
        job: Id of the run.
        worker: Number of this worker, as text.

    Returns:
        Number of trials this worker finished, as text.
    """
    from invopt.config import Config
    from serving.deployment import Deployment
    from serving.loop.sweep import work_on_study
    from serving.progress import tell

    settings = Deployment.from_environment().settings
    finished = work_on_study(
        settings,
        training_set.path,
        Config.of(config),
        study=study or job,
        worker=int(worker),
        notify=tell,
    )
    return str(finished)
