"""How one forecaster did on the gate's weeks: errors, calibration, money of a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from invopt.cleaning import estimate_demand
from invopt.config import Config
from invopt.contracts import TermsTables
from invopt.evaluation import (
    Forecasts,
    Ranges,
    Window,
    backtest,
    forecast_change,
    interval_coverage,
    level_metrics,
    mase_scale,
    point_metrics,
    quantile_metrics,
    ranges_of,
)
from invopt.forecasts import forecast_of
from invopt.hierarchy import score_levels
from invopt.inventory.backtest import forecast_rule, replay, review_cutoffs, warmup_of
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
from invopt.inventory.replay import Replay
from invopt.lanes import plain_lanes
from invopt.panel import Panel
from invopt.types import BoolArray, FloatArray, IntArray

LEVEL_PERIODS = (1, 3, 7, 14, 28)


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
class GateNetwork:
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
class GateWeeks:
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
    network: GateNetwork | None


def weeks_of(
    panel: Panel, config: Config, *, is_count: bool, tables: TermsTables | None
) -> GateWeeks:
    """Return the gate's weeks of a panel.

    Args:
        panel: Cleaned, with derived channels, all periods.
        config: Of the run.
        is_count: True when sales are whole numbers.
        tables: Of planning; where lanes are among them, sources that can run out are replayed too.

    Raises:
        InvalidInputError: If no series' order can be decided.
    """
    if tables is not None and tables.lanes is not None:
        panel = by_lanes(panel, plain_lanes(tables.lanes))
    refuse_unorderable(panel, config.inventory, config.features.horizon)
    ranges = ranges_of(panel.num_periods, config.evaluation)
    panel = panel.truncate(ranges.num_periods)
    terms = terms_of(panel.series, last_prices(panel), config.inventory)
    return GateWeeks(
        panel=panel,
        demand=estimate_demand(panel)[:, ranges.gate[0] :].astype(np.float64),
        terms=terms,
        ranges=ranges,
        config=config,
        is_count=is_count,
        network=_network(panel, terms, tables, ranges, config),
    )


def later_weeks(weeks: GateWeeks) -> GateWeeks | None:
    """Return the later half of the gate's weeks; None where no review divides them.

    It begins at the gate's cutoff nearest the middle at which orders are placed, so that what was
    forecast for the whole is what the half is judged by.
    """
    ranges = weeks.ranges
    reviews = set(reviews_of(weeks))
    inner = [cutoff for cutoff in ranges.gate[1:] if cutoff in reviews]
    if not inner:
        return None
    middle = (ranges.gate[0] + ranges.num_periods - 1) / 2
    first = min(inner, key=lambda cutoff: abs(cutoff - middle))
    later = tuple(cutoff for cutoff in ranges.gate if cutoff >= first)
    return replace(
        weeks,
        ranges=replace(ranges, gate=later),
        demand=weeks.demand[:, first - ranges.gate[0] :],
    )


def reviews_of(weeks: GateWeeks) -> Sequence[int]:
    """Return the cutoffs at which orders are placed."""
    ranges = weeks.ranges
    return review_cutoffs(ranges.gate[0], ranges.num_periods, weeks.terms.review_period)


def judge(forecasts: Forecasts, weeks: GateWeeks) -> Judged:
    """Return how a forecaster did: its errors at the gate's cutoffs, its money by a replay."""
    ranges = weeks.ranges
    cutoffs = sorted({*ranges.gate, *reviews_of(weeks)})
    gap = weeks.config.evaluation.gap
    return judge_windows(
        backtest(forecasts, weeks.panel, cutoffs, ranges.num_periods, gap=gap), weeks
    )


def judge_windows(windows: Sequence[Window], weeks: GateWeeks) -> Judged:
    """Return how forecasts did that were made at the cutoffs of gate and reviews, or at more."""
    panel, ranges, config = weeks.panel, weeks.ranges, weeks.config
    evaluation, is_count, reviews = config.evaluation, weeks.is_count, reviews_of(weeks)
    windows = [w for w in windows if w.cutoff >= ranges.gate[0]]
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


def _replayed(at_review: Mapping[int, Any], weeks: GateWeeks) -> Replay:
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


def _alone(at_review: Mapping[int, Any], weeks: GateWeeks, rows: IntArray, warmup: int) -> Replay:
    """Return the replay of series whose supplier never runs out."""
    own, inventory = weeks.terms.select(rows), weeks.config.inventory
    demand = weeks.demand[rows]
    forecasts = {period: forecast_of(each, rows) for period, each in at_review.items()}
    rule = forecast_rule(forecasts, own, demand.shape[1], inventory, is_count=weeks.is_count)
    return replay(rule, demand, own, lost_sales=inventory.lost_sales, warmup=warmup)


def _linked(at_review: Mapping[int, Any], weeks: GateWeeks, rows: IntArray, warmup: int) -> Replay:
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


def _network(
    panel: Panel, terms: Terms, tables: TermsTables | None, ranges: Ranges, config: Config
) -> GateNetwork | None:
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
    return GateNetwork(tables=tables, inside=inside, played=played, tree=tree, told=told)


def _sources(panel: Panel, terms: Terms, tables: TermsTables, config: Config) -> Sources:
    return sources_of(
        panel.series, terms, tables, panel.timeline, config.inventory,
        horizon=config.features.horizon,
    )  # fmt: skip
