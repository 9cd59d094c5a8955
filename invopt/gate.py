"""Whether a challenger replaces the champion: refusals first, then money on the same weeks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt

from invopt.config import GateConfig
from invopt.errors import OvertakenError
from invopt.types import BoolArray, FloatArray, IntArray

PROMOTE = "promote"
KEEP = "keep"


@dataclass(frozen=True)
class Check:
    """One rule and how the challenger did.

    Attributes:
        name: Of the rule.
        value: What was found; None where it does not apply.
        limit: What it must not exceed (or what it must reach, as `rule` says).
        passed: True when the challenger obeys it.
        rule: In words.
        key: Setting of the configuration that holds the limit, "" where none does.
    """

    name: str
    value: float | None
    limit: float | None
    passed: bool
    rule: str
    key: str = ""


@dataclass(frozen=True)
class CostComparison:
    """Paired cost of challenger and incumbent on the same series and weeks.

    Attributes:
        challenger: Total cost, money.
        incumbent: Total cost, money.
        change: (challenger - incumbent) / incumbent.
        low: Lower end of its bootstrap interval over series.
        high: Upper end.
        segments: The same by segment.
    """

    challenger: float
    incumbent: float
    change: float
    low: float
    high: float
    segments: dict[str, "CostComparison"] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The gate's answer, with every number it rests on.

    Attributes:
        decision: "promote" or "keep".
        reasons: Why, one sentence each; what decided, with what decisions cost, is the first.
        checks: Every rule.
        cost: Of the decisions.
        incumbent: What the challenger was compared with.
        orders_by: What orders from now on: "challenger", "champion", or another candidate's name.
        would_pass: Settings with which the challenger would have been promoted, "section.key=value"
            each; nothing where it was, or where no setting would do.
    """

    decision: str
    reasons: list[str]
    checks: list[Check]
    cost: CostComparison
    incumbent: str
    orders_by: str = ""
    would_pass: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return the verdict as plain data, to be written as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class GroupLoss:
    """How a group of series is forecast beside the candidate that forecasts it best.

    Attributes:
        group: Its name.
        better: Name of that candidate.
        change: Pinball loss of the challenger over that candidate's, less 1.
        low: Lower end of its bootstrap interval over the group's series.
        high: Upper end.
    """

    group: str
    better: str
    change: float
    low: float
    high: float


@dataclass(frozen=True)
class Orders:
    """What was at stake in the replay, and what the best baseline made of it.

    Attributes:
        sold: Units asked for.
        challenger: Units the challenger ordered for the periods counted.
        incumbent: Units the incumbent ordered for them.
        best_baseline: Name of the baseline to order by.
        baseline_cost: Against it.
        shortages: Shortages that right orders leave in the periods counted, on average, where they
            are too few for money to choose among baselines; None where they are enough.
    """

    sold: float
    challenger: float
    incumbent: float
    best_baseline: str
    baseline_cost: CostComparison
    shortages: float | None = None


def check_verdict_holds(name: str, version: str, judged: str | None, champion: str) -> None:
    """Refuse a version whose verdict was on another champion than today's.

    Args:
        name: Of the registered model.
        version: Of it; where it is the champion already, nothing is wrong.
        judged: Champion's version that it was judged beside, "" where there was none, None where
            its verdict does not tell.
        champion: Version that is champion today, "" for none.

    Raises:
        OvertakenError: If the two are not the same.
    """
    if judged is None or champion in (judged, version):
        return
    beside = f"beside version {judged}" if judged else "when there was no champion"
    now = f"version {champion} is champion by now" if champion else "there is no champion by now"
    raise OvertakenError(
        f"version {version} of {name} was judged {beside}, and {now}: another training or a "
        f"rollback came between. Version {version} is registered and not deployed; what serves "
        "serves on. Run the training again: it is judged beside today's champion, and steps "
        "whose input is the same are not computed again."
    )


def judge(
    metrics: Mapping[str, float],
    baseline: Mapping[str, float],
    coverage: Mapping[str, float],
    cost: CostComparison,
    config: GateConfig,
    *,
    incumbent: str,
    leaks: Sequence[str] = (),
    suspect: Sequence[str] = (),
    orders: Orders | None = None,
    groups: Sequence[GroupLoss] = (),
    stability: Mapping[str, float] | None = None,
) -> Verdict:
    """Return the verdict on a challenger.

    Args:
        metrics: point_metrics of the challenger.
        baseline: point_metrics of the seasonal naive on the same windows.
        coverage: Interval coverage of the challenger, by percent ("80": 0.79).
        cost: Against the incumbent.
        config: Limits.
        incumbent: Name of what `cost` compares with.
        leaks: Features found to leak the future.
        suspect: Checks of the data that failed.
        orders: What the replay was about; None leaves its checks out.
        groups: How groups of series are forecast beside the best candidate for each.
        stability: order_change and forecast_change of the challenger; looked at where the
            configuration holds limits of them.
    """
    checks = [
        _check("finite", *_finite(metrics), "every metric is a number"),
        _none("leaks", leaks, "no feature may leak the future"),
        _none("data", suspect, "no check of the data may fail"),
        *(_stakes(orders) if orders else ()),
        *_costs(cost, config, incumbent),
        *(_beside_baselines(orders, incumbent, config) if orders else ()),
        *_served(groups, config),
        *_accuracy(metrics, baseline, coverage, config),
        *_stability(stability or {}, config),
    ]
    failed = [c for c in checks if not c.passed]
    money = f"{_told(cost.change)} compared with {incumbent} ({_interval(cost, config)})"
    if not failed:
        reason = f"{money}{_margin(cost, config)}; all checks passed"
        return Verdict(PROMOTE, [reason], checks, cost, incumbent, orders_by="challenger")
    changes = _changes(failed)
    reasons = _why_kept(failed, changes, money, _who_orders(incumbent, orders))
    return Verdict(KEEP, reasons, checks, cost, incumbent, orders_by=incumbent, would_pass=changes)


def _why_kept(
    failed: Sequence[Check], changes: Sequence[str], money: str, orders: str
) -> list[str]:
    """Return a sentence per failed check, who orders, and what would let the challenger pass."""
    first, *rest = failed
    reasons = [f"{_failure(first)}; {money}", *map(_failure, rest)]
    if orders:
        reasons.append(orders)
    passing = f"this challenger would pass with {' '.join(changes)}"
    return [*reasons, passing if changes else "no setting lets this challenger pass"]


def _who_orders(incumbent: str, orders: Orders | None) -> str:
    """Return who orders as nobody did before, and why; "" where a champion goes on."""
    if incumbent == "champion":
        return ""
    told = f"until a challenger passes, {incumbent} orders"
    if orders is None or orders.shortages is None:
        return told
    return (
        f"{told}: it forecasts best of all baselines (quantile loss), as their costs cannot tell "
        f"them apart in a replay of which right orders leave {orders.shortages:.1f} shortages"
    )


def _interval(cost: CostComparison, config: GateConfig) -> str:
    """Return the interval of a change of cost in words; resampling one series shows none."""
    if cost.low == cost.high == cost.change and cost.change:
        return "of one series there is no interval"
    return f"{config.confidence:.0%} interval {cost.low:+.1%} to {cost.high:+.1%}"


def with_rival(verdict: Verdict, rival: Verdict, name: str) -> Verdict:
    """Return a verdict that keeps a champion, once another candidate was judged against it too.

    Args:
        verdict: On the challenger.
        rival: On the candidate whose decisions cost least besides.
        name: Of that candidate.
    """
    if rival.decision != PROMOTE:
        return verdict
    reason = (
        f"{name} orders from now on: {_told(rival.cost.change)} compared with champion "
        f"(interval {rival.cost.low:+.1%} to {rival.cost.high:+.1%}), and it passed all checks"
    )
    return replace(verdict, orders_by=name, reasons=[*verdict.reasons, reason])


def _failure(check: Check) -> str:
    return f"{check.rule}: {_shown(check.value)}, limit {_shown(check.limit)}"


def _changes(failed: Sequence[Check]) -> list[str]:
    """Return the settings with which failed checks would hold; nothing unless all would."""
    found: dict[str, float] = {}
    for check in failed:
        if not check.key or check.value is None or not np.isfinite(check.value):
            return []
        found[check.key] = max(found.get(check.key, -np.inf), _above(check.value))
    return [f"{key}={value:g}" for key, value in found.items()]


def _above(value: float) -> float:
    """Return a number a little above another, of two significant digits or so."""
    step = 10.0 ** (np.floor(np.log10(max(abs(value), 1e-6))) - 1)
    return float(round((np.floor(value / step) + 1) * step, 9))


def _stakes(orders: Orders) -> Iterator[Check]:
    ordered = orders.challenger > 0 or orders.incumbent > 0
    yield _check("orders", float(not ordered), 0.0, "somebody has to order in the periods replayed")
    yield _check("sales", float(not orders.sold > 0), 0.0, "something has to sell in them")


def _beside_baselines(orders: Orders, incumbent: str, config: GateConfig) -> Iterator[Check]:
    if incumbent == orders.best_baseline:
        return
    yield _check(
        "baseline_cost",
        orders.baseline_cost.low,
        config.max_cost_over_baseline,
        f"decisions must not cost clearly more than those of {orders.best_baseline}, the best of "
        f"the others; they cost {orders.baseline_cost.change:+.1%} (interval "
        f"{orders.baseline_cost.low:+.1%} to {orders.baseline_cost.high:+.1%})",
        key="gate.max_cost_over_baseline",
    )


def _accuracy(
    metrics: Mapping[str, float],
    baseline: Mapping[str, float],
    coverage: Mapping[str, float],
    config: GateConfig,
) -> Iterator[Check]:
    yield _check(
        "wape_ratio",
        _ratio(metrics.get("wape"), baseline.get("wape")),
        config.max_wape_ratio,
        "WAPE, divided by that of the seasonal naive, must not exceed the limit",
        key="gate.max_wape_ratio",
    )
    yield _check(
        "bias",
        abs(metrics.get("bias", float("nan"))),
        config.max_bias,
        "absolute bias must not exceed the limit",
        key="gate.max_bias",
    )
    for percent, share in coverage.items():
        # What an interval that is too wide costs is in the money already.
        yield _check(
            f"coverage_{percent}",
            float(percent) / 100 - share,
            config.coverage_tolerance,
            f"coverage of the {percent}% interval is {share:.1%}; it must not fall short by more "
            "than the limit",
            key="gate.coverage_tolerance",
        )


def _stability(found: Mapping[str, float], config: GateConfig) -> Iterator[Check]:
    if config.max_order_change is not None:
        yield _check(
            "order_change",
            found.get("order_change"),
            config.max_order_change,
            "units by which orders change from one review to the next, as a share of the units "
            "ordered, must not exceed the limit",
            key="gate.max_order_change",
        )
    if config.max_forecast_change is not None:
        yield _check(
            "forecast_change",
            found.get("forecast_change"),
            config.max_forecast_change,
            "change of the forecast of the same periods from one review to the next, over the "
            "usual change of sales, must not exceed the limit",
            key="gate.max_forecast_change",
        )


def _costs(cost: CostComparison, config: GateConfig, incumbent: str) -> Iterator[Check]:
    which, end = ("lower", cost.low) if config.benefit_of_doubt else ("upper", cost.high)
    yield _check(
        "cost_change",
        end,
        config.max_cost_increase,
        f"{which} end of the cost change compared with {incumbent} must be below the limit",
        strict=True,
        key="gate.max_cost_increase",
    )
    for name, segment in cost.segments.items():
        yield _check(
            f"segment_cost[{name}]",
            segment.low,
            config.segment_cost_increase,
            f"no segment may cost clearly more; {name} changes by {segment.change:+.1%}",
            key="gate.segment_cost_increase",
        )


def _served(groups: Sequence[GroupLoss], config: GateConfig) -> Iterator[Check]:
    for found in groups:
        yield _check(
            f"group_loss[{found.group}]",
            found.low,
            config.group_loss_increase,
            "no group may be forecast clearly worse than by another candidate; the quantile loss "
            f"of {found.group} is {found.change:+.1%} compared with {found.better}",
            key="gate.group_loss_increase",
        )


def compare_losses(
    challenger: FloatArray,
    others: Mapping[str, FloatArray],
    config: GateConfig,
    groups: Mapping[str, BoolArray],
    seed: int = 0,
) -> list[GroupLoss]:
    """Return each group's loss beside that of the candidate which forecasts it best.

    Args:
        challenger: (series,) losses.
        others: The same by candidate; not empty.
        config: Confidence and number of resamples.
        groups: Masks of series by name.
        seed: Of the resamples.

    Example:
        The moving average knows the south better, and all over loses more:

        >>> own, average = np.array([1.0, 1.0, 3.0, 3.0]), np.array([9.0, 9.0, 2.0, 2.0])
        >>> south = {"south": np.array([False, False, True, True])}
        >>> [found] = compare_losses(own, {"average": average}, GateConfig(), south)
        >>> found.better, found.change, found.low
        ('average', 0.5, 0.5)
    """
    tail = (1 - config.confidence) / 2 / max(1, len(groups))
    found = []
    for name, mask in groups.items():
        better = min(others, key=lambda other: _sum_known(others[other][mask]))
        pair = _compare(challenger[mask], others[better][mask], config.num_bootstrap, tail, seed)
        found.append(GroupLoss(name, better, pair.change, pair.low, pair.high))
    return found


def _sum_known(losses: FloatArray) -> float:
    total = float(losses.sum())
    return total if np.isfinite(total) else np.inf


def compare_costs(
    challenger: FloatArray,
    incumbent: FloatArray,
    config: GateConfig,
    *,
    segments: npt.NDArray[np.object_] | Mapping[str, BoolArray] | None = None,
    drawn: IntArray | None = None,
    seed: int = 0,
) -> CostComparison:
    """Return the paired comparison of two replays' costs by series.

    The interval is a bootstrap over series of the ratio of totals; series are drawn in blocks
    of resamples, so that a million series fit in memory. Intervals of segments hold all at once
    with the same confidence (Bonferroni).

    Args:
        challenger: (series,) money.
        incumbent: (series,) money, the same series.
        config: Confidence and number of resamples.
        segments: (series,) name of each series' segment, or masks of series by name.
        drawn: (series,) series of one number are drawn together, since one source supplies them;
            each by itself by default.
        seed: Of the resamples.
    """
    tail = (1 - config.confidence) / 2

    def compared(rows: BoolArray | slice, tail: float) -> CostComparison:
        costs = [cost[rows] for cost in (challenger, incumbent)]
        if drawn is not None:
            costs = [_by_draw(cost, drawn[rows]) for cost in costs]
        return _compare(costs[0], costs[1], config.num_bootstrap, tail, seed)

    whole = compared(slice(None), tail)
    if segments is None:
        return whole
    masks = segments
    if not isinstance(masks, Mapping):
        masks = {str(name): segments == name for name in sorted(set(segments))}
    # Of many segments some look bad by chance: their intervals are wider, together they hold.
    tail /= max(1, len(masks))
    parts = {name: compared(mask, tail) for name, mask in masks.items()}
    return CostComparison(
        whole.challenger,
        whole.incumbent,
        whole.change,
        low=whole.low,
        high=whole.high,
        segments=parts,
    )


def _by_draw(cost: FloatArray, drawn: IntArray) -> FloatArray:
    """Return the cost of all series that are drawn together, in order of their numbers."""
    number = np.unique(drawn, return_inverse=True)[1]
    return np.asarray(np.bincount(number, cost), np.float64)


def _compare(
    challenger: FloatArray, incumbent: FloatArray, num_bootstrap: int, tail: float, seed: int
) -> CostComparison:
    rng = np.random.default_rng(seed)
    num = len(challenger)
    totals = np.empty((num_bootstrap, 2))
    for number in range(num_bootstrap):
        # Counts of a resample: a multinomial, as many draws as series.
        weights = np.bincount(rng.integers(0, num, num), minlength=num)
        totals[number] = weights @ challenger, weights @ incumbent
    low, high = np.quantile(_change(totals[:, 0], totals[:, 1]), [tail, 1 - tail])
    total_challenger, total_incumbent = float(challenger.sum()), float(incumbent.sum())
    change = float(_change(challenger.sum()[None], incumbent.sum()[None])[0])
    return CostComparison(total_challenger, total_incumbent, change, float(low), float(high))


def _change(challenger: FloatArray, incumbent: FloatArray) -> FloatArray:
    """Return the share by which costs differ: of no cost at all, 0 to none and 1 to any."""
    free = incumbent == 0
    found: FloatArray = challenger / np.where(free, 1.0, incumbent) - 1
    return np.where(free, np.sign(challenger), found)


def _told(share: float) -> str:
    """Return a change of cost as the beginning of a sentence."""
    if not share:
        return "order cost is the same"
    if share != share:
        return "order cost is not known"
    return f"order cost is {abs(share):.1%} {'lower' if share < 0 else 'higher'}"


def _margin(cost: CostComparison, config: GateConfig) -> str:
    """Return what let a challenger pass that may cost more, "" where it clearly costs less."""
    if cost.high < 0:
        return ""
    end = "lower" if config.benefit_of_doubt else "upper"
    return f", whose {end} end is below gate.max_cost_increase={config.max_cost_increase:g}"


def _check(
    name: str,
    value: float | None,
    limit: float | None,
    rule: str,
    *,
    strict: bool = False,
    key: str = "",
) -> Check:
    if value is None or limit is None:
        return Check(name, value, limit, passed=False, rule=rule, key=key)
    # NaN compares false: a value that is not a number fails.
    passed = value < limit if strict else value <= limit
    return Check(name, float(value), float(limit), passed=bool(passed), rule=rule, key=key)


def _none(name: str, found: Sequence[str], rule: str) -> Check:
    named = f"{rule} ({', '.join(found)})" if found else rule
    return _check(name, len(found), 0, named)


def _finite(metrics: Mapping[str, float]) -> tuple[float, float]:
    return float(sum(not np.isfinite(v) for v in metrics.values())), 0.0


def _ratio(value: float | None, base: float | None) -> float | None:
    if value is None or not base:
        return None
    return value / base


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.3g}"
