"""Model inputs gathered from an encoded panel; the same code in numpy and in torch.

A window is (row, end): series `row` as it was known after period `end`. Every input of a window
depends on the lookback periods up to `end` and on what is known ahead, on nothing else.

Shapes: B windows, S encoder steps, O origins (ends of some of the steps), H horizon, P patch,
F step features, K planned features, W periods of the longest average.
"""

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from invopt.features.encoded import EncodedPanel
from invopt.features.spec import FeatureSpec, aggregate_names

# Added to an average before its logarithm, in units: a series that sold nothing still has a level.
LEVEL_FLOOR = 0.05


@dataclass(frozen=True)
class FeatureNames:
    """Names of the last axis of each input, in order."""

    step: tuple[str, ...]
    planned: tuple[str, ...]
    calendar: tuple[str, ...]
    static_ids: tuple[str, ...]
    static_values: tuple[str, ...]


def feature_names(spec: FeatureSpec) -> FeatureNames:
    """Return the names of every input of the model."""
    config = spec.config
    step = [f"sales_lag_{config.patch - 1 - p}" for p in range(config.patch)]
    step += ["observed_share", *(f"mean_sales_{w}" for w in config.windows)]
    step += ["periods_since_sale", "periods_since_launch"]
    if spec.has_price:
        step += ["price", "price_to_own_mean", "price_to_category"]
    step += [c.name for c in spec.past]
    step += [c.name for c in spec.shared_past]
    for name in aggregate_names(config):
        step += [f"{name}_trend_short", f"{name}_trend_long"]
    step += [c.name for c in spec.planned]
    ahead = spec.has_price and spec.price_ahead
    planned = ["price_change", "planned_price_to_category"] if ahead else []
    planned += [c.name for c in spec.planned]
    return FeatureNames(
        tuple(step),
        tuple(planned),
        tuple(spec.calendar_columns),
        tuple(spec.categories),
        tuple(s.name for s in spec.static_numbers),
    )


def step_ends(spec: FeatureSpec, ends: Any) -> Any:
    """Return (B, S): the last period of each encoder step of windows that end at `ends`."""
    xp = array_namespace(ends)
    config = spec.config
    back = xp.arange(config.context_steps - 1, -1, -1, dtype=ends.dtype) * config.patch
    return ends[:, None] - _like(back, ends)[None, :]


def step_features(spec: FeatureSpec, panel: EncodedPanel, rows: Any, ends: Any) -> Any:
    """Return (B, S, F) float32: what the encoder sees, columns as in feature_names().step.

    Args:
        spec: Of the panel.
        panel: Encoded; windows may reach before its first period, which reads as before launch.
        rows: (B,) int64 series.
        ends: (B,) int64 last known period.
    """
    xp = array_namespace(ends)
    at = step_ends(spec, ends)
    columns = [*_sales_columns(spec, panel, rows, ends)]
    if spec.has_price:
        columns += _price_columns(spec, panel, rows, at)
    wide = [_patch_mean(spec, panel.past, rows, at)] if spec.past else []
    for values, index in zip(panel.shared_past, panel.shared_rows, strict=True):
        wide.append(_patch_mean(spec, values[:, None, :], index[rows], at))
    for values, index in zip(panel.trends, panel.trend_rows, strict=True):
        wide.append(_take(values, index[rows], at))
    if spec.planned:
        wide.append(_patch_mean(spec, panel.planned, rows, at))
    stacked = xp.stack([xp.astype(c, xp.float32) for c in columns], axis=2)
    return xp.concat([stacked, *(xp.astype(w, xp.float32) for w in wide)], axis=2)


def log_offset(spec: FeatureSpec, steps: Any) -> Any:
    """Return (..., ) log of the level a forecast starts from, from step features (..., F).

    The level is the weighted mean of the moving averages of observed sales, in units, plus
    LEVEL_FLOOR: measured on M5, the largest single gain of the recipe.
    """
    xp = array_namespace(steps)
    first = spec.config.patch + 1
    level = LEVEL_FLOOR
    for number, weight in enumerate(spec.config.offset_weights):
        if weight:
            level = level + weight * (xp.exp(steps[..., first + number]) - 1)
    return xp.log(level)


def planned_features(spec: FeatureSpec, panel: EncodedPanel, rows: Any, origins: Any) -> Any:
    """Return (B, O, H, K) float32: what is known ahead by series, columns as in `planned`.

    Args:
        spec: Of the panel.
        panel: Encoded.
        rows: (B,) int64 series.
        origins: (B, O) int64 last known period of each forecast.
    """
    xp = array_namespace(origins)
    ahead = _horizon(spec, origins)
    columns = []
    if spec.has_price and spec.price_ahead:
        price = _price_at(panel, rows, ahead)
        now = _price_at(panel, rows, origins)[:, :, None]
        columns += [_or_zero(price - now), _category_gap(panel, rows, ahead, price)]
    shape = (*ahead.shape, 0)
    found = xp.zeros(shape, dtype=xp.float32)
    if columns:
        found = xp.stack([xp.astype(c, xp.float32) for c in columns], axis=3)
    found = _like(found, origins)
    if spec.planned:
        clipped = _clip(ahead, 0, panel.planned.shape[2] - 1)
        # (B, 1, 1) rows against (B, O, H) periods picks (B, O, H, K).
        picked = panel.planned[rows[:, None, None], :, clipped]
        found = xp.concat([found, xp.astype(picked, xp.float32)], axis=3)
    return found


def calendar_index(spec: FeatureSpec, origins: Any, num_periods: int) -> Any:
    """Return (B, O, H) int64: the calendar's period of every forecast period.

    The calendar is shared by many series, so the model looks it up by (row, period) after its
    own projection instead of receiving it gathered.

    Args:
        spec: Of the panel.
        origins: (B, O) last known periods.
        num_periods: Periods of the calendar.
    """
    return _clip(_horizon(spec, origins), 0, num_periods - 1)


def targets(
    spec: FeatureSpec, panel: EncodedPanel, rows: Any, origins: Any, stop: int
) -> tuple[Any, Any]:
    """Return sales in units and whether they are demand, both (B, O, H).

    Periods before the panel and from `stop` on are not observed.
    """
    xp = array_namespace(origins)
    ahead = _horizon(spec, origins)
    inside = (ahead >= 0) & (ahead < stop)
    code = panel.y[rows[:, None, None], _clip(ahead, 0, panel.num_periods - 1)]
    value, observed = _decode(xp.astype(code, xp.float32))
    return value, observed & inside


def _sales_columns(spec: FeatureSpec, panel: EncodedPanel, rows: Any, ends: Any) -> list[Any]:
    """Return the (B, S) columns that come from sales alone.

    Sums are kept in double precision: a running sum over a window of large sales would lose
    the small differences in single.
    """
    xp = array_namespace(ends)
    config = spec.config
    longest, length = max(config.windows), config.lookback
    back = _like(xp.arange(length - 1, -1, -1, dtype=ends.dtype), ends)
    periods = ends[:, None] - back[None, :]
    code = panel.y[rows[:, None], _clip(periods, 0, panel.num_periods - 1)]
    value, observed = _decode(xp.astype(code, xp.float64))
    on_sale = (periods >= 0) & (periods >= panel.launch[rows][:, None])
    observed = observed & (periods >= 0)
    value = xp.where(on_sale, value, xp.zeros_like(value))
    sums = _running_sum(xp.where(observed, value, xp.zeros_like(value)))
    numbers = _running_sum(xp.astype(observed, xp.float64))
    at = _like(xp.arange(longest + config.patch - 1, length, config.patch, dtype=ends.dtype), ends)
    patch = xp.reshape(value[:, longest:], (value.shape[0], config.context_steps, config.patch))
    columns = [xp.log1p(patch[:, :, p]) for p in range(config.patch)]
    seen = _difference(numbers, at, config.patch)
    columns.append(seen / config.patch)
    columns += _averages(config.windows, sums, numbers, at, panel.launch_level[rows])
    position = _like(xp.arange(1, length + 1, dtype=ends.dtype), ends)
    last = _running_max(xp.where(value > 0, position[None, :], xp.zeros_like(periods)))
    since = _clip(at[None, :] + 1 - last[:, at], 0, longest)
    columns.append(xp.log1p(xp.astype(since, xp.float64)))
    age = _clip(periods[:, at] - panel.launch[rows][:, None], 0, longest)
    columns.append(xp.log1p(xp.astype(age, xp.float64)))
    return columns


def _averages(windows: Any, sums: Any, numbers: Any, at: Any, launch_level: Any) -> list[Any]:
    """Return (B, S) log1p of mean observed sales per window, in the order of windows.

    Where a window saw nothing, the next longer one speaks; where none did, the launch level:
    a product that is out of stock or not yet on sale has a level all the same.
    """
    xp = array_namespace(sums)
    mean = xp.astype(launch_level, xp.float64)[:, None]
    means = {}
    for window in sorted(windows, reverse=True):
        number = _difference(numbers, at, window)
        seen = _difference(sums, at, window) / _clip(number, 1, None)
        mean = means[window] = xp.where(number > 0, seen, mean)
    return [xp.log1p(means[window]) for window in windows]


def _price_columns(spec: FeatureSpec, panel: EncodedPanel, rows: Any, at: Any) -> list[Any]:
    """Return (B, S): standardised log price, over its own mean, over its category's mean.

    Its own mean is over the prices at the step ends of the longest average before each step.
    """
    xp = array_namespace(at)
    config = spec.config
    num = max(1, max(config.windows) // config.patch)
    earlier = _like(xp.arange(num - 1, 0, -1, dtype=at.dtype), at) * config.patch
    longer = xp.concat([at[:, :1] - earlier[None, :], at], axis=1)
    price = _price_at(panel, rows, longer)
    position = _like(xp.arange(num - 1, longer.shape[1], dtype=at.dtype), at)
    total = _difference(_running_sum(_or_zero(price)), position, num)
    number = _difference(_running_sum(_is_number(price)), position, num)
    price = price[:, num - 1 :]
    level = (price - spec.price_mean) / spec.price_scale
    own = price - total / _clip(number, 1, None)
    return [_or_zero(level), _or_zero(own), _category_gap(panel, rows, at, price)]


def _price_at(panel: EncodedPanel, rows: Any, periods: Any) -> Any:
    """Return log price at (B, ...) periods, NaN where none is known."""
    xp = array_namespace(periods)
    last = panel.log_price.shape[1] - 1
    index = xp.reshape(rows, (rows.shape[0],) + (1,) * (periods.ndim - 1))
    price = xp.astype(panel.log_price[index, _clip(periods, 0, last)], xp.float32)
    return xp.where(periods >= 0, price, xp.full_like(price, xp.nan))


def _category_gap(panel: EncodedPanel, rows: Any, periods: Any, price: Any) -> Any:
    xp = array_namespace(periods)
    if not panel.category_price.shape[1]:
        return xp.zeros_like(price)
    index = panel.category_rows[rows]
    index = xp.reshape(index, (rows.shape[0],) + (1,) * (periods.ndim - 1))
    last = panel.category_price.shape[1] - 1
    return _or_zero(price - panel.category_price[index, _clip(periods, 0, last)])


def _patch_mean(spec: FeatureSpec, values: Any, rows: Any, at: Any) -> Any:
    """Return (B, S, C): means over each step's patch of (N, C, T) values; 0 for row -1."""
    xp = array_namespace(at)
    # One gather of every patch: a gather per day costs a request milliseconds.
    periods = at[:, :, None] - _like(xp.arange(spec.config.patch, dtype=at.dtype), at)
    row = rows[:, None, None]
    picked = values[_clip(row, 0, None), :, _clip(periods, 0, values.shape[2] - 1)]
    picked = xp.astype(picked, xp.float32)
    known = ((periods >= 0) & (row >= 0))[:, :, :, None]
    picked = xp.where(known, picked, xp.zeros_like(picked))
    total = picked[:, :, 0]
    for day in range(1, spec.config.patch):  # in this order in both libraries, to the last bit
        total = total + picked[:, :, day]
    return total / spec.config.patch


def _take(values: Any, rows: Any, at: Any) -> Any:
    """Return (B, S, C) of (N, C, T) values at (B, S) periods; 0 before the start, for row -1."""
    xp = array_namespace(at)
    picked = values[_clip(rows, 0, None)[:, None], :, _clip(at, 0, values.shape[2] - 1)]
    known = ((at >= 0) & (rows >= 0)[:, None])[:, :, None]
    return xp.where(known, picked, xp.zeros_like(picked))


def _horizon(spec: FeatureSpec, origins: Any) -> Any:
    xp = array_namespace(origins)
    ahead = xp.arange(1, spec.config.horizon + 1, dtype=origins.dtype)
    return origins[:, :, None] + _like(ahead, origins)[None, None, :]


def _decode(code: Any) -> tuple[Any, Any]:
    xp = array_namespace(code)
    observed = code >= 0
    return xp.where(observed, code, -code - 1), observed


def _running_sum(values: Any) -> Any:
    """Return sums with a leading zero, so that sums[e + 1] - sums[e + 1 - w] is a window's."""
    xp = array_namespace(values)
    return xp.cumulative_sum(values, axis=1, include_initial=True)


def _running_max(values: Any) -> Any:
    # The array API has no running maximum; both libraries do, under names of their own.
    if hasattr(values, "cummax"):
        return values.cummax(dim=1).values
    xp = array_namespace(values)
    return xp.maximum.accumulate(values, axis=1)


def _difference(sums: Any, at: Any, window: int) -> Any:
    return sums[:, at + 1] - sums[:, at + 1 - window]


def _clip(values: Any, low: int | None, high: int | None) -> Any:
    # The method is in both libraries and costs a tenth of the namespace's function.
    return values.clip(low, high)


def _or_zero(values: Any) -> Any:
    xp = array_namespace(values)
    return xp.where(xp.isnan(values), xp.zeros_like(values), values)


def _is_number(values: Any) -> Any:
    xp = array_namespace(values)
    return xp.astype(~xp.isnan(values), xp.float32)


def _like(values: Any, other: Any) -> Any:
    """Return values on the device of other; numpy arrays have none to go to."""
    return values.to(other.device) if hasattr(values, "to") and hasattr(other, "cuda") else values
