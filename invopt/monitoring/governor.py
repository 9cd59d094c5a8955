"""Whether to ignore, alert, retrain or page: a pure function of evidence, memory and clock.

Every rule is evaluated and written down, whether it decided or not: the answer to "why did it not
retrain" is in the decision.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from invopt.config import GovernorConfig
from invopt.monitoring.payback import GAIN, money_brakes, payback
from invopt.monitoring.retraining_decision import (
    ALERT,
    EXPIRED,
    IGNORE,
    PAGE,
    PROMOTED,
    RETRAIN,
    Brake,
    Memory,
    RetrainingDecision,
    Situation,
)
from invopt.monitoring.signals import (
    DATA,
    DEMAND_SHIFT,
    DRIFT,
    LATE,
    PERFORMANCE,
    SERVING,
    UNREADABLE,
    Signal,
)

_QUARTER = timedelta(days=90)
AGE = "age"  # a cause without a signal


def decide(
    situation: Situation, memory: Memory, config: GovernorConfig, now: datetime
) -> RetrainingDecision:
    """Return what to do about a period.

    Data and serving are judged first, because training on broken data makes a broken model. Then
    performance: a cause that persists asks for a retraining, and every brake has to let it
    pass. Drift alone never retrains: it explains. Where nothing is wrong, age may.

    Args:
        situation: Evidence of one period.
        memory: Earlier decisions and retrainings of the model.
        config: Limits.
        now: The clock, UTC. A clock behind the last decision is held at that decision.
    """
    seen = _seen(situation, memory, config, now)
    asked = _asked(situation, seen, config)
    if asked is not None:
        return _answer(asked, situation, memory, config, seen)
    if seen.new_pages:
        rest = [s for s in seen.firing if s not in seen.new_pages]
        texts = [s.text for s in roots((*seen.new_pages, *rest), situation.signals)]
        paged = [s.cause for s in seen.new_pages]
        return RetrainingDecision(
            action=PAGE, reasons=[*texts, *seen.notes], streaks=seen.streaks, paged=paged
        )
    return _renewal(situation, memory, config, seen) or _told(situation, config, seen)


@dataclass(frozen=True)
class _Seen:
    """A period beside what is remembered.

    Attributes:
        now: The clock, never behind the last decision.
        firing: Signals that fire.
        streaks: By cause that fires: periods in a row.
        urgent: Causes far beyond their limit.
        paging: Signals worth waking somebody.
        new_pages: Those of them that nobody was woken for lately.
        notes: What a reader should know about the decision itself.
    """

    now: datetime
    firing: list[Signal]
    streaks: dict[str, int]
    urgent: frozenset[str]
    paging: list[Signal]
    new_pages: list[Signal]
    notes: list[str]


def _seen(situation: Situation, memory: Memory, config: GovernorConfig, now: datetime) -> _Seen:
    held = max(now, memory.last_decision or now)
    notes = ["the clock is behind the last decision; its time was used"] if held > now else []
    firing = [s for s in situation.signals if s.fires]
    # A fault that pages names place and day: it stands before a check that only failed.
    firing.sort(key=lambda s: not (s.pages and s.kind in (DATA, SERVING)))
    streaks = {s.cause: streak(s.cause, situation.end, memory.causes) for s in firing}
    faults = {s.name for s in firing if s.kind in (DATA, SERVING) and s.pages}
    paging = [s for s in firing if _pages(s, streaks[s.cause], config) and s.part_of not in faults]
    return _Seen(
        held,
        firing,
        streaks,
        urgent=frozenset(
            s.cause
            for s in firing
            if _is_urgent(s, situation.end, streaks[s.cause], memory, config)
        ),
        paging=paging,
        new_pages=[s for s in paging if _page_is_due(s.cause, situation.end, memory, config)],
        notes=notes,
    )


def _answer(
    asked: Signal, situation: Situation, memory: Memory, config: GovernorConfig, seen: _Seen
) -> RetrainingDecision:
    """Return the decision when a signal asks for a retraining: granted, or what holds it back."""
    cause, key = asked.cause, retraining_key(situation, asked.cause)
    urgent = cause in seen.urgent
    brakes = brakes_of(situation, memory, config, seen.now, key, urgent=urgent)
    held = [b for b in brakes if b.blocks]
    root = next((s for s in seen.firing if s.name == asked.part_of), None)
    why = _why(asked, root, _lasted(seen.streaks[cause], urgent=urgent))
    faults = [s for s in seen.new_pages if s.kind in (DATA, SERVING)]
    older = [s for s in seen.firing if s.kind in (DATA, SERVING) and s not in faults]
    spoilt = [s.text for s in older if s.pages or s.spoils]  # why the demand is not to be believed
    notes = [*(s.text for s in older if s.text not in spoilt), *seen.notes]
    if not held and not faults:
        return RetrainingDecision(
            action=RETRAIN, reasons=[why, *spoilt, *notes], cause=cause, key=key, brakes=brakes,
            streaks=seen.streaks, dry_run=config.dry_run, urgent=urgent,
        )  # fmt: skip
    stopped = [f"no retraining: {b.rule} (found {b.value}, limit {b.limit})" for b in held]
    pages = [*seen.new_pages]
    exhausted = any(b.name == "breaker" for b in held)
    if exhausted and _page_is_due(cause, situation.end, memory, config):
        pages.append(asked)
        stopped.append("retraining did not repair it: a person has to look at it")
    if not held:
        stopped = ["no retraining while the data or the service have a fault"]
    told = {cause, *(s.cause for s in faults), *([] if root is None else [root.cause])}
    after = [s.text for s in pages if s.cause not in told]  # cost, of which this is the reason
    texts = [*(s.text for s in faults), *spoilt]
    return RetrainingDecision(
        action=PAGE if pages else ALERT, reasons=[*texts, why, *after, *stopped, *notes],
        cause=cause, key=key, brakes=brakes, streaks=seen.streaks, paged=[s.cause for s in pages],
        urgent=urgent,
    )  # fmt: skip


def _renewal(
    situation: Situation, memory: Memory, config: GovernorConfig, seen: _Seen
) -> RetrainingDecision | None:
    """Return the retraining of a model that is old, when nothing is wrong and no brake blocks.

    What holds it back is nobody's alarm: it asks again in the next period.
    """
    age, limit = situation.age_days, config.max_age_days
    wrong = any(s.kind in (PERFORMANCE, DATA, SERVING) for s in seen.firing)
    if limit is None or age < limit or wrong or not situation.conclusive:
        return None
    key = retraining_key(situation, AGE)
    brakes = brakes_of(situation, memory, config, seen.now, key)
    # Nothing is wrong, so nothing says what it would save.
    brakes = [b for b in brakes if b.name != GAIN]
    if any(b.blocks for b in brakes):
        return None
    why = (
        f"scheduled retraining: training data are {age} days old (limit {limit:g}); "
        "no problem detected"
    )
    return RetrainingDecision(
        action=RETRAIN,
        reasons=[why, *seen.notes],
        cause=AGE,
        key=key,
        brakes=brakes,
        streaks=seen.streaks,
        dry_run=config.dry_run,
    )


def _told(situation: Situation, config: GovernorConfig, seen: _Seen) -> RetrainingDecision:
    """Return the decision when nothing asks for a retraining and nobody is woken."""
    telling = [s for s in seen.firing if _tells(s, seen.streaks[s.cause], config)]
    telling = roots(telling, situation.signals)
    if not telling and situation.conclusive:
        recent = roots(seen.firing, situation.signals)
        texts = [f"{s.text}; too recent to act on" for s in recent]
        texts = texts or ["no signal is beyond what its history allows"]
        return RetrainingDecision(
            action=IGNORE, reasons=[*texts, *seen.notes], streaks=seen.streaks
        )
    texts = [] if situation.conclusive else [f"no conclusion about forecasts: {situation.why_not}"]
    texts += [_text(s, seen.streaks[s.cause], config, paged=s in seen.paging) for s in telling]
    return RetrainingDecision(action=ALERT, reasons=[*texts, *seen.notes], streaks=seen.streaks)


def roots(signals: Iterable[Signal], among: Sequence[Signal]) -> list[Signal]:
    """Return what the signals follow from, each once: one cause is told in one sentence."""
    by_name = {s.name: s for s in among}
    found = {s.part_of or s.name: by_name.get(s.part_of, s) for s in signals}
    return list(found.values())


def streak(cause: str, end: str, causes: Mapping[str, frozenset[str]]) -> int:
    """Return for how many periods in a row a cause has fired, the period ending `end` included.

    Periods whose actuals never came, or could not be read, are passed over: of them nothing is
    known.
    """
    count = 1
    for earlier in sorted((e for e in causes if e < end), reverse=True):
        if cause not in causes[earlier]:
            if LATE in causes[earlier] or causes[earlier] == {UNREADABLE}:
                continue
            break
        count += 1
    return count


def retraining_key(situation: Situation, cause: str) -> str:
    """Return the idempotency key of a retraining: of model, version, window and cause."""
    text = "|".join((situation.model, situation.version, situation.window, cause))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def brakes_of(
    situation: Situation,
    memory: Memory,
    config: GovernorConfig,
    now: datetime,
    key: str,
    *,
    urgent: bool = False,
) -> list[Brake]:
    """Return every condition of a retraining, met or not.

    Args:
        situation: Evidence.
        memory: Of the model.
        config: Limits.
        now: The clock.
        key: Of the retraining.
        urgent: True when what it is for is far beyond its limit.
    """
    runs = memory.retrainings
    running = [r for r in runs if r.outcome is None and r.lease_until > now]
    last = max((r.claimed_at for r in runs), default=None)
    since = (now - last) / timedelta(days=1) if last is not None else float("inf")
    cool_down = cool_down_days(memory, now, config, urgent=urgent)
    month = sum(r.claimed_at > now - timedelta(days=30) for r in runs)
    failures = failures_in_a_row(memory, now, config)
    used = [r for r in runs if r.key == key and not (r.outcome == EXPIRED and not r.started_at)]
    return [
        *_permissions(situation, memory, config),
        Brake("idempotency", "the same model, window and cause may start one run only",
              len(used), 0, blocks=bool(used)),
        Brake("lease", "no other retraining may be under way", len(running), 0,
              blocks=bool(running)),
        Brake("cool_down", "days since the last retraining",
              "never" if last is None else round(since, 1), cool_down, blocks=since < cool_down),
        Brake("new_data", "periods of data since the champion's training",
              situation.new_periods, config.min_new_periods,
              blocks=situation.new_periods < config.min_new_periods),
        Brake("budget", "retrainings in the last 30 days", month, config.max_per_month,
              blocks=month >= config.max_per_month),
        Brake("breaker", "retrainings in a row that failed or were not promoted", failures,
              config.max_failures, blocks=failures >= config.max_failures),
        *money_brakes(payback(situation.avoidable_cost, runs, month, config), config),
    ]  # fmt: skip


def _permissions(situation: Situation, memory: Memory, config: GovernorConfig) -> list[Brake]:
    """Return what has to be so whatever happened before: switches, sound data, the last period."""
    found = [s for s in situation.signals if s.fires and s.kind == DATA]
    faults = [s.name for s in found if s.pages or s.spoils]
    stale = any(end > situation.end for end in memory.judged)
    return [
        Brake("enabled", "retraining has to be enabled in the configuration",
              str(config.enabled), "True", blocks=not config.enabled),
        Brake("kill_switch", "nobody may have turned retraining off",
              memory.switched_off or "on", "on", blocks=bool(memory.switched_off)),
        Brake("data", "the data of the period may have no fault", ", ".join(faults) or "none",
              "none", blocks=bool(faults)),
        Brake("window", "no later period may have been judged", "later" if stale else "latest",
              "latest", blocks=stale),
    ]  # fmt: skip


def cool_down_days(memory: Memory, now: datetime, config: GovernorConfig, *, urgent: bool) -> float:
    """Return the days that have to pass after the last retraining.

    While a change is urgent every period teaches what the last retraining could not see. What is
    weak and comes back after a retraining was not repaired by it: data have to double first.
    """
    if urgent:
        return min(config.urgent_days, config.cool_down_days)
    recent = sum(r.claimed_at > now - _QUARTER for r in memory.retrainings)
    return config.cool_down_days * 2.0 ** max(0, recent - 1)


def failures_in_a_row(memory: Memory, now: datetime, config: GovernorConfig) -> int:
    """Return the latest retrainings in a row that had a cause and did not end promoted.

    Those for age had nothing to repair, and say nothing about whether training helps. Those before
    somebody turned retraining on again, or older than breaker_days, are forgiven.
    """
    count = 0
    forgiven = now - timedelta(days=config.breaker_days)
    if memory.reset_at is not None:
        forgiven = max(forgiven, memory.reset_at)
    for run in reversed(memory.retrainings):
        if run.outcome == PROMOTED or run.claimed_at <= forgiven:
            break
        count += run.outcome is not None and run.cause != AGE
    return count


def _asked(situation: Situation, seen: _Seen, config: GovernorConfig) -> Signal | None:
    """Return the performance signal that asks for a retraining: demand_shift, else the surest.

    One that is urgent need not persist; one that is not has to be surer than an alarm. Demand that
    left the forecasts is why error, coverage and cost did, and not the other way round.
    """
    if not situation.conclusive:
        return None
    asking = [
        s
        for s in seen.firing
        if s.kind == PERFORMANCE
        and not s.estimated
        and (s.cause in seen.urgent or _lasts(s, seen.streaks[s.cause], config))
    ]
    return min(asking, key=lambda s: (s.name != DEMAND_SHIFT, s.p_value, s.name), default=None)


def _lasts(signal: Signal, periods: int, config: GovernorConfig) -> bool:
    """Return whether a signal is as old and as sure as a retraining asks; a rule is sure."""
    return periods >= config.persistence and not signal.p_value > config.max_p_value


def _is_urgent(
    signal: Signal, end: str, periods: int, memory: Memory, config: GovernorConfig
) -> bool:
    """Return whether a signal is far beyond its limit, or was and has not fallen silent since.

    Only what forecasts got wrong is urgent: cost comes late and depends on a few expensive series.
    """
    if signal.kind != PERFORMANCE or signal.name == "cost":
        return False
    before = sorted(e for e in memory.judged if e < end)[::-1][: periods - 1]
    return signal.strength >= config.urgent or not memory.urgent.isdisjoint(before)


def _why(asked: Signal, root: Signal | None, lasted: str) -> str:
    """Return what asks for a retraining in a sentence, what it follows from first.

    A fault has a sentence of its own, which stands before this one.
    """
    first = "" if root is None else f"{root.text}; hence "
    if root is not None and root.kind in (DATA, SERVING):
        first = f"from {root.name} follows: "
    return f"{first}{asked.text}{';' if ';' in asked.text else ','} {lasted}"


def _lasted(periods: int, *, urgent: bool) -> str:
    """Return for how long a cause has fired, as it is told."""
    if urgent and periods == 1:
        return "far beyond its limit"
    return f"for {periods} periods in a row"


def _text(signal: Signal, periods: int, config: GovernorConfig, *, paged: bool) -> str:
    """Return a signal's finding and what it is on the way to."""
    if paged:
        return f"{signal.text}, already paged"
    if signal.kind == PERFORMANCE and not signal.estimated and periods < config.persistence:
        return (
            f"{signal.text}; period {periods} of the {config.persistence} that a retraining needs"
        )
    if signal.kind == PERFORMANCE and signal.p_value > config.max_p_value:
        return f"{signal.text}; not certain enough for a retraining"
    return signal.text


def _pages(signal: Signal, periods: int, config: GovernorConfig) -> bool:
    """Data and service wake somebody at once, money once it lasts."""
    if not signal.pages:
        return False
    return signal.kind in (DATA, SERVING) or periods >= config.persistence


def _page_is_due(cause: str, end: str, memory: Memory, config: GovernorConfig) -> bool:
    """Return whether a cause was not paged for in the last periods: one fault, one page.

    A period that was paged for and then judged again without the cause is quiet too: it was
    repaired.
    """
    if cause not in memory.paged:
        return True
    first = memory.paged[cause]
    quiet = any(cause not in found for e, found in memory.judged.items() if first <= e <= end)
    return quiet or sum(first <= e < end for e in memory.causes) >= config.page_again_after


def _tells(signal: Signal, periods: int, config: GovernorConfig) -> bool:
    """Drift tells only once it lasts; the rest at once."""
    return signal.kind != DRIFT or periods >= config.persistence
