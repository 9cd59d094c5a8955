"""The sweep where it is deployed: the shared study, and each worker's scratch."""

import tempfile
import time
from pathlib import Path
from typing import Any

from invopt.config import Config
from invopt.files import write_json
from invopt.history import fit_config, refuse_unusable
from invopt.panel import load_panel
from invopt.tuning import Worker, best_values, open_study, run_trials, trials_table, with_values
from invopt.types import Notify
from serving.settings import Settings


def open_shared_study(settings: Settings, config: Config, study: str) -> list[str]:
    """Make a study where it is not there yet; returns the names of its workers."""
    if config.tuning.num_trials == 0:
        return ["0"]
    settings.workspace.mkdir(parents=True, exist_ok=True)
    open_study(study, settings.study_storage, config)
    return [str(n) for n in range(config.tuning.num_workers)]


def work_on_study(
    settings: Settings,
    source: str,
    config: Config,
    study: str,
    worker: int,
    notify: Notify,
) -> int:
    """Run this worker's share of a study; returns the trials it finished."""
    if config.tuning.num_trials == 0:
        return 0
    import torch  # noqa: PLC0415  (seconds of import, only for workers that train)

    from invopt.training import fit  # noqa: PLC0415

    panel = load_panel(Path(source))
    run, _ = fit_config(config, panel.timeline)
    refuse_unusable(panel, run.evaluation)
    # Workers on one machine share its cores.
    torch.set_num_threads(max(1, torch.get_num_threads() // run.tuning.num_workers))
    shared = open_study(study, settings.study_storage, run, worker)
    with tempfile.TemporaryDirectory() as folder:
        return run_trials(
            shared,
            panel,
            run,
            fit,
            Worker(number=worker, folder=Path(folder), clock=time.monotonic, notify=notify),
        )


def best_configuration(
    settings: Settings, config: Config, study: str, out: str, notify: Notify
) -> dict[str, Any]:
    """Write every trial and return the configuration with the best one's values."""
    if config.tuning.num_trials == 0:
        write_json(out, {"trials": [], "best": {}})
        return config.as_parameter()
    shared = open_study(study, settings.study_storage, config)
    best = best_values(shared)
    write_json(out, {"trials": trials_table(shared), "best": best})
    notify(f"sweep: {len(shared.trials)} trials, best {best or 'none: configuration kept'}")
    return with_values(config, best).as_parameter()
