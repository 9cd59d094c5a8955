"""A forecaster trained in a second, for replays that retrain hundreds of times.

Poisson regression per category of sales over their own moving average, on what the network sees
too: weekday, year, events, price, promotion. Spread is a gamma law whose dispersion is learned in
training, for one period and for sums. Like the network it starts from recent sales, so a shift of
level wears off by itself; seasons, elasticities and spread hold until it is trained again.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import gamma

from invopt.config import ModelConfig
from invopt.forecasts import ForecastArrays
from invopt.panel import SERIES_LEVEL, UNOBSERVED, Panel, group_names
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_FLOOR = 0.05
_ROWS = 400
_GRID = np.geomspace(1e-2, 1e5, 120)
_PHI = np.geomspace(0.01, 10, 60)
_SPANS = (1, 7, 14)
_LEADS = (0, 1, 2, 4, -1)  # days before and after an event on which it acts


@dataclass(kw_only=True)
class LogLinear:
    """See the module; fit returns self.

    Attributes:
        horizon: Periods forecast.
        config: Quantile levels.
        seed: Of the training sample.
        num_cutoffs: Of the training sample, spread over the history.
        windows: Days that the level a forecast starts from, and a slower one, are means of.
        yearly: True to learn seasons of the year.
        newest_share: Share of the training sample that ends in the newest weeks.
        newest_weeks: How many these are.
    """

    horizon: int
    config: ModelConfig
    seed: int = 0
    num_cutoffs: int = 52
    windows: tuple[int, int] = (28, 112)
    yearly: bool = True
    newest_share: float = 0.0
    newest_weeks: int = 1
    coefficients: dict[str, FloatArray] = field(default_factory=dict)
    intercepts: dict[str, float] = field(default_factory=dict)
    dispersion: dict[str, FloatArray] = field(default_factory=dict)

    def fit(self, panel: Panel, stop: int, history: int = 728) -> "LogLinear":
        """Learn from the targets of periods stop - history .. stop - 1."""
        rng = np.random.default_rng(self.seed)
        first = max(self.windows[1], stop - history)
        cutoffs = np.linspace(first, stop - self.horizon - 1, self.num_cutoffs).astype(np.int64)
        extra = round(self.num_cutoffs * self.newest_share / (1 - self.newest_share))
        back = np.linspace(0, 7 * (self.newest_weeks - 1), extra).astype(np.int64)
        cutoffs = np.append(cutoffs, cutoffs[-1] - back)
        cutoffs = np.maximum(cutoffs - rng.integers(0, 7, len(cutoffs)), self.windows[1])
        drawn = [self._draw(panel, int(cutoff), rng) for cutoff in cutoffs]
        names, x, offset, y = (np.concatenate(part) for part in zip(*drawn, strict=True))
        for name in sorted(set(names)):
            at = names == name
            self._learn(str(name), x[at], offset[at], y[at])
        return self

    def _draw(
        self, panel: Panel, cutoff: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.object_], FloatArray, FloatArray, FloatArray]:
        """Return category, features, log level and sales (NaN unseen) of some series' windows."""
        rows = rng.choice(panel.num_series, min(panel.num_series, _ROWS), replace=False)
        x, offset = self._features(panel, rows, cutoff)
        target = slice(cutoff + 1, cutoff + 1 + self.horizon)
        y = np.where(_seen(panel, rows, target), panel.y[rows, target], np.nan)
        return group_names(panel.series, "category")[rows], x, offset, y

    def _learn(self, name: str, x: FloatArray, offset: FloatArray, y: FloatArray) -> None:
        """Fit one category and the dispersion phi of var = mu + phi mu^2 over each span."""
        seen = np.isfinite(y)
        spread = np.repeat(offset[:, None], self.horizon, axis=1)[seen]
        beta = _poisson_regression(
            np.column_stack([np.ones(int(seen.sum())), x[seen]]), y[seen], spread
        )
        self.coefficients[name], self.intercepts[name] = beta[1:], float(beta[0])
        mean = np.exp(offset[:, None] + beta[0] + x @ beta[1:])
        found = []
        for span in _SPANS:
            m, total = mean[:, :span].sum(axis=1), y[:, :span].sum(axis=1)
            known = np.isfinite(total)
            over = float((np.square(total - m) - m)[known].sum())
            found.append(over / max(float(np.square(m)[known].sum()), 1e-9))
        self.dispersion[name] = np.maximum(found, 0.01)

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        mean = self._mean(panel, np.arange(panel.num_series), cutoff)
        categories = group_names(panel.series, "category")
        quantiles = np.empty((*mean.shape, len(self.config.quantile_levels)), np.float32)
        levels = np.empty((*mean.shape, len(self.config.level_quantiles)), np.float32)
        total = mean.cumsum(axis=1)
        for name, phi in self.dispersion.items():
            rows = np.flatnonzero(categories == name)
            if not len(rows):  # a panel may be part of what was learned from
                continue
            quantiles[rows] = _gamma(mean[rows], phi[0], self.config.quantile_levels)
            for step in range(self.horizon):
                at = float(np.interp(step + 1, _SPANS, phi))
                levels[rows, step] = _gamma(total[rows, step], at, self.config.level_quantiles)
        return ForecastArrays(
            mean.astype(np.float32), quantiles, np.maximum.accumulate(levels, axis=1),
            self.config.quantile_levels, self.config.level_quantiles, is_count=panel.is_count,
        )  # fmt: skip

    def _mean(self, panel: Panel, rows: IntArray, cutoff: int) -> FloatArray:
        x, offset = self._features(panel, rows, cutoff)
        categories = group_names(panel.series, "category")[rows]
        mean = np.empty((len(rows), self.horizon))
        for name, beta in self.coefficients.items():
            at = categories == name
            mean[at] = np.exp(offset[at][:, None] + self.intercepts[name] + x[at] @ beta)
        return mean

    def _features(self, panel: Panel, rows: IntArray, cutoff: int) -> tuple[FloatArray, FloatArray]:
        """Return (row, step, feature) and the log of each row's level.

        Every feature is the difference of a period from the mean of those the level was made of.
        """
        horizon, (short, long) = self.horizon, self.windows
        known = slice(cutoff + 1 - long, cutoff + 1)
        observed = _seen(panel, rows, known)
        y = np.where(observed, panel.y[rows, known], 0).astype(np.float64)
        recent = slice(long - short, None)
        level = y[:, recent].sum(1) / np.maximum(observed[:, recent].sum(1), 1) + _FLOOR
        slow = y.sum(1) / np.maximum(observed.sum(1), 1) + _FLOOR
        parts = [np.repeat(np.log(slow / level)[:, None, None], horizon, axis=1)]
        first, last = cutoff + 1 - short, cutoff + 1 + horizon
        calendar = _difference(_calendar(panel, first, last, yearly=self.yearly), horizon)
        parts.append(np.broadcast_to(calendar, (len(rows), *calendar.shape[1:])))
        for name, channel in panel.channels.items():
            if not channel.known or not (
                name.startswith(("event=", "promotion", "snap", "holiday")) or name == "price"
            ):
                continue
            at = (
                np.arange(panel.num_series)
                if channel.level == SERIES_LEVEL
                else panel.group_index(channel.level, channel.groups)
            )
            unique, back = np.unique(at[rows], return_inverse=True)
            for lead in _LEADS if name.startswith("event=") else (0,):
                values = _filled(channel, unique, first + lead, last + lead)
                if name == "price":
                    logs = np.log(np.where(values > 0, values, np.nan))
                    known = np.isfinite(logs)
                    centre = np.where(known, logs, 0).sum(1) / np.maximum(known.sum(1), 1)
                    values = np.where(known, logs - centre[:, None], 0)
                parts.append(_difference(values[:, :, None], horizon)[back])
        return np.concatenate(parts, axis=2), np.log(level)


def _seen(panel: Panel, rows: IntArray, periods: slice) -> BoolArray:
    return (np.asarray(panel.flags[rows, periods]) & UNOBSERVED) == 0


def _filled(channel: object, rows: IntArray, first: int, stop: int) -> FloatArray:
    values = channel.values[rows, first:stop].astype(np.float64)  # type: ignore[attr-defined]
    missing = stop - first - values.shape[1]
    if missing:
        last = values[:, -1:] if channel.fill == "forward" else np.zeros((len(rows), 1))  # type: ignore[attr-defined]
        values = np.concatenate([values, np.repeat(last, missing, axis=1)], axis=1)
    fill = np.nan if channel.name == "price" else 0.0  # type: ignore[attr-defined]
    return np.nan_to_num(values, nan=fill)


def _difference(values: FloatArray, horizon: int) -> FloatArray:
    return values[:, -horizon:] - values[:, :-horizon].mean(axis=1, keepdims=True)


def _calendar(panel: Panel, first: int, stop: int, *, yearly: bool) -> FloatArray:
    dates = panel.timeline.dates(first, stop)
    weekday = np.eye(7)[dates.weekday][:, :6]
    if not yearly:
        return weekday[None]
    angle = 2 * np.pi * dates.dayofyear.to_numpy() / 365.25
    waves = [f(k * angle) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    return np.concatenate([weekday, np.stack(waves, axis=1)], axis=1)[None]


def _poisson_regression(x: FloatArray, y: FloatArray, offset: FloatArray) -> FloatArray:
    """Return coefficients of log mean = offset + x beta by Newton steps, with a small ridge."""
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(max(y.sum(), 1e-9) / np.exp(offset).sum())
    ridge = (1e-3 * y.sum() + 1e-6) * np.eye(x.shape[1])  # a category may have sold nothing
    ridge[0, 0] = 1e-9
    for _ in range(6):
        mean = np.exp(np.clip(offset + x @ beta, -12, 12))
        hessian = (x * mean[:, None]).T @ x + ridge
        beta = beta + np.clip(np.linalg.solve(hessian, x.T @ (y - mean) - ridge @ beta), -1, 1)
    return beta


def _gamma(mean: FloatArray, phi: float, quantiles: tuple[float, ...]) -> Float32Array:
    """Return quantiles of a gamma law with variance mu + phi mu^2, by a table over mu."""
    flat = np.log(np.clip(mean, _GRID[0], _GRID[-1])).ravel()
    nearest = float(_PHI[np.abs(np.log(_PHI / phi)).argmin()])  # a table for each would be slow
    columns = [np.interp(flat, np.log(_GRID), table) for table in _tables(nearest, quantiles)]
    return np.stack(columns, axis=-1).reshape(*mean.shape, -1).astype(np.float32)


@functools.lru_cache(maxsize=4096)
def _tables(phi: float, quantiles: tuple[float, ...]) -> FloatArray:
    # Of the count plus a jitter on [-1/2, 1/2), as forecasts of counts are.
    mean, variance = _GRID + 0.5, _GRID + phi * _GRID**2 + 1 / 12
    scale = variance / mean
    return np.stack([gamma.ppf(q, mean / scale, scale=scale) - 0.5 for q in quantiles])
