"""Groups that another candidate forecasts better: chosen on early weeks, confirmed on later ones.

Of several candidates for several groups some look better by chance. So a group is chosen on the
first half of the gate's cutoffs, with nothing known of what sold later; it has to be large, clearly
better (an interval over series that allows for all groups) and better at each cutoff; most series
stay with the main candidate, or fall to its average with another one. The model that comes of it is
judged on the other half, which chose nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from invopt.config import GateConfig
from invopt.evaluation import Window, point_metrics, series_losses
from invopt.forecasts import SERIES_ARRAYS, forecast_of
from invopt.gate import PROMOTE, CostComparison, compare_costs
from invopt.groups import LOCATION, NEW, SELLS
from invopt.judged import GateWeeks, Judged, judge_windows
from invopt.panel import Panel, group_names
from invopt.parts import MAIN, PartRule, Parts, answers_of, facts_of
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray, Json

_LEAST_CUTOFFS = 2  # of the first half: at one alone all series of a group may err alike by chance
# Of quantile loss: what is worth a rule for a group, and one average for all: that is no patchwork.
_LEAST_CHANGE, _LEAST_OF_ALL = 0.05, 0.02
_MOST_RULES = 6
_MOST_MOVED = 0.5  # of all series: where more are better off, another candidate is the main model
EVERYTHING = "all series"
_DOES = {False: "forecasts", True: "on average forecast"}
Windows = Mapping[str, Sequence[Window]]  # by candidate, at the same cutoffs


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A group that falls to other candidates than the main one, on the cutoffs that chose it.

    Attributes:
        group: Its name.
        makers: Candidates whose average forecasts it; MAIN for the main one.
        mask: (series,) True where the series is one of it.
        change: Quantile loss of who forecast it before over that of these, less 1.
        low: Lower end of its bootstrap interval over series.
    """

    group: str
    makers: tuple[str, ...]
    mask: BoolArray = field(repr=False)
    change: float
    low: float


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A model of parts beside its main model alone, on the later weeks.

    Attributes:
        parts: Its rules.
        chosen: Groups, in the order of the rules.
        windows: Its forecasts of the later weeks.
        judged: How it did on them.
        alone: How its main model did.
        places: (series,) number of each series' rule.
        cost: Against the main model.
        loss: The same of the quantile loss of the series that moved.
        are_costs_telling: False where the later weeks see too few shortages for money to choose.
    """

    parts: Parts
    chosen: Sequence[Chosen]
    windows: Sequence[Window] = field(repr=False)
    judged: Judged = field(repr=False)
    alone: Judged = field(repr=False)
    places: IntArray = field(repr=False)
    cost: CostComparison
    loss: CostComparison
    are_costs_telling: bool = True

    @property
    def is_confirmed(self) -> bool:
        """Whether what moved is clearly forecast better, and orders do not cost more.

        Where the weeks see too few shortages for costs to tell, orders may not clearly cost more.
        """
        cost = self.cost.change if self.are_costs_telling else self.cost.low
        return self.loss.high < 0 and cost <= 0


def compose(
    main: str,
    windows: Windows,
    earlier: GateWeeks,
    later: GateWeeks,
    groups: Mapping[str, BoolArray],
    *,
    averaged: Sequence[str] = (),
) -> Composed | None:
    """Return a model of parts around a main candidate; None where no group is worth it.

    Args:
        main: Name of the candidate that forecasts whatever nobody else does.
        windows: Of every candidate, at the cutoffs of gate and reviews.
        earlier: The gate's weeks.
        later: Those that judge: see judged.later_weeks.
        groups: Masks of series by group, of ten series or more.
        averaged: Candidates whose average with the main one is a candidate too.
    """
    first = later.ranges.gate[0]
    known = {name: _known_by(own, first, earlier) for name, own in windows.items()}
    everything = {EVERYTHING: np.ones(earlier.panel.num_series, bool)}
    chosen = choose(
        main,
        known,
        {**groups, **everything},
        earlier.config.gate,
        is_count=earlier.is_count,
        averaged=averaged,
    )
    if not chosen:
        return None
    parts = Parts(tuple(_rule(each, earlier.panel, earlier.ranges.train_stop) for each in chosen))
    return _judged(main, windows, later, parts, chosen)


def choose(
    main: str,
    windows: Windows,
    groups: Mapping[str, BoolArray],
    config: GateConfig,
    *,
    is_count: bool,
    averaged: Sequence[str] = (),
) -> list[Chosen]:
    """Return the groups that fall to others, the one that counts first; see the module's words.

    Args:
        main: Name of the main candidate.
        windows: Of every candidate, of the cutoffs that choose.
        groups: Masks of series by group.
        config: Confidence and number of resamples.
        is_count: True when sales are whole numbers.
        averaged: Candidates whose average with the main one is a candidate too.
    """
    if len(windows[main]) < _LEAST_CUTOFFS:
        return []
    losses = _losses(main, windows, averaged, is_count=is_count)
    now = losses.pop((MAIN,))
    found: list[Chosen] = []
    moved = np.zeros(len(now), bool)
    while len(found) < _MOST_RULES:
        few = {
            name: mask for name, mask in groups.items()
            if name == EVERYTHING or (moved | mask).mean() <= _MOST_MOVED
        }  # fmt: skip
        step = _next(now, losses, few, config)
        if step is None:
            break
        moved |= step.mask & (step.group != EVERYTHING)
        now = np.where(step.mask[:, None], losses[step.makers], now)
        # Who is chosen later counts first: it was compared with what was chosen before.
        found.insert(0, step)
    return found


def _next(
    now: FloatArray,
    losses: Mapping[tuple[str, ...], FloatArray],
    groups: Mapping[str, BoolArray],
    config: GateConfig,
) -> Chosen | None:
    """Return the group that saves most of those that are clearly better forecast by others."""
    # Of many groups some look bad by chance: their intervals hold all at once.
    strict = config.model_copy(
        update={"confidence": 1 - (1 - config.confidence) / max(1, len(groups))}
    )
    offers = sorted(_offers(now, losses, groups), key=lambda offer: -offer[0])
    for _, group, makers in offers:
        mask, other = groups[group], losses[makers]
        pair = compare_costs(now[mask].sum(axis=1), other[mask].sum(axis=1), strict)
        if pair.low > 0:
            return Chosen(group=group, makers=makers, mask=mask, change=pair.change, low=pair.low)
    return None


def _offers(
    now: FloatArray,
    losses: Mapping[tuple[str, ...], FloatArray],
    groups: Mapping[str, BoolArray],
) -> Iterator[tuple[float, str, tuple[str, ...]]]:
    """Yield what each group saves by each other forecast that is better at every cutoff."""
    for group, mask in groups.items():
        before = now[mask].sum(axis=0)
        for makers, other in losses.items():
            if group == EVERYTHING and len(makers) == 1:
                continue  # a candidate that is better all over is judged by itself
            after = other[mask].sum(axis=0)
            is_better = bool((after < before).all())
            least = _LEAST_OF_ALL if group == EVERYTHING else _LEAST_CHANGE
            if is_better and before.sum() > (1 + least) * after.sum():
                yield float(before.sum() - after.sum()), group, makers


def _losses(
    main: str, windows: Windows, averaged: Sequence[str], *, is_count: bool
) -> dict[tuple[str, ...], FloatArray]:
    """Return (series, cutoffs) losses by who makes the forecast."""
    found: dict[tuple[str, ...], FloatArray] = {}
    for name, own in windows.items():
        key = MAIN if name == main else name
        found[(key,)] = _by_cutoff(own, is_count=is_count)
        if name in averaged and name != main:
            mean = [_averaged([a, b]) for a, b in zip(windows[main], own, strict=True)]
            found[(MAIN, key)] = _by_cutoff(mean, is_count=is_count)
    return found


def _by_cutoff(windows: Sequence[Window], *, is_count: bool) -> FloatArray:
    return np.stack([series_losses([window], is_count=is_count) for window in windows], axis=1)


def _averaged(windows: Sequence[Window]) -> Window:
    """Return the average of several forecasts of one cutoff."""
    makers = tuple(map(str, range(len(windows))))
    whole = Parts((PartRule(group="", makers=makers, everything=True),))
    places = np.zeros(len(windows[0].actual), np.int64)
    return _put_together(whole, places, {str(n): w for n, w in enumerate(windows)})


def _put_together(parts: Parts, places: IntArray, windows: Mapping[str, Window]) -> Window:
    """Return the forecast of a model of parts from those of its parts, as serving does."""

    def ask(name: str, rows: IntArray) -> Sequence[Float32Array]:
        return [getattr(windows[name].forecast, array)[rows] for array in SERIES_ARRAYS]

    first = next(iter(windows.values()))
    arrays: dict[str, Any] = dict(zip(SERIES_ARRAYS, answers_of(parts, places, ask), strict=True))
    return replace(first, forecast=replace(first.forecast, **arrays))


def told(composed: Composed, main: str) -> Json:
    """Return what is written of a model of parts: who forecasts what, and what it changes.

    Args:
        composed: It.
        main: Name of its main model, which rules call MAIN.
    """
    later = [w.cutoff for w in composed.judged.windows]
    pairs = [(w, o) for w, o in zip(composed.windows, composed.alone.windows, strict=True)]
    return {
        "is_confirmed": composed.is_confirmed,
        "are_costs_telling": composed.are_costs_telling,
        "first_cutoff": later[0],
        "cost": asdict(composed.cost),
        "loss": asdict(composed.loss),
        "wape": composed.judged.points["wape"],
        "wape_alone": composed.alone.points["wape"],
        "parts": [
            {
                "group": each.group,
                "by": [main if name == MAIN else name for name in each.makers],
                "series": int((composed.places == number).sum()),
                "chosen_change": each.change,
                "chosen_low": each.low,
                "wape": _wape([w for w, _ in pairs], composed.places == number),
                "wape_alone": _wape([o for _, o in pairs], composed.places == number),
            }
            for number, each in enumerate(composed.chosen)
        ],
    }


def sentence(found: Json, main: str) -> str:
    """Return in one sentence who forecasts what and what it saves.

    Args:
        found: As `told` returns it.
        main: Name of the main model.

    Example:
        >>> change = {"change": -0.031, "low": -0.05, "high": -0.01}
        >>> part = {"group": "location=S31", "by": ["lightgbm"], "series": 32}
        >>> sentence({"parts": [part], "cost": change, "loss": change}, "challenger")[:66]
        'lightgbm forecasts location=S31 (32 series), challenger all others'
    """
    shares = [
        f"{' and '.join(part['by'])} {_DOES[len(part['by']) > 1]} {part['group']} "
        f"({part['series']:,} series)"
        for part in found["parts"]
        if part["series"]
    ]
    cost, loss = found["cost"], found["loss"]
    others = "" if any(p["group"] == EVERYTHING for p in found["parts"]) else f", {main} all others"
    return (
        f"{', '.join(shares)}{others}: on cutoffs that did not choose this, orders cost "
        f"{cost['change']:+.1%} compared with {main} alone (interval {cost['low']:+.1%} to "
        f"{cost['high']:+.1%}), and those series' quantile loss is {loss['change']:+.1%} "
        f"({loss['low']:+.1%} to {loss['high']:+.1%})"
    )


def decided(assessment: Json, verdict: Json) -> Json:
    """Return the part of an assessment that a verdict rests on.

    That of the model of parts on the later weeks where the verdict is on it, else all of it.

    Args:
        assessment: As it was written.
        verdict: On it.
    """
    is_composed = verdict.get("decision") == PROMOTE and verdict.get("parts")
    found: Json = assessment | (assessment["later"] if is_composed else {})
    return found


def tried(found: Json, main: str) -> str:
    """Return `sentence`, or that what the first cutoffs chose did not hold on the later ones."""
    if found["is_confirmed"]:
        return sentence(found, main)
    return f"not confirmed, {main} forecasts all: {sentence(found, main)}"


def _wape(windows: Sequence[Window], mask: BoolArray) -> float:
    """Return the WAPE of some series."""
    own = [
        replace(w, forecast=forecast_of(w.forecast, mask), actual=w.actual[mask]) for w in windows
    ]
    return point_metrics(own)["wape"]


def _known_by(windows: Sequence[Window], first: int, weeks: GateWeeks) -> list[Window]:
    """Return the gate's windows before a cutoff, with what had been sold by then."""
    found = []
    for window in windows:
        if window.cutoff not in weeks.ranges.gate or window.cutoff >= first:
            continue
        actual = window.actual.copy()
        actual[:, first - window.cutoff :] = np.nan
        found.append(replace(window, actual=actual))
    return found


def _judged(
    main: str, windows: Windows, later: GateWeeks, parts: Parts, chosen: Sequence[Chosen]
) -> Composed:
    """Return the model of parts beside its main model on the weeks that chose nothing."""
    first = later.ranges.gate[0]
    places = parts.places(facts_of(later.panel, parts.columns))
    own = [w for w in windows[main] if w.cutoff >= first]
    others = {name: [w for w in windows[name] if w.cutoff >= first] for name in parts.names}
    made = [
        _put_together(parts, places, {MAIN: w} | {name: others[name][n] for name in others})
        for n, w in enumerate(own)
    ]
    judged, alone = judge_windows(made, later), judge_windows(own, later)
    moved = places < len(parts.rules)
    losses = [
        series_losses([w for w in each if w.cutoff in later.ranges.gate], is_count=later.is_count)[
            moved
        ]
        for each in (made, own)
    ]
    drawn = None if later.network is None else later.network.tree
    gate = later.config.gate
    return Composed(
        parts=parts,
        chosen=chosen,
        windows=made,
        judged=judged,
        alone=alone,
        places=places,
        cost=compare_costs(judged.replay.cost, alone.replay.cost, gate, drawn=drawn),
        loss=compare_costs(losses[0], losses[1], gate),
    )


def _rule(chosen: Chosen, panel: Panel, stop: int) -> PartRule:
    """Return what tells the series of a group from others, later ones included.

    Places, categories and new products are told by what they are. Days on which a series sells are
    not known of a new one: it goes with its place where all known series of that place are of the
    group.
    """
    group, makers = chosen.group, chosen.makers
    if group == EVERYTHING:
        return PartRule(group=group, makers=makers, everything=True)
    if group == NEW:
        since = f"{panel.timeline.date(int(np.floor(stop / 2)) + 1):%Y-%m-%d}"
        return PartRule(group=group, makers=makers, since=since)
    if group.startswith(SELLS):
        ids = tuple(sorted(map(str, panel.unique_ids[chosen.mask])))
        places = _wholly(panel, chosen.mask) if "location" in panel.series else ()
        column = "location" if places else ""
        return PartRule(group=group, makers=makers, series=ids, column=column, values=places)
    column = "location" if group.startswith(LOCATION) else "category"
    value = group.removeprefix(LOCATION) if column == "location" else group
    return PartRule(group=group, makers=makers, column=column, values=(value,))


def _wholly(panel: Panel, mask: BoolArray) -> tuple[str, ...]:
    """Return the places all of whose series are of a group."""
    names = group_names(panel.series, "location")
    outside = set(names[~mask])
    return tuple(sorted({str(name) for name in names[mask]} - outside - {""}))
