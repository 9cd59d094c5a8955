"""Forecasts of scenarios, down the ladder: the model, the last forecast, the seasonal naive."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from invopt.baselines import Baseline
from invopt.errors import ContractError
from invopt.features.spec import PRICE
from invopt.features.tables import ON_SALE, sales_panel
from invopt.forecasts import ForecastArrays
from invopt.history import season_of
from invopt.parts import MAIN, SeriesFacts, answers_of
from invopt.runtime import forecast_with
from invopt.timeline import Timeline
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray
from serving.answers.loaded_model import LoadedChampion
from serving.answers.plans import PlanSheet, faults_of, products_of
from serving.answers.readers import Asked, Reader
from serving.answers.scenarios import Scenario
from serving.api import metrics
from serving.api.contract import Step
from serving.api.failures import NetworkUnavailableError, StoreUnavailableError
from serving.stores.alignment import periods_between
from serving.stores.feature_store import SEGMENT
from serving.stores.online_features import OnlineFeatures, OnlineWindows, StoredForecast
from serving.stores.overrides import Said

_DAY = 86_400  # seconds
_USUAL = 1.2  # times the prices seen, up to which the model may be believed
NAIVE = "seasonal_naive"
_NUMBERS = itertools.count()


class Forecasting:
    """A model with the features it reads.

    Args:
        champion: Model.
        features: Online features, as they were published when this was made.

    Attributes:
        number: Tells one from another.
    """

    def __init__(self, champion: LoadedChampion, features: OnlineFeatures) -> None:
        self.champion, self.features = champion, features
        self.number = next(_NUMBERS)
        self.layout = features.layout
        parts = {MAIN: champion} | dict(champion.parts)
        self.readers = {name: Reader(part, features) for name, part in parts.items()}

    @property
    def horizon(self) -> int:
        """Periods forecast."""
        return self.champion.spec.config.horizon

    def sheet(
        self, scenario: Scenario, groups_version: int, now: float
    ) -> tuple[PlanSheet, list[Asked]]:
        """Return forecasts with how they came about, and what each part that answered was asked.

        Args:
            scenario: Rows.
            groups_version: Of the group rows to use.
            now: Seconds since 1970.
        """
        windows = scenario.windows
        timeline = Timeline(pd.Timestamp(windows.known_at, unit="s"), self.layout.freq, 0)
        steps, reasons = self._freshness(windows, now)
        asked, forecast, places, failure = self._ask(scenario, groups_version)
        num = len(scenario.names)
        sheet = PlanSheet(
            forecast=forecast,
            products=products_of(windows.rows),
            price=self._prices(windows, scenario.is_what_if),
            position=windows.position,
            steps=steps,
            reasons=reasons,
            versions=[self.champion.version] * num,
            segments=windows.rows[SEGMENT],
            cutoff=f"{timeline.date(-1):%Y-%m-%d}",
            known_at=windows.known_at,
            dates=_dates_of(windows.known_at, self.layout.freq, self.horizon),
            frequency=self.layout.freq,
            faults=faults_of(windows.rows),
            said=self._said(scenario),
            makers=self.champion.makers(places),
        )
        bad = np.flatnonzero(~_finite(forecast))
        if len(bad):
            sheet = self._fall_back(sheet, scenario, bad, failure or "the model gave no number")
        return sheet, asked

    def _said(self, scenario: Scenario) -> list[Said | None]:
        """Return what planners say of each row."""
        overrides, known_at = self.features.overrides, scenario.windows.known_at
        if not overrides.by_series:
            return []
        found = [overrides.of(name, known_at, self.layout.freq) for name in scenario.names]
        return found if any(said is not None for said in found) else []

    def _ask(
        self, scenario: Scenario, groups_version: int
    ) -> tuple[list[Asked], ForecastArrays, IntArray, str]:
        """Return what each part was asked, the forecast, who made it, and why some is missing.

        What is missing is NaN.
        """
        asked: list[Asked] = []
        failures: list[str] = []

        def ask(name: str, rows: IntArray) -> Sequence[Float32Array]:
            windows, reader = scenario.windows, self.readers[name]
            if len(rows) < len(scenario.names):
                windows = windows.select(rows.tolist(), [windows.names[row] for row in rows])
            try:
                with metrics.STAGE_SECONDS.labels("encode").time():
                    inputs = reader.inputs(windows, groups_version)
                with metrics.STAGE_SECONDS.labels("network").time():
                    found = reader.part.network.run(inputs)
            except NetworkUnavailableError as err:
                failures.append(str(err))
                return self._nothing(len(rows))
            except ContractError:
                failures.append("the published features are not those of the model")
                return self._nothing(len(rows))
            asked.append(Asked(reader, rows, inputs))
            return found

        champion = self.champion
        places = np.zeros(len(scenario.names), np.int64)
        if champion.rules is None:
            arrays = ask(MAIN, np.arange(len(places)))
        else:
            places = champion.rules.places(self._facts(scenario, champion.rules.columns))
            arrays = answers_of(champion.rules, places, ask)
        forecast = forecast_with(arrays, champion.spec, champion.model)
        return asked, forecast, places, "; ".join(dict.fromkeys(failures))

    def _nothing(self, num: int) -> Sequence[Float32Array]:
        """Return a part's arrays where it does not answer."""
        model, horizon = self.champion.model, self.horizon
        shapes = ((), (len(model.quantile_levels),), (len(model.level_quantiles),))
        return [np.full((num, horizon, *shape), np.nan, np.float32) for shape in shapes]

    def _facts(self, scenario: Scenario, columns: Sequence[str]) -> SeriesFacts:
        """Return what rules look at, of the rows."""
        windows = scenario.windows
        on_sale = np.asarray(windows.rows[ON_SALE], np.int64)
        longest = int(on_sale.max(initial=0))
        timeline = Timeline(pd.Timestamp(windows.known_at, unit="s"), self.layout.freq, 0)
        dates = timeline.dates(-longest, 1).to_numpy("datetime64[D]")
        return SeriesFacts(
            ids=np.array(scenario.names, object),
            columns={
                name: np.array([str(value) for value in windows.rows[name]], object)
                for name in columns
                if name in windows.rows
            },
            launched=dates[longest - on_sale],
        )

    def _freshness(self, windows: OnlineWindows, now: float) -> tuple[list[Step], list[str]]:
        """Return each row's step and reason: are its sales and its stock as new as is asked?"""
        num = len(windows.names)
        allowed = self.champion.config.data.max_age_periods
        reasons = [""] * num
        if allowed is not None:
            sales = _reason("features are", self._behind(windows.known_at, now), allowed)
            stock = {t: _reason("stock is", self._behind(t, now), allowed)
                     for t in np.unique(windows.stock_known_at).tolist() if t == t}  # fmt: skip
            reasons = [sales or stock.get(t, "") for t in windows.stock_known_at.tolist()]
        return [Step.STALE if reason else Step.FRESH for reason in reasons], reasons

    def source(self, groups_version: int, now: float) -> tuple[int, ...]:
        """Return what tells whether equal rows of the store are answered alike, but for their age.

        Args:
            groups_version: Of the group rows to use.
            now: Seconds since 1970; freshness is counted by days.
        """
        return self.number, self.features.publication, groups_version, int(now // _DAY)

    def _behind(self, known_at: float, now: float) -> int:
        """Return the periods that ended since a time.

        On time, the period under way is the one right after the last that was known.
        """
        return _periods_ended(known_at, int(now // _DAY), self.layout.freq)

    def _prices(self, windows: OnlineWindows, is_what_if: list[bool]) -> FloatArray:
        """Return the price of the last period; under assumptions, the first one planned."""
        names = [head["name"] for head in self.layout.series_channels]
        num = len(windows.names)
        if PRICE not in names:
            return np.full(num, np.nan)
        price = windows.rows[self.layout.field_of(PRICE)]
        at = np.where(is_what_if, windows.num_periods, windows.num_periods - 1)
        at = np.minimum(at, price.shape[1] - 1)
        return price[np.arange(num), at].astype(np.float64)

    def warnings(self, scenario: Scenario) -> dict[int, str]:
        """Return, by row, what is to be said of a planned price that the series never had."""
        windows, found = scenario.windows, {}
        names = [head["name"] for head in self.layout.series_channels]
        if PRICE not in names or not any(scenario.is_what_if):
            return {}
        prices = windows.rows[self.layout.field_of(PRICE)].astype(np.float64)
        seen, planned = prices[:, : windows.num_periods], prices[:, windows.num_periods :]
        for row in np.flatnonzero(scenario.is_what_if):
            known = seen[row][np.isfinite(seen[row])]
            asked = planned[row][np.isfinite(planned[row])]
            if not len(known) or not len(asked):
                continue
            low, high = known.min(), known.max()
            far = asked[(asked < low / _USUAL) | (asked > high * _USUAL)]
            if len(far):
                found[int(row)] = (
                    f"price {far[0]:g} was never seen: {low:.4g} to {high:.4g} was, and the model "
                    "does not know what demand is beyond"
                )
        return found

    def _fall_back(
        self, sheet: PlanSheet, scenario: Scenario, rows: IntArray, failure: str
    ) -> PlanSheet:
        """Return the sheet with some rows taken from the rungs below the model."""
        names = [scenario.names[i] for i in rows]
        try:
            kept = self.features.last_forecasts(names)
        except StoreUnavailableError:
            kept = {}
        naive = self._naive(scenario.windows)
        own = sheet.forecast
        arrays = tuple(a.copy() for a in (own.mean, own.smooth_quantiles, own.smooth_levels))
        for row, name in zip(rows, names, strict=True):
            found = _shaped(kept.get(name), own, scenario.windows.known_at, self.layout.freq)
            if found is not None:
                sheet.steps[row], sheet.versions[row] = (
                    Step.LAST_FORECAST,
                    kept[name].model_version,
                )
            else:
                found = (
                    naive.mean[row],
                    naive.smooth_quantiles[row],
                    naive.smooth_levels[row],
                )
                sheet.steps[row], sheet.versions[row] = Step.SEASONAL_NAIVE, NAIVE
            sheet.reasons[row] = failure
            for array, values in zip(arrays, found, strict=True):
                array[row] = values
        mean, quantiles, levels = arrays
        forecast = replace(own, mean=mean, smooth_quantiles=quantiles, smooth_levels=levels)
        return replace(sheet, forecast=forecast)

    def _naive(self, windows: OnlineWindows) -> ForecastArrays:
        panel = sales_panel(windows.rows, self.layout)
        season = season_of(panel.timeline, panel.num_periods)
        return Baseline(self.horizon, season, self.champion.model).predict(panel)


@functools.lru_cache(maxsize=64)
def _dates_of(known_at: float, freq: str, horizon: int) -> tuple[str, ...]:
    """Return the first days of the periods after a time."""
    timeline = Timeline(pd.Timestamp(known_at, unit="s"), freq, 0)
    return tuple(timeline.dates(0, horizon).strftime("%Y-%m-%d"))


def _finite(forecast: ForecastArrays) -> BoolArray:
    found = np.ones(len(forecast.mean), bool)
    for array in (forecast.mean, forecast.smooth_quantiles, forecast.smooth_levels):
        found &= np.isfinite(array).reshape(len(array), -1).all(axis=1)
    return found


@functools.lru_cache(maxsize=256)
def _periods_ended(known_at: float, day: int, freq: str) -> int:
    """Return the periods that ended from a time, seconds since 1970, to a day since then."""
    timeline = Timeline(pd.Timestamp(known_at, unit="s"), freq, 0)
    return int(timeline.index_of(pd.DatetimeIndex([pd.Timestamp(day, unit="D")]))[0])


def _reason(what: str, behind: int, allowed: int) -> str:
    return "" if behind <= allowed else f"{what} {behind} periods old, {allowed} are allowed"


def _shaped(
    stored: StoredForecast | None, like: ForecastArrays, known_at: float, freq: str
) -> tuple[Float32Array, ...] | None:
    """Return a stored forecast in the model's shapes, of the periods after a time.

    None where it has other shapes, or says nothing of those periods.
    """
    if stored is None:
        return None
    wanted = (like.mean, like.smooth_quantiles, like.smooth_levels)
    flat = (stored.mean, stored.quantiles, stored.levels)
    if any(f is None or f.size != w[0].size for f, w in zip(flat, wanted, strict=True)):
        return None
    mean, quantiles, levels = (f.reshape(w.shape[1:]) for f, w in zip(flat, wanted, strict=True))
    behind = periods_between(stored.known_at, known_at, freq)
    if not 0 <= behind < len(mean):
        return None
    if behind == 0:
        return mean, quantiles, levels
    # Its first periods are over: the rest moves up, and the season before fills the end. The
    # quantiles of sums keep their distance to the mean, in proportion.
    season = Timeline(pd.Timestamp(0), freq, 0).season_length
    at = np.arange(behind, behind + len(mean))
    late = at >= len(mean)
    at[late] -= -(-(at[late] - len(mean) + 1) // season) * season
    at = at.clip(min=0)
    share = mean[at].cumsum() / np.maximum(mean.cumsum(), 1e-6)
    return mean[at], quantiles[at], levels * share[:, None].astype(np.float32)
