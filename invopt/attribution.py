"""Why one answer is what it is, from the exported graph alone: Shapley values that add up.

Groups of inputs are the players, the expected sales over the horizon the payoff (Shapley, 1953;
sampled as by Castro, Gomez and Tejada, 2009, with every order also taken backwards). Each order
goes from the reference to the window at hand one group at a time, so its steps telescope to the
whole difference, and so does their mean. The reference is the average window of the training
data, of a series the model knows nothing about.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from invopt.errors import ContractError
from invopt.features import INPUT_NAMES, FeatureSpec, feature_names
from invopt.types import BoolArray, FloatArray, IntArray, ModelInputs

LEVEL = "recent level"
SALES = "recent sales"
PRICE = "price"
CALENDAR = "calendar"
NUM_EXPLAINED = 64  # series whose forecasts are explained
# Largest gap between a forecast and the sum of its parts, over the size of the difference.
TOLERANCE = 1e-3

_STEP, _STEP_CALENDAR, _PLANNED, _CALENDAR, _IDS, _VALUES, _OFFSET = range(len(INPUT_NAMES))


@dataclass(frozen=True)
class Attribution:
    """The parts of one forecast, in units over the horizon.

    Attributes:
        base: Forecast of the reference.
        forecast: Of the window.
        parts: By group, largest in size first.
    """

    base: float
    forecast: float
    parts: dict[str, float] = field(repr=False)

    @property
    def additivity_error(self) -> float:
        """Gap between the forecast and base plus parts, over the size of their difference."""
        gap = abs(self.base + sum(self.parts.values()) - self.forecast)
        return gap / max(1.0, abs(self.forecast - self.base))


def reference_inputs(inputs: ModelInputs) -> ModelInputs:
    """Return one window that stands for none: means of the numbers, unknown categories."""
    return tuple(
        a.mean(axis=0, keepdims=True, dtype=np.float64).astype(a.dtype)
        if np.issubdtype(a.dtype, np.floating)
        else np.zeros_like(a[:1])
        for a in inputs
    )


def save_reference(file: Path, inputs: ModelInputs) -> None:
    """Write the reference of some windows beside the model."""
    arrays = dict(zip(INPUT_NAMES, reference_inputs(inputs), strict=True))
    np.savez(file, **arrays)  # type: ignore[arg-type]


def load_reference(file: Path) -> ModelInputs:
    """Read a reference written by save_reference.

    Raises:
        ContractError: If there is none.
    """
    if not file.is_file():
        raise ContractError("Model", file.name, f"exist in {file.parent}")
    with np.load(file, allow_pickle=False) as arrays:
        return tuple(arrays[name] for name in INPUT_NAMES)


def attribute(
    total: Callable[[ModelInputs], FloatArray],
    window: ModelInputs,
    reference: ModelInputs,
    spec: FeatureSpec,
    *,
    num_orders: int = 16,
    seed: int = 0,
) -> Attribution:
    """Return what each group of inputs adds to one forecast.

    Args:
        total: Expected sales over the horizon of every window of a batch, units.
        window: Arrays of INPUT_NAMES for one window.
        reference: Likewise.
        spec: Of the model.
        num_orders: Orders of the groups that are averaged; even.
        seed: Of the orders: the same window gives the same parts.
    """
    groups = input_groups(spec)
    names = list(groups)
    orders = _orders(len(names), num_orders, seed)
    # Position of a group in an order; state k of an order has its first k groups switched.
    positions = np.argsort(orders, axis=1)
    states = positions[:, None, :] < np.arange(len(names) + 1)[None, :, None]
    flat = states.reshape(-1, len(names))
    payoff = total(_mixed(window, reference, groups, flat)).reshape(len(orders), -1)
    gains = np.diff(payoff, axis=1)
    values = np.take_along_axis(gains, positions, axis=1).mean(axis=0)
    ranked = np.argsort(-np.abs(values))
    return Attribution(
        float(payoff[0, 0]),
        float(payoff[0, -1]),
        {names[i]: float(values[i]) for i in ranked},
    )


def input_groups(spec: FeatureSpec) -> dict[str, list[tuple[int, int | None]]]:
    """Return the inputs of each group as (place in INPUT_NAMES, column; None for all)."""
    names = feature_names(spec)
    calendar = {c.name for c in spec.calendar}
    groups: dict[str, list[tuple[int, int | None]]] = {LEVEL: [(_OFFSET, None)]}
    for place, columns in (
        (_STEP, names.step),
        (_PLANNED, names.planned),
        (_STEP_CALENDAR, names.calendar),
        (_CALENDAR, names.calendar),
        (_IDS, names.static_ids),
        (_VALUES, names.static_values),
    ):
        is_calendar = place in (_STEP_CALENDAR, _CALENDAR)
        for number, column in enumerate(columns):
            event = column.rsplit("@", 1)[0] if is_calendar else column
            group = CALENDAR if is_calendar and event not in calendar else _family(event)
            groups.setdefault(group, []).append((place, number))
    return groups


def _family(column: str) -> str:
    if column.startswith(("sales_lag_", "mean_sales_", "observed_share", "periods_since_")):
        return SALES
    if column in ("price", "price_change") or column.startswith(("price_to_", "planned_price_")):
        return PRICE
    for suffix in ("_trend_short", "_trend_long"):
        column = column.removesuffix(suffix)
    return column


def _orders(num_groups: int, num_orders: int, seed: int) -> IntArray:
    rng = np.random.default_rng(seed)
    forward = [rng.permutation(num_groups) for _ in range(num_orders // 2)]
    return np.array([order for one in forward for order in (one, one[::-1])], np.int64)


def _mixed(
    window: ModelInputs,
    reference: ModelInputs,
    groups: dict[str, list[tuple[int, int | None]]],
    states: BoolArray,
) -> ModelInputs:
    """Return one window per state: a group's inputs from the window where its state is True."""
    mixed = [np.repeat(a, len(states), axis=0) for a in reference]
    for number, places in enumerate(groups.values()):
        chosen = states[:, number]
        for place, column in places:
            if column is None:
                mixed[place][chosen] = window[place]
            else:
                mixed[place][chosen, ..., column] = window[place][..., column]
    return tuple(mixed)
