"""Scales and categories, learned on the training range only, and panels turned into arrays."""

import fnmatch
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.errors import ConfigError, ContractError
from invopt.features.calendar import calendar_features, calendar_names
from invopt.features.launch import LaunchModel, fit_launch_model
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, UNOBSERVED, Panel

SPEC_VERSION = 2
# A known channel of at most this many groups joins the shared calendar; others go by series.
MAX_CALENDAR_GROUPS = 32
MAX_CATEGORIES = 100_000
PRICE = "price"
_FIT_ROWS = 200_000  # values a scaler looks at per channel
_FIT_SERIES = 8_000  # rows they come from


@dataclass(frozen=True)
class ChannelScale:
    """How one channel is standardised: (value - mean) / scale, 0 where missing."""

    name: str
    level: str
    mean: float
    scale: float


@dataclass(frozen=True)
class FeatureSpec:
    """Everything needed to turn a panel into model inputs; plain data, saved as JSON.

    Attributes:
        version: Of this format.
        config: The features section it was fitted with.
        freq: Frequency of the panel.
        trained_until: Last period the fit saw.
        is_count: True when sales are whole numbers.
        unit: Units of y that the model counts as one (1 for whole-number sales).
        categories: Known values by static column; anything else is "unknown", index 0.
        static_numbers: Numeric columns of products with the mean and scale of log1p.
        past: Series channels seen up to the cutoff.
        shared_past: Group channels seen up to the cutoff.
        planned: Series channels known ahead (without price).
        calendar: Group channels known ahead, part of the calendar.
        has_price: True when the panel has prices by series.
        price_ahead: True when they are known ahead, False when they are known once charged.
        price_mean: Mean log price.
        price_scale: Standard deviation of log price.
        launch: Level of a series without history.
    """

    version: int
    config: FeaturesConfig
    freq: str
    trained_until: str
    is_count: bool
    unit: float
    categories: dict[str, tuple[str, ...]]
    static_numbers: tuple[ChannelScale, ...]
    past: tuple[ChannelScale, ...]
    shared_past: tuple[ChannelScale, ...]
    planned: tuple[ChannelScale, ...]
    calendar: tuple[ChannelScale, ...]
    has_price: bool
    price_ahead: bool = True
    price_mean: float = 0.0
    price_scale: float = 1.0
    launch: LaunchModel = field(default_factory=lambda: LaunchModel(0.0))

    @property
    def calendar_columns(self) -> list[str]:
        """Names of the columns of EncodedPanel.calendar."""
        names = calendar_names(self.config, self.freq)
        names += [c.name for c in self.calendar]
        for c in self.calendar:
            if _matches(c.name, self.config.event_channels):
                names += [f"{c.name}@{lead:+d}" for lead in self.config.event_leads]
        return names

    def save(self, path: Path) -> None:
        """Write the spec as JSON."""
        content = asdict(self) | {"config": self.config.model_dump(mode="json")}
        path.write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, path: Path) -> "FeatureSpec":
        """Read a spec written by save.

        Raises:
            ContractError: If it is of another version.
        """
        content = json.loads(path.read_text())
        if content["version"] != SPEC_VERSION:
            raise ContractError(
                "FeatureSpec", "version", f"be {SPEC_VERSION}", examples=[content["version"]]
            )
        scales = {
            name: tuple(ChannelScale(**c) for c in content[name])
            for name in ("static_numbers", "past", "shared_past", "planned", "calendar")
        }
        categories = {name: tuple(values) for name, values in content["categories"].items()}
        config = FeaturesConfig.model_validate(content["config"])
        launch = LaunchModel(
            content["launch"]["log_mean"],
            tuple(tuple(effects) for effects in content["launch"]["categories"]),
            tuple(content["launch"]["numbers"]),
        )
        found = {"config": config, "categories": categories, "launch": launch}
        return cls(**(content | scales | found))


@dataclass(frozen=True)
class EncodedPanel:
    """A panel as the arrays that features are gathered from; numpy or torch.

    Attributes:
        num_periods: Periods of y; channels that are known ahead reach further.
        y: (N, T) units over spec.unit; v >= 0 is demand, v < 0 codes a value -v - 1 that is not
            (censored, missing, before launch).
        launch: (N,) first period on sale.
        launch_level: (N,) units over spec.unit a period that a series without history sells.
        past: (N, C, T) standardised series channels.
        shared_past: (G, T) each, standardised group channels.
        shared_rows: (N,) each, row of a series in the group channel; -1 for none.
        trends: (G, 2, T) each, log ratios of short to long averages of a group's sales.
        trend_rows: (N,) each.
        log_price: (N, T') standardised log price, or an empty array without prices.
        category_price: (G, T') mean of log_price in the category.
        category_rows: (N,).
        planned: (N, C, T') standardised series channels known ahead.
        calendar: (R, T', K).
        calendar_mean: (R, T', K) mean of calendar over the patch that ends at each period.
        calendar_rows: (N,).
        static_ids: (N, S) category indices, 0 unknown.
        static_values: (N, F) standardised numbers.
    """

    num_periods: int
    y: Any = field(repr=False)
    launch: Any = field(repr=False)
    launch_level: Any = field(repr=False)
    past: Any = field(repr=False)
    shared_past: tuple[Any, ...] = field(repr=False)
    shared_rows: tuple[Any, ...] = field(repr=False)
    trends: tuple[Any, ...] = field(repr=False)
    trend_rows: tuple[Any, ...] = field(repr=False)
    log_price: Any = field(repr=False)
    category_price: Any = field(repr=False)
    category_rows: Any = field(repr=False)
    planned: Any = field(repr=False)
    calendar: Any = field(repr=False)
    calendar_mean: Any = field(repr=False)
    calendar_rows: Any = field(repr=False)
    static_ids: Any = field(repr=False)
    static_values: Any = field(repr=False)

    def map(self, convert: Any) -> "EncodedPanel":
        """Return the same panel with every array passed through convert."""
        arrays = {
            name: tuple(convert(a) for a in value) if isinstance(value, tuple) else convert(value)
            for name, value in vars(self).items()
            if name != "num_periods"
        }
        return EncodedPanel(num_periods=self.num_periods, **arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays().values())

    def save(self, folder: Path) -> None:
        """Write numpy arrays as files of a folder, to be mapped by other processes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array)
        (folder / "num_periods.json").write_text(json.dumps(self.num_periods))

    @classmethod
    def load(cls, folder: Path) -> "EncodedPanel":
        """Read a folder written by save; arrays stay on disk until touched."""
        several = ("shared_past", "shared_rows", "trends", "trend_rows")
        found: dict[str, Any] = dict.fromkeys(several, ())
        for file in sorted(folder.glob("*.npy")):
            name, _, number = file.stem.partition("-")
            array = np.load(file, mmap_mode="c")
            found[name] = (*found[name], array) if number else array
        num_periods = json.loads((folder / "num_periods.json").read_text())
        return cls(num_periods=num_periods, **found)

    def _arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, tuple):
                arrays |= {f"{name}-{i:03d}": array for i, array in enumerate(value)}
            elif name != "num_periods":
                arrays[name] = value
        return arrays


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
        _check_patterns(seen, config)
        series = seen.series if series is None else series
        texts, numbers = _static_columns(series, config.static)
        chosen = {n: c for n, c in seen.channels.items() if _matches(n, config.channels)}
        own = {n: c for n, c in chosen.items() if c.level == SERIES_LEVEL and n != PRICE}
        shared = {
            n: c for n, c in chosen.items() if c.level != SERIES_LEVEL and c.domain != "derived"
        }
        calendar = {
            n: c for n, c in shared.items() if c.known and len(c.groups) <= MAX_CALENDAR_GROUPS
        }
        by_series = {n: c for n, c in shared.items() if c.known and n not in calendar}
        planned = {n: c for n, c in own.items() if c.known} | by_series
        has_price = PRICE in chosen and chosen[PRICE].level == SERIES_LEVEL
        is_count, unit = _unit(seen)
        spec = FeatureSpec(
            version=SPEC_VERSION,
            config=config,
            freq=panel.timeline.freq,
            trained_until=f"{panel.timeline.date(num_periods - 1):%Y-%m-%d}",
            is_count=is_count,
            unit=unit,
            categories={name: _categories(series[name]) for name in texts},
            static_numbers=tuple(_static_scale(series, name) for name in numbers),
            past=_scales(c for c in own.values() if not c.known),
            shared_past=_scales(c for c in shared.values() if not c.known),
            planned=_scales(planned.values()),
            calendar=_scales(calendar.values()),
            has_price=has_price,
            price_ahead=has_price and chosen[PRICE].known,
        )
        if has_price:
            prices = chosen[PRICE].values
            logs = log_price_of(prices[:: max(1, len(prices) // _FIT_SERIES)])
            price = _scale_of(PRICE, SERIES_LEVEL, logs)
            spec = replace(spec, price_mean=price.mean, price_scale=price.scale)
        encoder = cls(spec)
        return cls(replace(spec, launch=encoder._launch_model(seen)))

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

    def _calendar(self, panel: Panel, stop: int) -> tuple[Any, npt.NDArray[np.int64]]:
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
            if _matches(scale.name, spec.config.event_channels):
                shifts = [_shifted(spread[scale.name], k) for k in spec.config.event_leads]
                columns += [s[:, :, None] for s in shifts]
        return np.concatenate(columns, axis=2).astype(np.float32), rows.astype(np.int64)

    def _log_price(self, panel: Panel, stop: int) -> npt.NDArray[np.float16]:
        if not self.spec.has_price:
            return np.zeros((panel.num_series, 0), np.float16)
        return log_price_of(panel.channels[PRICE].until(stop)).astype(np.float16)

    def _category_price(self, panel: Panel, stop: int) -> tuple[Any, npt.NDArray[np.int64]]:
        name = CATEGORY_PRICE
        if not self.spec.has_price or name not in panel.channels:
            return np.zeros((1, 0), np.float32), np.zeros(panel.num_series, np.int64)
        channel = panel.channels[name]
        return channel.until(stop), panel.group_index(channel.level, channel.groups)

    def _static_ids(self, series: pd.DataFrame) -> npt.NDArray[np.int64]:
        names = list(self.spec.categories)
        if not names:
            return np.zeros((len(series), 0), np.int64)
        codes = [
            pd.Categorical(series[name].astype(str), categories=self.spec.categories[name]).codes
            for name in names
        ]
        return np.stack(codes, axis=1).astype(np.int64) + 1  # a value not known is code -1

    def _static_values(self, series: pd.DataFrame) -> npt.NDArray[np.float32]:
        columns = [
            standardise(np.log1p(series[s.name].to_numpy(np.float32)), s)
            for s in self.spec.static_numbers
        ]
        if not columns:
            return np.zeros((len(series), 0), np.float32)
        return np.stack(columns, axis=1)


CATEGORY_PRICE = "log_price@category"


def aggregate_names(config: FeaturesConfig) -> list[str]:
    """Return the names of the channels of total sales by group, one per configured aggregate."""
    return [f"sales@{'+'.join(columns)}" for columns in config.aggregates]


def _check_patterns(panel: Panel, config: FeaturesConfig) -> None:
    for place, patterns, names in (
        ("features.static", config.static, list(panel.series.columns)),
        ("features.channels", config.channels, list(panel.channels)),
        ("features.event_channels", config.event_channels, list(panel.channels)),
    ):
        for pattern in patterns:
            if pattern != "*" and not fnmatch.filter(names, pattern):
                raise ConfigError(
                    f"{place}: nothing matches {pattern!r}; there are {', '.join(names[:20])}."
                )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _static_columns(series: pd.DataFrame, patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    texts, numbers = [], []
    for name in series.columns:
        if name == SERIES_LEVEL or not _matches(name, patterns):
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


def _scales(channels: Any) -> tuple[ChannelScale, ...]:
    return tuple(_scale_of(c.name, c.level, c.values) for c in channels)


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


def standardise(values: npt.NDArray[Any], scale: ChannelScale) -> npt.NDArray[np.float32]:
    """Return values on a channel's scale, 0 where missing."""
    return np.nan_to_num((np.asarray(values, np.float32) - scale.mean) / scale.scale)


def _stack_own(panel: Panel, scales: Sequence[ChannelScale], stop: int) -> npt.NDArray[np.float16]:
    stacked = np.zeros((panel.num_series, len(scales), stop), np.float16)
    for number, scale in enumerate(scales):
        channel = panel.channels[scale.name]
        values = standardise(channel.until(stop), scale)
        rows = panel.group_index(channel.level, channel.groups)
        stacked[:, number] = np.where((rows >= 0)[:, None], values[rows], 0)
    return stacked


def _unit(panel: Panel) -> tuple[bool, float]:
    """Return whether sales are whole numbers, and the unit: 1, else the median positive sale."""
    step = max(1, panel.y.size // _FIT_ROWS)
    sample = np.asarray(panel.y).ravel()[::step]
    if np.issubdtype(sample.dtype, np.integer) or np.array_equal(sample, np.rint(sample)):
        return True, 1.0
    positive = sample[sample > 0]
    return False, float(np.median(positive)) if len(positive) else 1.0


def _signed(panel: Panel, unit: float) -> npt.NDArray[Any]:
    unobserved = (np.asarray(panel.flags) & UNOBSERVED) != 0
    y = panel.believed_sales()
    if unit == 1.0 and np.issubdtype(y.dtype, np.integer):
        return np.where(unobserved, -y - 1, y).astype(y.dtype)
    y = y.astype(np.float32) / np.float32(unit)
    return np.where(unobserved, -y - 1, y).astype(np.float32)


def log_price_of(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return natural logarithms, NaN where a price is not above 0."""
    price = np.asarray(values, np.float32)
    return np.log(np.where(price > 0, price, np.nan))


def _shifted(values: npt.NDArray[np.float32], lead: int) -> npt.NDArray[np.float32]:
    """Return value[t + lead] at t, 0 beyond the ends."""
    shifted = np.zeros_like(values)
    if lead > 0:
        shifted[:, :-lead] = values[:, lead:]
    elif lead < 0:
        shifted[:, -lead:] = values[:, :lead]
    else:
        shifted[:] = values
    return shifted


def _trend(totals: npt.NDArray[np.float32], windows: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return (group, 2, period): log ratios of the short to the middle and middle to long mean."""
    totals = np.nan_to_num(totals)
    means = [
        _trailing_mean(totals, w) for w in (windows[0], windows[len(windows) // 2], windows[-1])
    ]
    small = 1e-6 + 0.01 * means[-1]
    logs = [np.log(m + small) for m in means]
    return np.stack([logs[0] - logs[1], logs[1] - logs[2]], axis=1).astype(np.float32)


def _moving_mean(calendar: npt.NDArray[np.float32], window: int) -> npt.NDArray[np.float32]:
    periods = calendar.transpose(0, 2, 1).reshape(-1, calendar.shape[1])
    means = _trailing_mean(periods, window).reshape(calendar.shape[0], -1, calendar.shape[1])
    return np.ascontiguousarray(means.transpose(0, 2, 1), np.float32)


def _trailing_mean(values: npt.NDArray[np.float32], window: int) -> npt.NDArray[np.float64]:
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    stop = np.arange(1, values.shape[1] + 1)
    first = np.maximum(stop - window, 0)
    result: npt.NDArray[np.float64] = (total[:, stop] - total[:, first]) / (stop - first)
    return result
