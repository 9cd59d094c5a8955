"""What a retraining is expected to save, what earlier ones saved, and whether it pays.

Money of one monitoring period throughout. What a lasting change costs is known before the costs
are: the orders of today were sized for another demand, and the forecast's own quantiles say what
that comes to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import GovernorConfig
from invopt.inventory import expected_shortage_and_excess, levels_of
from invopt.inventory.decision import SummedForecast
from invopt.monitoring.performance import Scoring
from invopt.monitoring.retraining_decision import EXPIRED, PROMOTED, Brake, Retraining
from invopt.types import FloatArray

GAIN, MONEY = "gain", "money"
FOLLOWED = 4  # periods after a promotion whose mean says what it saved
_PRIOR = 2.0  # retrainings that kept what they promised, believed before any is known
_DEVIATIONS = 3.0  # that chance is believed to reach
_MOST = 2.0  # times its promise that one retraining may count


def avoidable_cost(
    forecast: SummedForecast,
    outcomes: pd.DataFrame,
    locations: npt.NDArray[np.str_],
    scoring: Scoring,
) -> float:
    """Return the money a period that orders cost above those of a model that knew the new level.

    The demand that a location showed over what was forecast for it is taken to last: every quantile
    of its series is scaled by that ratio. Ordering up to today's level under that demand, less
    the scaled cost of the plan (a cost in proportion to demand), is what knowing it would save.
    What chance explains is left out; a location without a period whose sales are demand is as the
    whole company.

    Args:
        forecast: Made at the start of the period.
        outcomes: What came of it, as series_outcomes returns it.
        locations: (series,) of each series.
        scoring: Costs and period; without terms there is no money, and 0 is returned.
    """
    terms = scoring.terms
    if terms is None:
        return 0.0
    found = levels_of(
        forecast.mean, forecast.smooth_levels, forecast.level_quantiles, terms,
        is_count=scoring.is_count,
    )  # fmt: skip
    ratio = _ratios(outcomes, locations)
    overage = terms.holding_cost * terms.review_period

    def money(quantiles: FloatArray) -> FloatArray:
        short, excess = expected_shortage_and_excess(
            quantiles, forecast.level_quantiles, found.order_up_to
        )
        cost: FloatArray = terms.stockout_cost * short + overage * excess
        return cost

    planned = money(np.asarray(found.over_protection))
    excess = money(found.over_protection * ratio[:, None]) - ratio * planned
    return per_period(np.maximum(np.nan_to_num(excess), 0), scoring)


def per_period(money: FloatArray, scoring: Scoring) -> float:
    """Return the sum over series of one review's money, for the reviews of a monitoring period."""
    if scoring.terms is None:
        return 0.0
    return float((money * scoring.period / np.maximum(scoring.terms.review_period, 1)).sum())


def _ratios(outcomes: pd.DataFrame, locations: npt.NDArray[np.str_]) -> FloatArray:
    """Return (series,) demand over forecast of the series' location, what chance explains left out.

    A location within three deviations of the company's ratio has that ratio, and a company within
    three deviations of its forecast is forecast right: a thousand small shops that sell as forecast
    are off by chance, and none of that can be saved.
    """
    observed = outcomes["observed"].to_numpy(np.float64)
    # Errors of normal periods: E|error| is deviation * sqrt(2 / pi).
    error = outcomes["expected_error"].to_numpy(np.float64)
    variance = np.pi / 2 * error**2 / np.maximum(observed, 1)
    columns = outcomes[["actual", "forecast"]].assign(variance=variance)[observed > 0]
    whole = _beyond_chance(columns.sum(), 1.0)
    places = columns.groupby(locations[observed > 0]).sum()
    ratios = pd.Series(
        [_beyond_chance(row, whole) for _, row in places.iterrows()], places.index, np.float64
    )
    found: FloatArray = pd.Series(locations).map(ratios).fillna(whole).to_numpy(np.float64)
    return found


def _beyond_chance(sums: pd.Series, usual: float) -> float:
    """Return demand over forecast; the usual ratio where the difference to it may be chance."""
    if not sums["forecast"] > 0:
        return usual
    ratio = float(sums["actual"] / sums["forecast"])
    deviation = float(sums["variance"]) ** 0.5 / float(sums["forecast"])
    return ratio if abs(ratio - usual) > _DEVIATIONS * deviation else usual


@dataclass(frozen=True)
class Payback:
    """What a retraining promises by the record of those before it.

    Attributes:
        saving: Money that it is expected to save; None where nothing says so.
        share: Of what earlier ones promised, the part that they kept.
        spent: Money that retrainings cost in the last 30 days, this one included.
    """

    saving: float | None
    share: float
    spent: float


def payback(
    avoidable: float | None, runs: Sequence[Retraining], month: int, config: GovernorConfig
) -> Payback:
    """Return what one more retraining promises.

    Args:
        avoidable: Money a period that learning all there is to learn would save; None where that
            is not known.
        runs: Earlier retrainings of the model.
        month: Of them, those of the last 30 days.
        config: Cost of one, and for how many periods its gain counts.
    """
    share = kept_share(runs)
    saving = None if avoidable is None else avoidable * share * config.gain_periods
    return Payback(saving, share, (month + 1) * config.retraining_cost)


def kept_share(runs: Sequence[Retraining]) -> float:
    """Return the part of their promised gain that earlier retrainings kept.

    The mean over those that promised something and of which it is known, each held to 0 and
    twice its promise; two that kept theirs are believed beforehand, so that one bad run does not
    end all retraining. A run that was not promoted kept nothing.

    Example:
        >>> kept_share([])
        1.0
    """
    known = [r for r in runs if r.promised and r.saved is not None and r.outcome != EXPIRED]
    kept = [float(np.clip((r.saved or 0.0) / (r.promised or 1.0), 0, _MOST)) for r in known]
    return (sum(kept) + _PRIOR) / (len(kept) + _PRIOR)


def saved(promised: float | None, outcome: str | None, later: Sequence[float]) -> float | None:
    """Return the money a period that a retraining saved, None while it is not known.

    Args:
        promised: What was avoidable when it was decided.
        outcome: How it ended, None while it runs.
        later: What was still avoidable in the periods that a later version was judged in, the first
            one first.
    """
    if promised is None or outcome is None:
        return None
    if outcome != PROMOTED:
        return 0.0
    followed = [each for each in later[:FOLLOWED] if np.isfinite(each)]
    return promised - float(np.mean(followed)) if followed else None


def money_brakes(found: Payback, config: GovernorConfig) -> list[Brake]:
    """Return the two conditions about money; neither blocks where a retraining costs nothing."""
    cost, most = config.retraining_cost, config.max_money_per_month
    little = found.saving is not None and found.saving < cost
    return [
        Brake(GAIN, f"money that it is expected to save in {config.gain_periods} periods, at the "
              f"{found.share:.0%} that earlier ones kept, has to cover its cost",
              "unknown" if found.saving is None else round(found.saving, 2), cost,
              blocks=cost > 0 and little),
        Brake(MONEY, "money for retrainings in 30 days, this one included", round(found.spent, 2),
              "none" if most is None else most, blocks=most is not None and found.spent > most),
    ]  # fmt: skip
