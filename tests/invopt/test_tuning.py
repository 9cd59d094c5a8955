import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from invopt.baselines import Baseline
from invopt.errors import ConfigError
from invopt.training import fit
from invopt.tuning import (
    Worker,
    _try_again,
    best_values,
    open_study,
    run_trials,
    suggest,
    trials_table,
    with_values,
)
from tests.builders import make_config, make_panel, with_derived

pytestmark = pytest.mark.slow

SPACE = {
    "model.hidden_size": [8, 16],
    "training.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
}


def config_with(**tuning):
    return make_config(tuning={"num_trials": 4, "space": SPACE, "max_minutes": 1} | tuning)


def fit_baseline(panel, config, num_periods, folder, *, clock, check):
    """Stands for a training: the wider the network, the shorter the average."""
    return Baseline(14, 7, config.model, 28 if config.model.hidden_size == 8 else 1)


def run(config, storage, panel=None, fit=fit_baseline, clock=lambda: 0.0, tmp="x"):
    study = open_study("s", storage, config)
    panel = panel or make_panel()
    worker = Worker(folder=tmp, clock=clock, notify=lambda _: None)
    finished = run_trials(study, panel, config, fit, worker)
    return study, finished


def test_a_sweep_ends_after_its_trials_and_finds_the_better_value(tmp_path):
    study, finished = run(config_with(), f"sqlite:///{tmp_path}/s.db", tmp=tmp_path)
    assert finished == 4
    assert best_values(study)["model.hidden_size"] == 8
    assert [t["state"] for t in trials_table(study)] == ["COMPLETE"] * 4


def test_a_sweep_goes_on_where_a_killed_one_stopped(tmp_path):
    storage = f"sqlite:///{tmp_path}/s.db"
    run(config_with(num_trials=3), storage, tmp=tmp_path)
    study, finished = run(config_with(num_trials=5), storage, tmp=tmp_path)
    assert finished == 2
    assert len(study.trials) == 5


def test_workers_share_a_study_in_postgresql_and_a_dead_one_s_trial_is_tried_again(
    postgres, tmp_path
):
    config = config_with(num_trials=6)
    dead = open_study("shared", postgres, config, worker=0)
    dead.ask().set_user_attr("worker", 0)  # a worker that dies at its first trial

    def work(worker):
        study = open_study("shared", postgres, config, worker)
        own = Worker(number=worker, folder=tmp_path, clock=lambda: 0.0, notify=lambda _: None)
        return run_trials(study, make_panel(), config, fit_baseline, own)

    with ThreadPoolExecutor(2) as pool:
        finished = list(pool.map(work, (0, 1)))
    states = Counter(t["state"] for t in trials_table(open_study("shared", postgres, config)))
    assert 6 <= states["COMPLETE"] == sum(finished) <= 7  # both may begin the last one
    assert states["FAIL"] == 1
    assert states["RUNNING"] == states["WAITING"] == 0


def test_the_budget_in_minutes_ends_a_sweep(tmp_path):
    ticks = itertools.count(0, 25)
    _, finished = run(
        config_with(num_trials=50), f"sqlite:///{tmp_path}/s.db",
        clock=lambda: float(next(ticks)), tmp=tmp_path,
    )  # fmt: skip
    assert finished < 5


def test_a_trial_that_fails_is_told_and_the_sweep_goes_on(tmp_path):
    calls = itertools.count()

    def fit(*args, **kwargs):
        if next(calls) == 0:
            raise ValueError("boom")
        return fit_baseline(*args, **kwargs)

    study, finished = run(config_with(), f"sqlite:///{tmp_path}/s.db", fit=fit, tmp=tmp_path)
    assert finished == 4
    assert trials_table(study)[0]["state"] == "FAIL"


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_every_sampler_proposes_values_of_the_space(tmp_path, sampler):
    space = {"model.hidden_size": [8, 16]} if sampler == "grid" else SPACE
    config = config_with(sampler=sampler, space=space, num_trials=2)
    study, _ = run(config, f"sqlite:///{tmp_path}/s.db", tmp=tmp_path)
    found = {t.params["model.hidden_size"] for t in study.trials}
    assert found == {8, 16} if sampler == "grid" else found <= {8, 16}


def test_a_field_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="model.hiden, which does not exist"):
        with_values(make_config(), {"model.hiden": 3})
    with pytest.raises(ConfigError, match="refused"):
        with_values(make_config(), {"model.hidden_size": 1})


def test_without_a_finished_trial_the_configuration_is_kept(tmp_path):
    study = open_study("s", f"sqlite:///{tmp_path}/s.db", config_with())
    assert best_values(study) == {}


def test_a_trial_behind_the_median_of_the_others_is_pruned(tmp_path):
    calls = itertools.count()

    def fit(*args, check, **kwargs):
        check(1, 9.0 if next(calls) == 5 else 1.0)
        return fit_baseline(*args, check=check, **kwargs)

    config = config_with(num_trials=6)
    study, finished = run(config, f"sqlite:///{tmp_path}/s.db", fit=fit, tmp=tmp_path)
    assert finished == 5
    assert [t["state"] for t in trials_table(study)] == ["COMPLETE"] * 5 + ["PRUNED"]


def test_without_pruning_no_trial_is_checked_on_its_way(tmp_path):
    checks = []

    def fit(*args, check, **kwargs):
        checks.append(check)
        return fit_baseline(*args, check=check, **kwargs)

    config = config_with(num_trials=1, prune=False)
    run(config, f"sqlite:///{tmp_path}/s.db", fit=fit, tmp=tmp_path)
    assert checks == [None]


def test_a_trial_that_takes_too_long_is_ended_and_counts_as_failed(tmp_path):
    now = [0.0]

    def fit(*args, clock, **kwargs):
        now[0] += 100.0 if args[1].model.hidden_size == 8 else 1.0
        clock()
        return fit_baseline(*args, clock=clock, **kwargs)

    config = config_with(num_trials=2, trial_minutes=1, max_minutes=60, sampler="grid",
                         space={"model.hidden_size": [8, 16]})  # fmt: skip
    study, finished = run(
        config, f"sqlite:///{tmp_path}/s.db", fit=fit, clock=lambda: now[0], tmp=tmp_path
    )
    states = [t["state"] for t in trials_table(study)]
    assert states[:2] == ["FAIL", "COMPLETE"]
    assert best_values(study)["model.hidden_size"] == 16


def test_a_trial_of_a_dead_worker_is_tried_again_by_its_next_attempt_only(tmp_path):
    config = config_with()
    storage = f"sqlite:///{tmp_path}/s.db"
    study = open_study("s", storage, config)
    for worker in (0, 1):
        left = study.ask()
        left.suggest_float("training.learning_rate", 0.001, 0.01)
        left.set_user_attr("worker", worker)
    cut_off = study.trials[1].params
    _try_again(study, 1, lambda _: None)
    assert [t.state.name for t in study.trials] == ["RUNNING", "FAIL", "WAITING"]
    again = study.ask()
    assert again.suggest_float("training.learning_rate", 0.001, 0.01) == pytest.approx(
        cut_off["training.learning_rate"]
    )


def test_a_trial_that_kills_its_worker_each_time_is_given_up(tmp_path):
    study = open_study("s", f"sqlite:///{tmp_path}/s.db", config_with())
    for _ in range(4):
        study.ask().set_user_attr("worker", 0)
        _try_again(study, 0, lambda _: None)
    states = [t.state.name for t in study.trials]
    assert states == ["FAIL"] * 4 + ["WAITING"]
    attempts = [t.user_attrs.get("attempt", 1) for t in study.trials]
    assert attempts == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_that_goes_on_proposes_points_of_its_own(tmp_path, sampler):
    config = make_config(
        tuning={"num_trials": 12, "sampler": sampler,
                "space": {"training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}}}
    )  # fmt: skip
    rates = []
    for _ in range(3):
        study = open_study("again", f"sqlite:///{tmp_path / 'studies.db'}", config)
        for _ in range(4):
            trial = study.ask()
            rates.append(suggest(trial, config).training.learning_rate)
            study.tell(trial, 1.0)
    assert len(set(rates)) == 12


@pytest.mark.timeout(300)
def test_a_trial_of_a_training_on_two_machines_waits_for_no_other_machine(tmp_path):
    config = make_config(
        tuning={"num_trials": 1, "space": SPACE, "max_minutes": 1, "trial_steps": 2},
        training={"num_nodes": 2, "num_processes": 2, "batch_size": 4},
    )
    panel = with_derived(make_panel(), config)
    study, finished = run(
        config, f"sqlite:///{tmp_path}/s.db", panel, fit, time.monotonic, tmp_path
    )
    assert finished == 1
    assert not torch.distributed.is_initialized()
