"""Scales and categories, learned on the training range only."""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import EXCEPT, FeaturesConfig
from invopt.contracts import TERM_NUMBERS, TERM_TEXTS
from invopt.errors import ConfigError
from invopt.features.spec import (
    PRICE,
    SPEC_VERSION,
    ChannelScale,
    FeatureSpec,
    log_price_of,
    matches,
)
from invopt.panel import SERIES_LEVEL, Channel, Panel

# A known channel of at most this many groups joins the shared calendar; others go by series.
MAX_CALENDAR_GROUPS = 32
MAX_CATEGORIES = 100_000
_FIT_ROWS = 200_000  # values a scaler looks at per channel
_FIT_SERIES = 8_000  # rows they come from
_SLACK = 0.1  # of the range that training saw, by which later values may exceed it


def learn_spec(seen: Panel, config: FeaturesConfig, series: pd.DataFrame) -> FeatureSpec:
    """Return what a panel teaches, all but the level of launches.

    Args:
        seen: The training range, with derived channels and nothing later.
        config: Of the features.
        series: Attributes of all series, of which the panel may hold a sample.

    Raises:
        ConfigError: If a configured column or channel does not exist.
    """
    _check_patterns(seen, config)
    texts, numbers = _static_columns(series, config.static)
    chosen = {n: c for n, c in seen.channels.items() if matches(n, config.channels)}
    parts, (is_count, unit) = _parted(chosen), _unit(seen)
    spec = FeatureSpec(
        version=SPEC_VERSION,
        config=config,
        freq=seen.timeline.freq,
        trained_until=f"{seen.timeline.last:%Y-%m-%d}",
        is_count=is_count,
        unit=unit,
        categories={name: _categories(series[name]) for name in texts},
        static_numbers=tuple(_static_scale(series, name) for name in numbers),
        past=_scales(parts["past"], seen.num_periods),
        shared_past=_scales(parts["shared_past"], seen.num_periods),
        planned=_scales(parts["planned"], seen.num_periods),
        calendar=_scales(parts["calendar"], seen.num_periods),
        has_price=False,
        silent=tuple(name for name, channel in chosen.items() if channel.is_silent),
    )
    price = chosen.get(PRICE)
    if price is None or price.level != SERIES_LEVEL:
        return replace(spec, price_ahead=False)
    logs = log_price_of(price.values[:: max(1, len(price.values) // _FIT_SERIES)])
    scale = _scale_of(PRICE, SERIES_LEVEL, logs)
    spec = replace(spec, price_mean=scale.mean, price_scale=scale.scale)
    return replace(spec, has_price=True, price_ahead=price.known)


def _parted(chosen: dict[str, Channel]) -> dict[str, list[Channel]]:
    """Return channels by the part they have in a spec; prices and derived ones have their own."""
    own = [c for n, c in chosen.items() if c.level == SERIES_LEVEL and n != PRICE]
    shared = [c for c in chosen.values() if c.level != SERIES_LEVEL and c.domain != "derived"]
    calendar = [c for c in shared if c.known and len(c.groups) <= MAX_CALENDAR_GROUPS]
    by_series = [c for c in shared if c.known and len(c.groups) > MAX_CALENDAR_GROUPS]
    return {
        "past": [c for c in own if not c.known],
        "shared_past": [c for c in shared if not c.known],
        "planned": [c for c in own if c.known] + by_series,
        "calendar": calendar,
    }


def _check_patterns(panel: Panel, config: FeaturesConfig) -> None:
    for place, patterns, names in (
        ("features.static", config.static, list(panel.series.columns)),
        ("features.channels", config.channels, list(panel.channels)),
        ("features.event_channels", config.event_channels, list(panel.channels)),
    ):
        for pattern in patterns:
            if pattern != "*" and not fnmatch.filter(names, pattern.removeprefix(EXCEPT)):
                raise ConfigError(
                    f"{place}: nothing matches {pattern!r}; there are {', '.join(names[:20])}."
                )


def _static_columns(series: pd.DataFrame, patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    texts, numbers = [], []
    for name in series.columns:
        if name == SERIES_LEVEL or not matches(name, patterns):
            continue
        if name in (*TERM_NUMBERS, *TERM_TEXTS) and name not in patterns:
            continue
        if pd.api.types.is_numeric_dtype(series[name]):
            if series[name].nunique() > 1:
                numbers.append(name)
        elif series[name].nunique() > 1:
            texts.append(name)
    return texts, numbers


def _categories(column: pd.Series) -> tuple[str, ...]:
    values = sorted(column.astype(str).unique())
    if len(values) > MAX_CATEGORIES:
        raise ConfigError(
            f"features.static: {column.name} has {len(values)} values, at most {MAX_CATEGORIES}."
        )
    return tuple(values)


def _static_scale(series: pd.DataFrame, name: str) -> ChannelScale:
    return _scale_of(name, SERIES_LEVEL, np.log1p(series[name].to_numpy(np.float64)))


def _scales(channels: Iterable[Channel], stop: int) -> tuple[ChannelScale, ...]:
    return tuple(
        _bounded(_scale_of(c.name, c.level, c.values), c.values[..., :stop]) for c in channels
    )


def _bounded(scale: ChannelScale, values: npt.NDArray[Any]) -> ChannelScale:
    """Return a scale with bounds `_SLACK` of their range beyond the values of the training range.

    A flag has none, unless training saw one side of it only: of a holiday or an offer that came for
    the first time later nothing was learned, and the weights it would meet are those drawn at the
    start.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return scale
    lowest, highest = float(known.min()), float(known.max())
    if (scale.mean, scale.scale) == (0.0, 1.0) and lowest != highest:
        return scale
    slack = _SLACK * (highest - lowest)
    return replace(scale, lowest=lowest - slack, highest=highest + slack)


def _scale_of(name: str, level: str, values: npt.NDArray[Any]) -> ChannelScale:
    if values.ndim > 1:  # whole rows first: a large panel is not to be copied for its mean
        values = values[:: max(1, len(values) // _FIT_SERIES)]
    flat = np.asarray(values).ravel()
    flat = flat[:: max(1, len(flat) // _FIT_ROWS)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    # A flag stays 0 or 1: in standard deviations a rare event reads 20, and two events that meet
    # for the first time would be forecast at a quarter of what sells.
    if np.isin(flat, (0.0, 1.0)).all():
        return ChannelScale(name, level, 0.0, 1.0)
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415  (two seconds)

    scaler = StandardScaler().fit(flat[:, None])
    return ChannelScale(name, level, float(scaler.mean_[0]), float(scaler.scale_[0]))


def _unit(panel: Panel) -> tuple[bool, float]:
    """Return whether sales are whole numbers, and the unit: 1, else the median positive sale."""
    if panel.is_count:
        return True, 1.0
    sample = np.asarray(panel.y).ravel()[:: max(1, panel.y.size // _FIT_ROWS)]
    positive = sample[sample > 0]
    return False, float(np.median(positive)) if len(positive) else 1.0
