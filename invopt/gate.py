"""Whether a challenger replaces the champion: refusals first, then money on the same weeks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.config import GateConfig

PROMOTE = "promote"
KEEP = "keep"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One rule and how the challenger did.

    Attributes:
        name: Of the rule.
        value: What was found; None where it does not apply.
        limit: What it must not exceed (or what it must reach, as `rule` says).
        passed: True when the challenger obeys it.
        rule: In words.
    """

    name: str
    value: float | None
    limit: float | None
    passed: bool
    rule: str


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
        reasons: Why, one sentence each; the failed checks, or what was gained.
        checks: Every rule.
        cost: Of the decisions.
        incumbent: What the challenger was compared with.
    """

    decision: str
    reasons: list[str]
    checks: list[Check]
    cost: CostComparison
    incumbent: str

    def as_dict(self) -> dict[str, object]:
        """Return the verdict as plain data, to be written as JSON."""
        return asdict(self)


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
    """
    checks = [
        _check("finite", *_finite(metrics), "every metric is a number"),
        _none("leaks", leaks, "no feature may leak the future"),
        _none("data", suspect, "no check of the data may fail"),
        *_accuracy(metrics, baseline, coverage, config),
        *_costs(cost, config, incumbent),
    ]
    failed = [c for c in checks if not c.passed]
    reasons = [f"{c.rule}: {_shown(c.value)}, limit {_shown(c.limit)}" for c in failed]
    if not failed:
        reasons = [
            f"{_change(cost.change)} compared with {incumbent} ({config.confidence:.0%} interval "
            f"{cost.low:+.1%} to {cost.high:+.1%}); all checks passed"
        ]
    return Verdict(KEEP if failed else PROMOTE, reasons, checks, cost, incumbent)


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
    )
    yield _check(
        "bias",
        abs(metrics.get("bias", float("nan"))),
        config.max_bias,
        "absolute bias must not exceed the limit",
    )
    for percent, share in coverage.items():
        yield _check(
            f"coverage_{percent}",
            abs(share - float(percent) / 100),
            config.coverage_tolerance,
            f"coverage of the {percent}% interval is {share:.1%}; deviation must not exceed "
            "the limit",
        )


def _costs(cost: CostComparison, config: GateConfig, incumbent: str) -> Iterator[Check]:
    which, end = ("lower", cost.low) if config.benefit_of_doubt else ("upper", cost.high)
    yield _check(
        "cost_change",
        end,
        config.max_cost_increase,
        f"{which} end of the cost change compared with {incumbent} must be below the limit",
        strict=True,
    )
    for name, segment in cost.segments.items():
        yield _check(
            f"segment_cost[{name}]",
            segment.low,
            config.segment_cost_increase,
            f"no segment may cost clearly more; {name} changes by {segment.change:+.1%}",
        )


def compare_costs(
    challenger: FloatArray,
    incumbent: FloatArray,
    config: GateConfig,
    *,
    segments: npt.NDArray[np.object_] | None = None,
    seed: int = 0,
) -> CostComparison:
    """Return the paired comparison of two replays' costs by series.

    The interval is a bootstrap over series of the ratio of totals; series are drawn in blocks
    of resamples, so that a million series fit in memory.

    Args:
        challenger: (series,) money.
        incumbent: (series,) money, the same series.
        config: Confidence and number of resamples.
        segments: (series,) name of each series' segment.
        seed: Of the resamples.
    """
    whole = _compare(challenger, incumbent, config, seed)
    if segments is None:
        return whole
    parts = {
        str(name): _compare(challenger[segments == name], incumbent[segments == name], config, seed)
        for name in sorted(set(segments))
    }
    return CostComparison(
        whole.challenger, whole.incumbent, whole.change, whole.low, whole.high, parts
    )


def _compare(
    challenger: FloatArray, incumbent: FloatArray, config: GateConfig, seed: int
) -> CostComparison:
    rng = np.random.default_rng(seed)
    num = len(challenger)
    totals = np.empty((config.num_bootstrap, 2))
    for number in range(config.num_bootstrap):
        # Counts of a resample: a multinomial, as many draws as series.
        weights = np.bincount(rng.integers(0, num, num), minlength=num)
        totals[number] = weights @ challenger, weights @ incumbent
    with np.errstate(invalid="ignore", divide="ignore"):
        changes = totals[:, 0] / totals[:, 1] - 1
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(changes, [tail, 1 - tail])
    total_challenger, total_incumbent = float(challenger.sum()), float(incumbent.sum())
    change = total_challenger / total_incumbent - 1 if total_incumbent else float("nan")
    return CostComparison(total_challenger, total_incumbent, change, float(low), float(high))


def _change(share: float) -> str:
    """Return a change of cost as the beginning of a sentence."""
    if not share:
        return "order cost is the same"
    return f"order cost is {abs(share):.1%} {'lower' if share < 0 else 'higher'}"


def _check(
    name: str, value: float | None, limit: float | None, rule: str, *, strict: bool = False
) -> Check:
    if value is None or limit is None:
        return Check(name, value, limit, passed=False, rule=rule)
    # NaN compares false: a value that is not a number fails.
    passed = value < limit if strict else value <= limit
    return Check(name, float(value), float(limit), passed=bool(passed), rule=rule)


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
