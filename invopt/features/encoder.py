"""Panels turned into arrays, by what was learned on the training range only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.errors import ContractError
from invopt.features.calendar import calendar_features
from invopt.features.encoded import EncodedPanel
from invopt.features.first_level import LaunchModel, fit_launch_model
from invopt.features.learning import learn_spec
from invopt.features.spec import (
    CATEGORY_PRICE,
    PRICE,
    ChannelScale,
    FeatureSpec,
    aggregate_names,
    log_price_of,
    matches,
    standardise,
)
from invopt.panel import ALL_LEVEL, UNOBSERVED, Panel
from invopt.types import Float32Array, FloatArray, IntArray


class FeatureEncoder:
    """Turns panels into arrays with scales and categories fitted before `trained_until`.

    Args:
        spec: What was fitted.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec

    @classmethod
    def fit(
        cls,
        panel: Panel,
        config: FeaturesConfig,
        num_periods: int,
        series: pd.DataFrame | None = None,
    ) -> "FeatureEncoder":
        """Fit on the first num_periods of a panel; nothing later is looked at.

        Args:
            panel: With derived channels.
            config: Of the features.
            num_periods: Of the training range.
            series: Attributes of all series, when the panel holds a sample of them.

        Raises:
            ConfigError: If a configured column or channel does not exist.
        """
        seen = panel.truncate(num_periods, num_future=0)
        spec = learn_spec(seen, config, seen.series if series is None else series)
        launch = cls(spec)._launch_model(seen)
        return cls(replace(spec, launch=launch))

    def encode(self, panel: Panel) -> EncodedPanel:
        """Return a panel's arrays, known channels reaching a horizon past its end.

        Raises:
            ContractError: If a channel or column the model needs is missing.
        """
        spec = self.spec
        self._check(panel)
        stop = panel.num_periods + spec.config.horizon
        shared = [panel.channels[c.name] for c in spec.shared_past]
        known = panel.num_periods + spec.config.num_future
        calendar, calendar_rows = self._calendar(panel, known)
        calendar = calendar[:, :stop]
        category_price, category_rows = self._category_price(panel, stop)
        trends = [panel.channels[n] for n in aggregate_names(spec.config)]
        static_ids, static_values = (
            self._static_ids(panel.series),
            self._static_values(panel.series),
        )
        return EncodedPanel(
            num_periods=panel.num_periods,
            y=_signed(panel, spec.unit),
            launch=panel.launch().astype(np.int32),
            launch_level=spec.launch.levels(static_ids, static_values),
            past=_stack_own(panel, spec.past, panel.num_periods),
            shared_past=tuple(
                standardise(channel.until(panel.num_periods), scale)
                for channel, scale in zip(shared, spec.shared_past, strict=True)
            ),
            shared_rows=tuple(panel.group_index(c.level, c.groups) for c in shared),
            trends=tuple(_trend(c.until(panel.num_periods), spec.config.windows) for c in trends),
            trend_rows=tuple(panel.group_index(c.level, c.groups) for c in trends),
            log_price=self._log_price(panel, stop),
            category_price=category_price,
            category_rows=category_rows,
            planned=_stack_own(panel, spec.planned, stop),
            calendar=calendar,
            calendar_mean=_moving_mean(calendar, spec.config.patch),
            calendar_rows=calendar_rows,
            static_ids=static_ids,
            static_values=static_values,
        )

    def _launch_model(self, panel: Panel) -> LaunchModel:
        """Return the launch model of a panel's first sales on sale, as long as the longest mean."""
        periods = panel.launch()[:, None] + np.arange(max(self.spec.config.windows))
        inside = periods < panel.num_periods
        code = np.take_along_axis(
            _signed(panel, self.spec.unit), np.where(inside, periods, 0), axis=1
        )
        counts = inside & (code >= 0)
        number = counts.sum(1)
        total = np.where(counts, code, 0).sum(1, dtype=np.float64)
        levels = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return fit_launch_model(
            levels,
            self._static_ids(panel.series),
            self._static_values(panel.series),
            tuple(len(values) for values in self.spec.categories.values()),
        )

    def _check(self, panel: Panel) -> None:
        spec = self.spec
        needed = [*spec.past, *spec.shared_past, *spec.planned, *spec.calendar]
        names = [c.name for c in needed] + list(aggregate_names(spec.config))
        names += [PRICE] if spec.has_price else []
        missing = [n for n in names if n not in panel.channels]
        columns = [*spec.categories, *(c.name for c in spec.static_numbers)]
        missing += [c for c in columns if c not in panel.series]
        if missing:
            raise ContractError(
                "Panel", "channels", "hold what the model was trained with", examples=missing,
                count=len(missing), advice="Map them, or train a model without them.",
            )  # fmt: skip
        if panel.timeline.freq != spec.freq:
            raise ContractError("Panel", "freq", f"be {spec.freq}", examples=[panel.timeline.freq])

    def _calendar(self, panel: Panel, stop: int) -> tuple[Any, IntArray]:
        spec = self.spec
        levels = sorted({c.level for c in spec.calendar} - {ALL_LEVEL})
        if levels:
            combined = panel.series[levels].astype(str).agg("\x1f".join, axis=1)
            rows, names = pd.factorize(combined, sort=True)
        else:
            rows, names = np.zeros(panel.num_series, np.int64), pd.Index([""])
        dates = calendar_features(spec.config, panel.timeline, stop)
        columns = [np.repeat(dates[None], len(names), axis=0)]
        first = [int(np.flatnonzero(rows == r)[0]) for r in range(len(names))]
        spread = {}
        for scale in spec.calendar:
            channel = panel.channels[scale.name]
            at = panel.group_index(channel.level, channel.groups)[first]
            values = standardise(channel.until(stop), scale)[at]
            spread[scale.name] = values
            columns.append(values[:, :, None])
        for scale in spec.calendar:
            if matches(scale.name, spec.config.event_channels):
                shifts = [_shifted(spread[scale.name], k) for k in spec.config.event_leads]
                columns += [s[:, :, None] for s in shifts]
        return np.concatenate(columns, axis=2).astype(np.float32), rows.astype(np.int64)

    def _log_price(self, panel: Panel, stop: int) -> npt.NDArray[np.float16]:
        if not self.spec.has_price:
            return np.zeros((panel.num_series, 0), np.float16)
        return log_price_of(panel.channels[PRICE].until(stop)).astype(np.float16)

    def _category_price(self, panel: Panel, stop: int) -> tuple[Any, IntArray]:
        name = CATEGORY_PRICE
        if not self.spec.has_price or name not in panel.channels:
            return np.zeros((1, 0), np.float32), np.zeros(panel.num_series, np.int64)
        channel = panel.channels[name]
        return channel.until(stop), panel.group_index(channel.level, channel.groups)

    def _static_ids(self, series: pd.DataFrame) -> IntArray:
        names = list(self.spec.categories)
        if not names:
            return np.zeros((len(series), 0), np.int64)
        codes = [
            pd.Categorical(series[name].astype(str), categories=self.spec.categories[name]).codes
            for name in names
        ]
        return np.stack(codes, axis=1).astype(np.int64) + 1  # a value not known is code -1

    def _static_values(self, series: pd.DataFrame) -> Float32Array:
        columns = [
            standardise(np.log1p(series[s.name].to_numpy(np.float32)), s)
            for s in self.spec.static_numbers
        ]
        if not columns:
            return np.zeros((len(series), 0), np.float32)
        return np.stack(columns, axis=1)


def _stack_own(panel: Panel, scales: Sequence[ChannelScale], stop: int) -> npt.NDArray[np.float16]:
    stacked = np.zeros((panel.num_series, len(scales), stop), np.float16)
    for number, scale in enumerate(scales):
        channel = panel.channels[scale.name]
        values = standardise(channel.until(stop), scale)
        rows = panel.group_index(channel.level, channel.groups)
        stacked[:, number] = np.where((rows >= 0)[:, None], values[rows], 0)
    return stacked


def _signed(panel: Panel, unit: float) -> npt.NDArray[Any]:
    unobserved = (np.asarray(panel.flags) & UNOBSERVED) != 0
    y = panel.usual_sales()
    if unit == 1.0 and np.issubdtype(y.dtype, np.integer):
        return np.where(unobserved, -y - 1, y).astype(y.dtype)
    y = y.astype(np.float32) / np.float32(unit)
    return np.where(unobserved, -y - 1, y).astype(np.float32)


def _shifted(values: Float32Array, lead: int) -> Float32Array:
    """Return value[t + lead] at t, 0 beyond the ends."""
    shifted = np.zeros_like(values)
    if lead > 0:
        shifted[:, :-lead] = values[:, lead:]
    elif lead < 0:
        shifted[:, -lead:] = values[:, :lead]
    else:
        shifted[:] = values
    return shifted


def _trend(totals: Float32Array, windows: Sequence[int]) -> Float32Array:
    """Return (group, 2, period): log ratios of the short to the middle and middle to long mean."""
    totals = np.nan_to_num(totals)
    means = [
        _trailing_mean(totals, w) for w in (windows[0], windows[len(windows) // 2], windows[-1])
    ]
    small = 1e-6 + 0.01 * means[-1]
    logs = [np.log(m + small) for m in means]
    return np.stack([logs[0] - logs[1], logs[1] - logs[2]], axis=1).astype(np.float32)


def _moving_mean(calendar: Float32Array, window: int) -> Float32Array:
    periods = calendar.transpose(0, 2, 1).reshape(-1, calendar.shape[1])
    means = _trailing_mean(periods, window).reshape(calendar.shape[0], -1, calendar.shape[1])
    return np.ascontiguousarray(means.transpose(0, 2, 1), np.float32)


def _trailing_mean(values: Float32Array, window: int) -> FloatArray:
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    stop = np.arange(1, values.shape[1] + 1)
    first = np.maximum(stop - window, 0)
    result: FloatArray = (total[:, stop] - total[:, first]) / (stop - first)
    return result
