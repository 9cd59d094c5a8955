"""What follows from the frequency of the data alone: sizes in periods that fit days, weeks, months.

A configuration that leaves such a key out gets the one of its frequency; what it says stands.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from invopt.timeline import frequency_unit

# Share of a unit's cost that holding it for a day costs, where a configuration says nothing.
_HOLDING_PER_DAY = 0.002


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of one frequency, in periods.

    Attributes:
        horizon: Forecast, and judged by the gate.
        review: Between orders.
        lead_time: Of an order.
        patch: Per encoder step.
        context: Encoder steps.
        windows: Of the moving averages, longest choice first: as many as the history holds.
        plain: Periods of the plain feature table.
        days: Days of one period.
    """

    horizon: int
    review: int
    lead_time: int
    patch: int
    context: int
    windows: tuple[tuple[int, ...], ...]
    plain: int
    days: float

    @property
    def review_days(self) -> float:
        """Days from one order to the next."""
        return self.review * self.days

    @property
    def holding_rate(self) -> float:
        """Share of a unit's cost that holding it for a period costs."""
        return round(_HOLDING_PER_DAY * self.days, 4)


SIZES = {
    "D": Sizes(
        horizon=28,
        review=7,
        lead_time=7,
        patch=7,
        context=20,
        windows=((7, 28, 56), (7, 14, 28), (7, 14)),
        plain=84,
        days=1.0,
    ),
    "W": Sizes(
        horizon=8,
        review=1,
        lead_time=2,
        patch=1,
        context=40,
        windows=((4, 13, 26), (4, 8, 13), (2, 4)),
        plain=52,
        days=7.0,
    ),
    "2W": Sizes(
        horizon=6,
        review=1,
        lead_time=1,
        patch=1,
        context=26,
        windows=((2, 6, 13), (2, 4, 6), (1, 2)),
        plain=26,
        days=14.0,
    ),
    "MS": Sizes(
        horizon=3,
        review=1,
        lead_time=1,
        patch=1,
        context=18,
        windows=((3, 6, 12), (2, 3, 6), (1, 2)),
        plain=24,
        days=30.0,
    ),
    "QS": Sizes(
        horizon=2,
        review=1,
        lead_time=1,
        patch=1,
        context=8,
        windows=((2, 4, 8), (1, 2, 4), (1, 2)),
        plain=8,
        days=91.0,
    ),
}


def sizes_of(frequency: str) -> Sizes:
    """Return the sizes of a frequency."""
    return SIZES[frequency_unit(frequency)]


def offset_weights(windows: tuple[int, ...]) -> list[float]:
    """Return weights of a level's windows: the shortest says too little of the level."""
    if len(windows) == 1:
        return [1.0]
    return [0.0, *[round(1 / (len(windows) - 1), 3)] * (len(windows) - 1)]


_LIVED = 3  # orders of each product that the gate's periods are to see from arrival to end


def by_review(sizes: Sizes, horizon: int, lead_time: int, review: int) -> dict[str, dict[str, Any]]:
    """Return the sections that follow from how far is forecast and how often is ordered.

    Args:
        sizes: Of the frequency.
        horizon: Periods forecast.
        lead_time: Periods from order to arrival.
        review: Periods from order to order.
    """
    return {
        "evaluation": {
            "gate_periods": max(horizon, lead_time + _LIVED * review),
            "selection_periods": horizon,
            "step_size": review,
        },
        "inventory": {
            "lead_time": lead_time,
            "review_period": review,
            "holding_rate": sizes.holding_rate,
        },
        "monitoring": {"period": review},
        "governor": {"min_new_periods": review},
    }


def with_defaults(content: Mapping[str, Any], frequency: str) -> dict[str, Any]:
    """Return a configuration's content with the sizes that it leaves out.

    Days keep the configuration's own defaults. A lead time and a review period that are given
    raise the horizon that is not, and the other way round.

    Args:
        content: Sections as read from a file.
        frequency: Of the data.
    """
    filled = deepcopy(dict(content))
    if frequency_unit(frequency) == "D":
        return filled
    sizes = sizes_of(frequency)
    given = {name: _section(filled, name) for name in ("features", "inventory")}
    review = _whole(given["inventory"].get("review_period"), sizes.review)
    lead_time = _whole(given["inventory"].get("lead_time"), sizes.lead_time)
    horizon = _whole(given["features"].get("horizon"), 0)
    if horizon < 1:
        horizon = max(sizes.horizon, lead_time + review)
    elif "lead_time" not in given["inventory"]:
        lead_time = max(0, min(lead_time, horizon - review))
    features: dict[str, Any] = {
        "horizon": horizon,
        "patch": sizes.patch,
        "context_steps": sizes.context,
        "daily_periods": sizes.plain,
    }
    if not {"windows", "offset_weights"} & set(given["features"]):
        features |= {
            "windows": list(sizes.windows[0]),
            "offset_weights": offset_weights(sizes.windows[0]),
        }
    defaults: dict[str, dict[str, Any]] = {
        "features": features,
        **by_review(sizes, horizon, lead_time, review),
    }
    for name, values in defaults.items():
        if filled.get(name) is None or isinstance(filled[name], dict):
            filled[name] = values | _section(filled, name)
    return filled


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a section as far as it is one; what else is wrong with it is told where it is read."""
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
