"""From evidence to a training run: decide, start, follow, and learn how it ended."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invopt.config import Config, GovernorConfig
from invopt.errors import InvalidInputError
from invopt.files import read_json, write_json
from invopt.monitoring.retraining_decision import FAILED, KEPT, PROMOTED, Retraining, Situation
from invopt.monitoring.signals import Signal
from invopt.types import Notify
from serving.deployment import Deployment
from serving.loop.cluster_retraining import (
    RetrainingRequest,
    reconcile,
    request_of,
    run_name,
)
from serving.stores.governor_store import Claim, GovernorStore, clock
from serving.stores.governor_tables import as_text

_TOLD = 5  # latest retrainings


# Runs a training; returns the run's folder.
Train = Callable[[RetrainingRequest], Path]


def govern(
    deployment: Deployment,
    evidence: str,
    config: Config,
    run: str,
    out: str,
    notify: Notify,
) -> str:
    """Decide about a period, write evidence and decision as one JSON file, return the word.

    Args:
        deployment: Whose governor decides.
        evidence: Folder that `steps.monitor` wrote.
        config: The whole configuration.
        run: Monitoring run.
        out: File to write.
        notify: Called with a line of progress.
    """
    content = read_json(Path(evidence) / "evidence.json")
    situation = situation_of(content, config.name)
    deployment.settings.workspace.mkdir(parents=True, exist_ok=True)
    with deployment.governor() as store:
        if deployment.settings.pipeline_host:
            reconcile(deployment, store, config, notify)
        now = clock()
        before = next((row.run for row in store.audit(config.name, limit=1)), "")
        decision, claim = store.decide(situation, config.governor, now, run)
        words = store.acknowledgements(config.name)
    write_json(
        out,
        {
            "decision": decision.action,
            "reason": decision.reasons[0],
            "run": run,
            "decided_at": as_text(now),
            "governor": decision.as_dict(),
            "claim": None if claim is None else vars(claim),
            "acknowledged": [
                word.as_dict(run, now)
                for word in words
                if word.run == before or word.in_force(run, now)
            ],
            **content,
        },
    )
    notify(f"{decision.action}: {decision.reasons[0]}")
    return decision.action


def situation_of(content: dict[str, Any], model: str) -> Situation:
    """Return what the governor looks at of an evidence file."""
    return Situation(
        model=model, version=content["version"], start=content["start"], end=content["end"],
        conclusive=content["conclusive"], why_not=content["why_not"],
        signals=tuple(Signal.from_dict(s) for s in content["signals"]),
        new_periods=content["new_periods"], age_days=content["age_days"],
        last_day=content["last_day"], avoidable_cost=content.get("avoidable_cost"),
    )  # fmt: skip


def retrain_if_decided(
    deployment: Deployment, decision: Path, config: Config, train: Train, tell: Notify
) -> None:
    """Start the training that a decision claimed, and tell the governor how it ended.

    Args:
        deployment: Whose governor decided.
        decision: File that the governing step left.
        config: Of the run.
        train: Runs it.
        tell: Called with each line of progress.

    Raises:
        InvalidInputError: If the training fails; the governor knows by then, as after any error.
    """
    content = read_json(decision)
    if content["claim"] is None or deployment.settings.pipeline_host:
        return
    claim = Claim(**content["claim"])
    with deployment.governor() as store:
        if not store.begin(claim, run_name(claim), config.governor, clock()):
            tell("The retraining lock expired; no run was started.")
            return
        tell(f"Retraining: {content['reason']}")
        with leased(store, claim, config.governor) as ours:
            try:
                folder = train(request_of(claim, content))
                word = read_json(folder / "verdict.json")["decision"]
            except BaseException:
                # Whatever it was: the lease need not run out for the governor to know.
                store.finish(claim, FAILED, clock())
                raise
            if not ours():
                tell("The lock was lost; another run may have started; this result is ignored.")
            store.finish(claim, PROMOTED if word == "promote" else KEPT, clock())


@contextmanager
def leased(
    store: GovernorStore, claim: Claim, config: GovernorConfig
) -> Iterator[Callable[[], bool]]:
    """Keep a lease alive while a local run goes on; yields a question: is it still ours?

    A run that lost its lease has to stop: another may have started.
    """
    ended, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not ended.wait(config.lease_minutes * 60 / 4):
            if not store.renew(claim, config, clock()):
                lost.set()
                return

    thread = threading.Thread(target=beat, daemon=True, name="lease")
    thread.start()
    try:
        yield lambda: not lost.is_set()
    finally:
        ended.set()
        thread.join()


def switch_retraining(deployment: Deployment, model: str, *, off: bool, reason: str) -> None:
    """Turn retraining of a model off or on; on also closes the breaker.

    Args:
        deployment: Whose governor it is.
        model: Registered name.
        off: True to turn it off.
        reason: Kept with the switch.

    Raises:
        InvalidInputError: If there is no such model: a misspelt switch would stop nothing.
    """
    with _remembering(deployment, model) as store:
        store.switch(model, off=off, reason=reason, now=clock())


def tell_retraining(deployment: Deployment, model: str, tell: Notify) -> None:
    """Tell whether retraining of a model is on, and how its latest runs ended.

    Raises:
        InvalidInputError: If there is no such model.
    """
    with _remembering(deployment, model) as store:
        memory = store.memory(model)
    state = f"off: {memory.switched_off}" if memory.switched_off else "on"
    tell(f"retraining of {model} is {state}")
    for run in memory.retrainings[-_TOLD:]:
        under_way = f"under way, its lease runs out {run.lease_until:%Y-%m-%d %H:%M} UTC"
        tell(
            f"  {run.claimed_at:%Y-%m-%d %H:%M} UTC, {run.key}: {run.outcome or under_way}"
            f"{_gain(run)}"
        )
    if not memory.retrainings:
        tell("  no retraining was started yet")


def _gain(run: Retraining) -> str:
    """Say what a retraining promised and saved a period, "" where nothing is known."""
    if run.promised is None:
        return ""
    kept = "not known yet" if run.saved is None else f"{run.saved:,.2f}"
    return f"; expected to save {run.promised:,.2f} a period, saved {kept}"


@contextmanager
def _remembering(deployment: Deployment, model: str) -> Iterator[GovernorStore]:
    with deployment.governor() as store:
        if not store.audit(model, limit=1):
            names = sorted({name for name, _ in deployment.registry.registered_versions()})
            if model not in names:
                raise InvalidInputError(
                    f"there is no model named {model}: registered models: "
                    f"{', '.join(names) or 'none'}."
                )
        yield store
