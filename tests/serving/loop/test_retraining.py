import json
from pathlib import Path

import pytest

from invopt.config import GovernorConfig
from invopt.errors import InvalidInputError
from invopt.files import plain, write_json
from invopt.monitoring.signals import PERFORMANCE, Signal
from serving.deployment import Deployment
from serving.loop.retraining import (
    govern,
    retrain_if_decided,
    switch_retraining,
    tell_retraining,
)
from serving.stores.governor_store import GovernorStore
from tests.builders import make_config


def config(**changes):
    governor = {"persistence": 1, "cool_down_days": 0, "min_new_periods": 0}
    return make_config(governor=governor | changes)


def decided(tmp_path, run="monitoring-1", *, day=7, fires=True, **changes) -> Path:
    """Govern a period ending on a day of January and return the decision file."""
    signal = Signal(
        name="demand_shift",
        kind=PERFORMANCE,
        value=0.2,
        expected=0.0,
        limit=0.05,
        p_value=1e-4,
        fires=fires,
        text="demand is over the forecast",
    )
    folder = tmp_path / run
    content = {
        "version": "demo-1", "start": "2024-01-01", "end": f"2024-01-{day:02d}", "conclusive": True,
        "why_not": "", "signals": [signal.as_dict()], "new_periods": 99, "age_days": 99,
        "last_day": f"2024-01-{day:02d}",
    }  # fmt: skip
    write_json(folder / "evidence.json", plain(content))
    out = folder / "monitoring.json"
    whole = config(**changes)
    govern(Deployment.from_environment(), str(folder), whole, run, str(out), lambda _: None)
    return out


class Training:
    """A training run that ends with a verdict, or fails."""

    def __init__(self, folder: Path, word: str = "promote", error: Exception | None = None):
        self.folder, self.word, self.error, self.asked = folder, word, error, []

    def __call__(self, asked):
        self.asked.append(asked)
        if self.error:
            raise self.error
        write_json(self.folder / "verdict.json", {"decision": self.word})
        return self.folder


def outcomes(settings) -> list:
    store = GovernorStore(settings.governor_store)
    try:
        return [r.outcome for r in store.memory("demo").retrainings]
    finally:
        store.close()


@pytest.mark.parametrize(("word", "outcome"), [("promote", "promoted"), ("keep", "kept")])
def test_a_decision_to_retrain_starts_one_training_and_learns_how_it_ended(
    tmp_path, settings, word, outcome
):
    decision = decided(tmp_path)
    assert json.loads(decision.read_text())["decision"] == "retrain"
    training = Training(tmp_path / "run", word)
    for _ in range(2):  # reading the decision again starts nothing
        retrain_if_decided(
            Deployment.from_environment(), decision, config(), training, lambda _: None
        )
    [asked] = training.asked
    assert (asked.lasting, asked.urgent) == (1, True)  # four times its limit
    assert asked.arguments["cause"] == "demand_shift up"
    assert asked.arguments["window"] == "2024-01-01..2024-01-07"
    assert len(asked.arguments["retraining"]) == 16
    assert outcomes(settings) == [outcome]


@pytest.mark.parametrize("error", [InvalidInputError("no disk"), RuntimeError("no disk")])
def test_a_failed_training_is_told_to_the_governor_and_to_the_caller(tmp_path, settings, error):
    training = Training(tmp_path / "run", error=error)
    with pytest.raises(type(error), match="no disk"):
        retrain_if_decided(
            Deployment.from_environment(), decided(tmp_path), config(), training, lambda _: None
        )
    assert outcomes(settings) == ["failed"]


@pytest.mark.parametrize("changes", [{"dry_run": True}, {"enabled": False}])
def test_nothing_starts_in_a_dry_run_or_when_disabled(tmp_path, settings, changes):
    training = Training(tmp_path / "run")
    decision = decided(tmp_path, **changes)
    retrain_if_decided(Deployment.from_environment(), decision, config(), training, lambda _: None)
    assert training.asked == []
    assert outcomes(settings) == []


def test_a_switch_for_a_model_that_does_not_exist_is_refused(tmp_path, settings):
    decided(tmp_path)
    here = Deployment.of(settings.workspace)
    with pytest.raises(InvalidInputError, match="no model named dmeo: registered models: none"):
        switch_retraining(here, "dmeo", off=True, reason="")
    lines: list[str] = []
    tell_retraining(here, "demo", lines.append)
    assert lines[0] == "retraining of demo is on"
    assert "under way, its lease runs out" in lines[1]
    switch_retraining(here, "demo", off=True, reason="stocktaking")
    tell_retraining(here, "demo", lines.append)
    assert "retraining of demo is off: stocktaking" in lines


@pytest.mark.slow
def test_a_lease_is_renewed_while_training_goes_on(tmp_path, settings):
    import time

    from serving.loop.retraining import leased
    from serving.stores.governor_store import Claim, clock

    short = GovernorConfig(lease_minutes=0.02)
    content = json.loads(decided(tmp_path, lease_minutes=0.02).read_text())
    claim = Claim(**content["claim"])
    store = GovernorStore(settings.governor_store)
    assert store.begin(claim, "run", short, clock())
    with leased(store, claim, short) as ours:
        time.sleep(2.5)  # two leases long
        assert ours()
        assert store.finish(claim, "promoted", clock())
    store.close()
