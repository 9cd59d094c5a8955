"""A challenger beside champion and baseline on the same weeks: accuracy, calibration, money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from invopt.baselines import Baseline
from invopt.cleaning import estimate_demand
from invopt.config import Config, GateConfig
from invopt.contracts import TermsTables
from invopt.evaluation import (
    Forecasts,
    Ranges,
    Window,
    backtest,
    count_foresight,
    forecast_change,
    interval_coverage,
    level_metrics,
    mase_scale,
    point_metrics,
    quantile_metrics,
    ranges_of,
    scale_step,
    series_losses,
)
from invopt.forecasts import forecast_of
from invopt.gate import CostComparison, GroupLoss, compare_costs, compare_losses
from invopt.groups import groups_of, large_groups
from invopt.hierarchy import score_levels
from invopt.history import season_of
from invopt.inventory.backtest import (
    cost_at_fill_rate,
    forecast_rule,
    replay,
    review_cutoffs,
    warmup_of,
)
from invopt.inventory.costs import Terms, last_prices, refuse_unorderable, terms_of
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network.net import Sources, sources_of
from invopt.inventory.network.network_replay import (
    MOST_ORDERS,
    PlannedNetwork,
    chain_of,
    members,
    only_below,
    replay_network,
    sampled,
    tables_replayed,
)
from invopt.inventory.network.network_review import by_lanes
from invopt.inventory.references import (
    PERFECT,
    History,
    perfect_information,
    reference_levels,
    reference_rules,
    season_places,
)
from invopt.inventory.replay import Replay
from invopt.lanes import plain_lanes
from invopt.panel import Panel
from invopt.types import BoolArray, FloatArray, IntArray

CHALLENGER, CHAMPION, NAIVE, AVERAGE = "challenger", "champion", "seasonal naive", "moving average"
LEVEL_PERIODS = (1, 3, 7, 14, 28)
_AS_CHEAP = 0.02  # of cost: what a few weeks cannot tell


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How one forecaster did on the gate's weeks.

    Attributes:
        points: rmse, mae, r2, wape, bias, mase.
        folds: The same by cutoff.
        quantiles: Pinball loss and coverage by quantile level.
        levels: The same for summed demand, by number of periods.
        coverage: Of the central intervals, by percent.
        hierarchy: WRMSSE and its levels; empty where none is configured.
        money: Indicators of the replay.
        stability: What changes from one review of the replay to the next: forecast_change, and
            order_change (see Replay.summary).
        replay: By series.
        windows: Forecasts beside actuals.
    """

    points: dict[str, float]
    folds: dict[str, dict[str, float]]
    quantiles: dict[str, dict[str, float]]
    levels: dict[str, dict[str, dict[str, float]]]
    coverage: dict[str, float]
    hierarchy: dict[str, float]
    money: dict[str, float]
    stability: dict[str, float]
    replay: Replay = field(repr=False)
    windows: Sequence[Window] = field(repr=False)

    def metrics(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        names = ("points", "folds", "quantiles", "levels", "coverage", "hierarchy", "money",
                 "stability")  # fmt: skip
        return {name: getattr(self, name) for name in names}


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
        scale: What errors are scaled by, in words.
        foresight: Series whose forecast by the challenger knew what came later.
        not_replayed: Series whose order no forecast of this horizon decides, so that nothing of
            theirs is in the money.
        network: How a network was replayed; None where nothing supplies anything.
        references: Indicators of reference policies on the same weeks, by name.
        groups: By group of series, wape, bias and share held by the widest interval, of challenger
            and incumbent.
        group_losses: Each group's loss beside that of the candidate which forecasts it best.
    """

    ranges: Ranges
    judged: dict[str, Judged]
    incumbent: str
    cost: CostComparison
    best_baseline: str
    baseline_cost: CostComparison
    rival_cost: CostComparison
    sold: float
    scale: str
    foresight: int
    not_replayed: int
    network: "NetworkPlayed | None"
    references: dict[str, dict[str, float | None]]
    groups: dict[str, dict[str, dict[str, float]]]
    group_losses: list[GroupLoss]
    terms: Terms = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NetworkPlayed:
    """How the gate replayed a network.

    Attributes:
        places: Names of the places that supply others and can run out.
        series: Series that are part of it.
        replayed: Those of them that were replayed, with all that one source supplies.
        reach: Periods from an order of a source until its units lie on the last shelf.
        periods: Periods of the replay.
    """

    places: list[str]
    series: int
    replayed: int
    reach: int
    periods: int


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A network that is replayed; arrays are (series,).

    Attributes:
        tables: What a replay reads of the tables of planning.
        inside: True where the series is part of it.
        played: True where it is replayed.
        tree: Number of the tree it belongs to.
        told: For people.
    """

    tables: TermsTables = field(repr=False)
    inside: BoolArray = field(repr=False)
    played: BoolArray = field(repr=False)
    tree: IntArray = field(repr=False)
    told: NetworkPlayed


@dataclass(frozen=True, kw_only=True)
class _Weeks:
    """What every candidate orders for: the gate's weeks.

    Attributes:
        panel: All periods, with the terms of lanes.
        demand: (series, periods) units from the gate's first cutoff on.
        terms: Of the series.
        ranges: Which periods are used for what.
        config: Of the run.
        is_count: True when sales are whole numbers.
        network: None where nothing supplies anything.
    """

    panel: Panel = field(repr=False)
    demand: FloatArray = field(repr=False)
    terms: Terms = field(repr=False)
    ranges: Ranges
    config: Config = field(repr=False)
    is_count: bool
    network: _Network | None


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
    if tables is not None and tables.lanes is not None:
        panel = by_lanes(panel, plain_lanes(tables.lanes))
    refuse_unorderable(panel, config.inventory, config.features.horizon)
    ranges = ranges_of(panel.num_periods, config.evaluation)
    panel = panel.truncate(ranges.num_periods)
    baselines = baselines or _plain_baselines(panel, config)
    candidates: dict[str, Forecasts] = {CHALLENGER: challenger}
    if champion is not None:
        candidates[CHAMPION] = champion
    candidates |= baselines
    terms = terms_of(panel.series, last_prices(panel), config.inventory)
    demand = estimate_demand(panel)[:, ranges.gate[0] :].astype(np.float64)
    network = _network(panel, terms, tables, ranges, config)
    weeks = _Weeks(
        panel=panel, demand=demand, terms=terms, ranges=ranges, config=config, is_count=is_count,
        network=network,
    )  # fmt: skip
    judged = {name: _judge(forecasts, weeks) for name, forecasts in candidates.items()}
    drawn = None if network is None else network.tree
    best = _best({name: judged[name] for name in baselines}, config.gate, drawn)
    incumbent = best if champion is None else CHAMPION
    segments = groups_of(panel, ranges.train_stop)

    def compared(one: str, other: str) -> CostComparison:
        costs = (judged[one].replay.cost, judged[other].replay.cost)
        return compare_costs(*costs, config=config.gate, segments=segments, drawn=drawn)

    fill_rate = judged[CHALLENGER].money["fill_rate"]
    return Assessment(
        ranges=ranges,
        judged=judged,
        incumbent=incumbent,
        cost=compared(CHALLENGER, incumbent),
        best_baseline=best,
        baseline_cost=compared(CHALLENGER, best),
        rival_cost=compared(best, incumbent),
        sold=float(judged[CHALLENGER].replay.demand.sum()),
        scale=_scale_words(panel, ranges.train_stop),
        foresight=count_foresight(challenger, panel, ranges.gate[0]),
        not_replayed=panel.num_series - len(terms.decidable(config.features.horizon)),
        network=None if network is None else network.told,
        references=_references(
            panel, demand, terms, first=ranges.gate[0], config=config, fill_rate=fill_rate
        ),
        groups=_by_group(judged, (CHALLENGER, incumbent), segments, ranges, is_count=is_count),
        group_losses=_group_losses(
            judged, large_groups(segments), ranges, config, is_count=is_count
        ),
        terms=terms,
    )


def _network(
    panel: Panel, terms: Terms, tables: TermsTables | None, ranges: Ranges, config: Config
) -> _Network | None:
    """Return the network of a panel, or of as many of its trees as are replayed in good time."""
    if tables is None or tables.lanes is None:
        return None
    tables = tables_replayed(tables)
    sources = _sources(panel.truncate(ranges.gate[0] + 1), terms, tables, config)
    inside, tree = members(sources, panel.series)
    if not inside.any():
        return None
    reviews = review_cutoffs(ranges.gate[0], ranges.num_periods, terms.review_period)
    share = inside.sum() / (inside.sum() + len(sources.nodes))
    played = sampled(tree, inside, int(MOST_ORDERS * share / len(reviews)))
    chain = chain_of(sources, panel.series, terms)
    told = NetworkPlayed(
        places=list(chain.places),
        series=int(inside.sum()),
        replayed=int(played.sum()),
        reach=chain.reach(terms.review_period),
        periods=ranges.num_periods - ranges.gate[0] - 1,
    )
    return _Network(tables=tables, inside=inside, played=played, tree=tree, told=told)


def _sources(panel: Panel, terms: Terms, tables: TermsTables, config: Config) -> Sources:
    return sources_of(
        panel.series, terms, tables, panel.timeline, config.inventory,
        horizon=config.features.horizon,
    )  # fmt: skip


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
    return min(near, key=lambda name: _mean_loss(judged[name]))


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


def _references(
    panel: Panel,
    demand: FloatArray,
    terms: Terms,
    first: int,
    config: Config,
    fill_rate: float,
) -> dict[str, dict[str, float | None]]:
    """Return what policies without a model, and one that knows all, would have cost.

    Those with levels of their own also say what they cost at the challenger's fill rate.
    """
    start = max(0, first - round(2 * panel.timeline.periods_per_year))
    rows = terms.decidable(config.features.horizon)
    demand, terms = demand[rows], terms.select(rows)
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


def _judge(forecasts: Forecasts, weeks: _Weeks) -> Judged:
    panel, ranges, config = weeks.panel, weeks.ranges, weeks.config
    evaluation, is_count = config.evaluation, weeks.is_count
    reviews = review_cutoffs(ranges.gate[0], ranges.num_periods, weeks.terms.review_period)
    cutoffs = sorted({*ranges.gate, *reviews})
    windows = backtest(forecasts, panel, cutoffs, ranges.num_periods, gap=evaluation.gap)
    scored = [w for w in windows if w.cutoff in ranges.gate]
    scale = mase_scale(panel, ranges.train_stop, panel.timeline.season_length)
    quantiles = quantile_metrics(scored, is_count=is_count)
    at_review = {w.cutoff - ranges.gate[0]: w.forecast for w in windows if w.cutoff in reviews}
    played = _replayed(at_review, weeks)
    periods = [p for p in LEVEL_PERIODS if p <= config.features.horizon]
    money = played.summary()
    return Judged(
        points=point_metrics(scored, scale),
        folds={str(w.cutoff): point_metrics([w]) for w in scored if np.isfinite(w.actual).any()},
        quantiles=quantiles,
        levels=level_metrics(scored, periods, is_count=is_count),
        coverage=interval_coverage(quantiles),
        hierarchy=score_levels(scored, panel, evaluation.hierarchy) if evaluation.hierarchy else {},
        money=money,
        stability={
            "forecast_change": forecast_change([w for w in windows if w.cutoff in reviews], scale),
            "order_change": money["order_change"],
        },
        replay=played,
        windows=windows,
    )


def _replayed(at_review: Mapping[int, Any], weeks: _Weeks) -> Replay:
    """Return the replay of the series whose orders can be decided; the others cost nothing.

    What a forecast that is no number costs is not known, and the gate refuses what is not known.
    """
    rows = weeks.terms.decidable(weeks.config.features.horizon)
    whole = np.ones(len(weeks.demand), bool)
    for each in at_review.values():
        for values in (each.mean, each.smooth_quantiles, each.smooth_levels):
            whole &= np.isfinite(values).reshape(len(values), -1).all(axis=1)
    broken, rows = rows[~whole[rows]], rows[whole[rows]]
    warmup = warmup_of(weeks.terms.select(rows), weeks.demand.shape[1])
    network = weeks.network
    if network is None:
        own = _alone(at_review, weeks, rows, warmup)
        return Replay.among(len(whole), [(rows, own)], broken)
    kinds = ((rows[~network.inside[rows]], _alone), (rows[network.played[rows]], _linked))
    parts = [(own, play(at_review, weeks, own, warmup)) for own, play in kinds if len(own)]
    broken = broken[network.played[broken] | ~network.inside[broken]]
    return Replay.among(len(whole), parts, broken)


def _alone(at_review: Mapping[int, Any], weeks: _Weeks, rows: IntArray, warmup: int) -> Replay:
    """Return the replay of series whose supplier never runs out."""
    own, inventory = weeks.terms.select(rows), weeks.config.inventory
    demand = weeks.demand[rows]
    forecasts = {period: forecast_of(each, rows) for period, each in at_review.items()}
    rule = forecast_rule(forecasts, own, demand.shape[1], inventory, is_count=weeks.is_count)
    return replay(rule, demand, own, lost_sales=inventory.lost_sales, warmup=warmup)


def _linked(at_review: Mapping[int, Any], weeks: _Weeks, rows: IntArray, warmup: int) -> Replay:
    """Return the replay of series whose sources can run out, ordered for as every day."""
    assert weeks.network is not None
    inventory, first = weeks.config.inventory, weeks.ranges.gate[0]
    panel, tables = weeks.panel.select(rows), weeks.network.tables
    terms = weeks.terms.select(rows)
    chain = chain_of(_sources(panel, terms, tables, weeks.config), panel.series, terms)
    rule = PlannedNetwork(
        panel,
        first,
        {period: forecast_of(each, rows) for period, each in at_review.items()},
        tables=only_below(tables, chain),
        rules=ReviewRules(config=inventory, model_version="", is_count=weeks.is_count),
        chain=chain,
    )
    return replay_network(
        weeks.demand[rows],
        rule,
        chain,
        inventory.review_period,
        warmup,
        lost_sales=inventory.lost_sales,
    )
