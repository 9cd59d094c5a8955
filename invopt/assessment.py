"""A challenger beside champion and baseline on the same weeks: accuracy, calibration, money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from invopt.baselines import Baseline
from invopt.challenger import LIGHTGBM
from invopt.config import Config, GateConfig
from invopt.contracts import TermsTables
from invopt.evaluation import (
    Forecasts,
    Ranges,
    Window,
    count_foresight,
    interval_coverage,
    point_metrics,
    quantile_metrics,
    scale_step,
    series_losses,
)
from invopt.fallback import Composed, compose
from invopt.forecasts import forecast_of
from invopt.gate import CostComparison, GroupLoss, compare_costs, compare_losses
from invopt.groups import groups_of, large_groups
from invopt.history import season_of
from invopt.inventory.backtest import cost_at_fill_rate, replay
from invopt.inventory.costs import Terms
from invopt.inventory.references import (
    PERFECT,
    History,
    perfect_information,
    reference_levels,
    reference_rules,
    season_places,
)
from invopt.inventory.replay import Replay
from invopt.judged import (
    GateWeeks,
    Judged,
    NetworkPlayed,
    judge,
    judge_windows,
    later_weeks,
    weeks_of,
)
from invopt.panel import Panel
from invopt.types import BoolArray, IntArray

CHALLENGER, CHAMPION, NAIVE, AVERAGE = "challenger", "champion", "seasonal naive", "moving average"
_AS_CHEAP = 0.02  # of cost: what a few weeks cannot tell
_ENOUGH = 5.0  # shortages that a replay has to see before costs choose among baselines


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Everything the gate and the report need.

    Attributes:
        ranges: Which periods were used for what.
        judged: By name; the challenger first.
        incumbent: Name of what the challenger has to beat.
        cost: Paired comparison with the incumbent.
        best_baseline: Name of the baseline to order by, see _best.
        baseline_cost: Paired comparison of the challenger with it.
        rival_cost: Paired comparison of it with the incumbent.
        sold: Units asked for in the replay.
        shortages: Shortages that right orders leave in it, on average, where they are too few for
            money to choose among baselines; None where they are enough.
        scale: What errors are scaled by, in words.
        foresight: Series whose forecast by the challenger knew what came later.
        not_replayed: Series whose order no forecast of this horizon decides, so that nothing of
            theirs is in the money.
        network: How a network was replayed; None where nothing supplies anything.
        references: Indicators of reference policies on the same weeks, by name.
        groups: By group of series, wape, bias and share held by the widest interval, of challenger
            and incumbent.
        group_losses: Each group's loss beside that of the candidate which forecasts it best.
        fallback: Models of parts around the challenger and the best baseline, by the name of that
            main model, on the later half of the weeks.
        later: The assessment of the challenger's own, where it is confirmed, on those later weeks.
    """

    ranges: Ranges
    judged: dict[str, Judged]
    incumbent: str
    cost: CostComparison
    best_baseline: str
    baseline_cost: CostComparison
    rival_cost: CostComparison
    sold: float
    shortages: float | None
    scale: str
    foresight: int
    not_replayed: int
    network: NetworkPlayed | None
    references: dict[str, dict[str, float | None]]
    groups: dict[str, dict[str, dict[str, float]]]
    group_losses: list[GroupLoss]
    fallback: dict[str, Composed]
    later: "Assessment | None"
    terms: Terms = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """Whom the challenger is compared with.

    Attributes:
        incumbent: Name of what it has to beat.
        best: Name of the baseline to order by.
        foresight: Series whose forecast by the challenger knew what came later.
        segments: Masks of series by group.
    """

    incumbent: str
    best: str
    foresight: int
    segments: Mapping[str, BoolArray] = field(repr=False)


def assess(
    challenger: Forecasts,
    champion: Forecasts | None,
    panel: Panel,
    config: Config,
    *,
    is_count: bool,
    baselines: Mapping[str, Forecasts] | None = None,
    tables: TermsTables | None = None,
) -> Assessment:
    """Return the assessment on the gate's weeks.

    The incumbent is the champion, or the cheapest baseline where there is none: a first model has
    to earn its place too.

    Args:
        challenger: Learned nothing from the gate's weeks.
        champion: The model in use, None for a first run.
        panel: Cleaned, with derived channels, all periods.
        config: Of the run.
        is_count: True when sales are whole numbers.
        baselines: By name, "seasonal naive" among them; that and a moving average by default.
        tables: Of planning; where lanes are among them, sources that can run out are replayed too.

    Raises:
        InvalidInputError: If no series' order can be decided.
    """
    weeks = weeks_of(panel, config, is_count=is_count, tables=tables)
    panel, ranges = weeks.panel, weeks.ranges
    baselines = baselines or _plain_baselines(panel, config)
    candidates: dict[str, Forecasts] = {CHALLENGER: challenger}
    if champion is not None:
        candidates[CHAMPION] = champion
    judged = {name: judge(each, weeks) for name, each in (candidates | dict(baselines)).items()}
    others = {name: judged[name] for name in baselines}
    drawn = None if weeks.network is None else weeks.network.tree
    is_money = _shortages(weeks, judged[CHALLENGER].replay) is None
    best = _best(others, config.gate, drawn) if is_money else _sharpest(others)
    beside = _Beside(
        incumbent=best if champion is None else CHAMPION,
        best=best,
        foresight=count_foresight(challenger, panel, ranges.gate[0]),
        segments=groups_of(panel, ranges.train_stop),
    )
    return _assessment(judged, weeks, beside, _fallback(judged, weeks, beside))


def _assessment(
    judged: dict[str, Judged],
    weeks: GateWeeks,
    beside: _Beside,
    fallback: tuple[dict[str, Composed], GateWeeks | None],
) -> Assessment:
    """Return the assessment of candidates that are judged.

    Args:
        judged: By name.
        weeks: They are judged on.
        beside: Whom the challenger is compared with.
        fallback: Models of parts, and the later weeks they are judged on.
    """
    panel, ranges, config, is_count = weeks.panel, weeks.ranges, weeks.config, weeks.is_count
    segments, network = beside.segments, weeks.network
    whose = (CHALLENGER, beside.incumbent)

    def compared(one: str, other: str) -> CostComparison:
        costs = (judged[one].replay.cost, judged[other].replay.cost)
        drawn = None if network is None else network.tree
        return compare_costs(*costs, config=config.gate, segments=segments, drawn=drawn)

    return Assessment(
        ranges=ranges,
        judged=judged,
        incumbent=beside.incumbent,
        cost=compared(CHALLENGER, beside.incumbent),
        best_baseline=beside.best,
        baseline_cost=compared(CHALLENGER, beside.best),
        rival_cost=compared(beside.best, beside.incumbent),
        sold=float(judged[CHALLENGER].replay.demand.sum()),
        shortages=_shortages(weeks, judged[CHALLENGER].replay),
        scale=_scale_words(panel, ranges.train_stop),
        foresight=beside.foresight,
        not_replayed=panel.num_series - len(weeks.terms.decidable(config.features.horizon)),
        network=None if network is None else network.told,
        references=_references(weeks, judged[CHALLENGER].money["fill_rate"]),
        groups=_by_group(judged, whose, segments, ranges, is_count=is_count),
        group_losses=_group_losses(
            judged, large_groups(segments), ranges, config, is_count=is_count
        ),
        fallback=fallback[0],
        later=_later(judged, beside, *fallback),
        terms=weeks.terms,
    )


def _fallback(
    judged: Mapping[str, Judged], weeks: GateWeeks, beside: _Beside
) -> tuple[dict[str, Composed], GateWeeks | None]:
    """Return models of parts around challenger and best baseline, and the weeks that judge them."""
    later = later_weeks(weeks) if weeks.config.gate.fallback else None
    if later is None:
        return {}, None
    groups = large_groups(beside.segments)
    windows = {name: own.windows for name, own in judged.items() if name != CHAMPION}
    found = {}
    for main, averaged in ((CHALLENGER, LIGHTGBM), (beside.best, CHALLENGER)):
        made = compose(main, windows, weeks, later, groups, averaged=(averaged,))
        if made is not None:
            telling = _shortages(later, made.judged.replay) is None
            found[main] = replace(made, are_costs_telling=telling)
    return found, later


def _later(
    judged: Mapping[str, Judged],
    beside: _Beside,
    composed: Mapping[str, Composed],
    later: GateWeeks | None,
) -> Assessment | None:
    """Return the assessment of the challenger's model of parts, where there is one worth it."""
    own = composed.get(CHALLENGER)
    if later is None or own is None or not own.is_confirmed:
        return None
    again = {
        name: own.judged if name == CHALLENGER else judge_windows(each.windows, later)
        for name, each in judged.items()
    }
    return _assessment(again, later, beside, ({}, None))


def _group_losses(
    judged: Mapping[str, Judged],
    segments: Mapping[str, BoolArray],
    ranges: Ranges,
    config: Config,
    *,
    is_count: bool,
) -> list[GroupLoss]:
    """Return each group's loss beside that of the candidate which forecasts it best.

    Where the burden of proof is turned (gate.benefit_of_doubt) the champion alone is the measure: a
    fault that it has too is no reason to go on with it.
    """
    losses = {
        name: series_losses([w for w in own.windows if w.cutoff in ranges.gate], is_count=is_count)
        for name, own in judged.items()
    }
    own = losses.pop(CHALLENGER)
    if config.gate.benefit_of_doubt and CHAMPION in losses:
        losses = {CHAMPION: losses[CHAMPION]}
    return compare_losses(own, losses, config.gate, segments)


def _best(judged: Mapping[str, Judged], gate: GateConfig, drawn: IntArray | None) -> str:
    """Return the candidate to order by: the cheapest, or one about as cheap that forecasts better.

    The money of a few weeks tells candidates apart to several percent, their quantile losses far
    closer. Who costs at most two percent more, and not clearly so, is about as cheap.
    """
    costs = {name: _known_cost(each) for name, each in judged.items()}
    cheapest = min(costs, key=lambda name: costs[name])
    least = judged[cheapest].replay.cost

    def is_as_cheap(name: str) -> bool:
        if costs[name] > (1 + _AS_CHEAP) * costs[cheapest]:
            return False
        return compare_costs(judged[name].replay.cost, least, gate, drawn=drawn).low <= 0

    near = [name for name in judged if name == cheapest or is_as_cheap(name)]
    return _sharpest({name: judged[name] for name in near})


def _shortages(weeks: GateWeeks, played: Replay) -> float | None:
    """Return how many shortages right orders leave in a replay; None where they are enough to tell.

    An order that is right runs out as often as its critical ratio says, and only where something is
    asked for. Where that is hardly ever seen, whoever holds least is cheapest, however short its
    stock would fall.

    Args:
        weeks: That are replayed.
        played: Of any candidate: demand is the same for all.
    """
    rows = weeks.terms.decidable(weeks.config.features.horizon)
    terms = weeks.terms.select(rows)
    lived = np.minimum(played.num_periods / terms.interval, played.cycles[rows])
    found = float(np.nansum((1 - terms.critical_ratio) * lived))
    return None if found >= _ENOUGH else found


def _sharpest(judged: Mapping[str, Judged]) -> str:
    """Return the candidate with the least quantile loss."""
    return min(judged, key=lambda name: _mean_loss(judged[name]))


def _mean_loss(judged: Judged) -> float:
    """Return the mean quantile loss over all levels; infinite where it is not known."""
    losses = [level["pinball"] for level in judged.quantiles.values()]
    mean = float(np.mean(losses)) if losses else np.inf
    return mean if np.isfinite(mean) else np.inf


def _known_cost(judged: Judged) -> float:
    cost = judged.money["cost"]
    return cost if np.isfinite(cost) else np.inf


def _by_group(
    judged: Mapping[str, Judged],
    whose: Sequence[str],
    groups: Mapping[str, BoolArray],
    ranges: Ranges,
    *,
    is_count: bool,
) -> dict[str, dict[str, dict[str, float]]]:
    """Return what candidates are like in each group of series."""
    return {
        name: {
            who: _of_group(judged[who].windows, mask, ranges, is_count=is_count) for who in whose
        }
        for name, mask in groups.items()
    }


def _of_group(
    windows: Sequence[Window], mask: BoolArray, ranges: Ranges, *, is_count: bool
) -> dict[str, float]:
    """Return series, wape, bias and interval coverage of some series."""
    own = [
        Window(
            w.cutoff,
            forecast_of(w.forecast, mask),
            w.actual[mask],
        )
        for w in windows
        if w.cutoff in ranges.gate
    ]
    points = point_metrics(own)
    coverage = interval_coverage(quantile_metrics(own, is_count=is_count))
    widest = max(coverage, key=int, default="")
    return {
        "series": float(mask.sum()),
        "wape": points["wape"],
        "bias": points["bias"],
        **({f"coverage_{widest}": coverage[widest]} if widest else {}),
    }


def _plain_baselines(panel: Panel, config: Config) -> dict[str, Forecasts]:
    season, horizon = panel.timeline.season_length, config.features.horizon
    window = min(4 * season if season < 28 else season, 28)
    repeated = season_of(panel.timeline, panel.num_periods)
    return {
        NAIVE: Baseline(horizon, repeated, config.model),
        AVERAGE: Baseline(horizon, repeated, config.model, window),
    }


def _scale_words(panel: Panel, stop: int) -> str:
    step = scale_step(panel, stop, panel.timeline.season_length)
    if not step:
        return "one unit: sales before did not change"
    return f"the change of sales over {panel.timeline.spell(step)}"


def _references(weeks: GateWeeks, fill_rate: float) -> dict[str, dict[str, float | None]]:
    """Return what policies without a model, and one that knows all, would have cost.

    Those with levels of their own also say what they cost at the challenger's fill rate.
    """
    panel, config, first = weeks.panel, weeks.config, weeks.ranges.gate[0]
    start = max(0, first - round(2 * panel.timeline.periods_per_year))
    rows = weeks.terms.decidable(config.features.horizon)
    demand, terms = weeks.demand[rows], weeks.terms.select(rows)
    places = season_places(panel.timeline, panel.num_periods + int(terms.protection_interval.max()))
    season = panel.timeline.season_length
    history = History(
        panel.demand()[rows, start:].astype(np.float64),
        places[start:],
        first - start,
        recent=4 * season if season < 28 else season // 4,
        review_period=terms.review_period,
    )
    lost_sales = config.inventory.lost_sales
    levels = reference_levels(history, terms)
    rules = reference_rules(history, terms, lost_sales=lost_sales, levels=levels)
    known = np.concatenate([history.demand[:, : first - start], demand], axis=1)
    rules[PERFECT] = perfect_information(
        replace(history, demand=known), terms, lost_sales=lost_sales
    )
    found: dict[str, dict[str, float | None]] = {
        name: dict(replay(rule, demand, terms, lost_sales=lost_sales).summary())
        for name, rule in rules.items()
    }
    for name, own in levels.items():
        found[name]["cost_at_equal_fill_rate"] = cost_at_fill_rate(
            own, demand, terms, fill_rate, lost_sales=lost_sales
        )
    return found
