"""Decisions whose retrainings change nothing: how often a monitor asks, not what it gains."""

from datetime import datetime

from benchmarks._replay import GOVERNOR
from invopt.monitoring.decision import PROMOTED, Decision, Situation
from serving.governor import GovernorStore


def decide_for_nothing(
    store: GovernorStore, situation: Situation, now: datetime, run: str
) -> tuple[Decision, bool]:
    """Return what the governor decides, and whether a retraining passed its brakes.

    It is noted as promoted at once and the model stays as it is, so that the cause may ask again.
    """
    decision, claim = store.decide(situation, GOVERNOR, now, run)
    if claim is None:
        return decision, False
    store.begin(claim, "run", GOVERNOR, now)
    store.finish(claim, PROMOTED, now)
    return decision, True
