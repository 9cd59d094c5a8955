"""The champion as something to be monitored: its forecasts, its inputs, its costs."""

from pathlib import Path

import numpy as np
import pandas as pd

from invopt.config import Config
from invopt.errors import ConfigError
from invopt.features import EncodedPanel, FeatureEncoder
from invopt.features.spec import PRICE
from invopt.features.tables import snapshot_table
from invopt.forecasts import ForecastArrays
from invopt.inventory import Terms, terms_of
from invopt.monitoring.performance import Scoring
from invopt.monitoring.subject import Subject
from invopt.panel import Panel
from invopt.parts import MAIN, Arrays, answers_of
from invopt.runtime import ComposedForecaster, OnnxForecaster, arrays_of, load_forecaster
from invopt.types import Float32Array, IntArray

_KEYS = ["unique_id", "event_timestamp", "created"]


class Champion:
    """Forecasts many cutoffs of one panel and encodes it once.

    Encoding the whole panel gives each cutoff what encoding its past would: features depend on
    nothing after their cutoff. Its own features are those of the main model.

    Args:
        forecaster: The exported model, of one part.
    """

    def __init__(self, forecaster: OnnxForecaster) -> None:
        self.forecaster = forecaster
        self._panel: Panel | None = None
        self._encoded: EncodedPanel | None = None

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        if self._panel is not panel or self._encoded is None:
            self._encoded = FeatureEncoder(self.forecaster.spec).encode(panel)
            self._panel = panel
        return self.forecaster.predict_encoded(self._encoded, cutoff)

    def features(self, panel: Panel, cutoffs: list[int]) -> tuple[tuple[str, ...], Float32Array]:
        """Return the names and (cutoff, series, column) values of the model's own features."""
        table = snapshot_table(panel, self.forecaster.spec, pd.Timestamp(0, tz="UTC"), cutoffs)
        frame = table.to_pandas().drop(columns=_KEYS)
        values = frame.to_numpy(np.float32).reshape(len(cutoffs), panel.num_series, -1)
        return tuple(frame.columns), values


class ComposedChampion(Champion):
    """The same of a model of parts.

    Args:
        forecaster: The exported model.
    """

    def __init__(self, forecaster: ComposedForecaster) -> None:
        super().__init__(forecaster.members[MAIN])
        self._composed = forecaster
        self._members = {name: Champion(own) for name, own in forecaster.members.items()}
        self._whole: Panel | None = None
        self._places: IntArray = np.zeros(0, np.int64)
        self._selected: dict[str, Panel] = {}

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        if self._whole is not panel:
            self._whole, self._places = panel, self._composed.made_by(panel)
            self._selected = {}

        def ask(name: str, rows: IntArray) -> Arrays:
            # The same panel each time, which is what its encoding is kept by.
            if name not in self._selected:
                self._selected[name] = panel.select(rows)
            own = self._selected[name]
            return arrays_of(self._members[name].predict(own, cutoff))

        return self._composed.composed(answers_of(self._composed.parts, self._places, ask))


def champion_of(model: Path) -> Champion:
    """Return the model of a folder as something that is asked again and again."""
    forecaster = load_forecaster(model)
    if isinstance(forecaster, ComposedForecaster):
        return ComposedChampion(forecaster)
    assert isinstance(forecaster, OnnxForecaster)
    return Champion(forecaster)


def champion_subject(model: Path, panel: Panel, config: Config) -> Subject:
    """Return the model of a folder as the subject of a panel's evidence.

    Raises:
        ConfigError: If the model does not forecast a whole monitoring period.
    """
    champion = champion_of(model)
    forecaster = champion.forecaster
    spec = forecaster.spec
    if config.monitoring.period > spec.config.horizon:
        raise ConfigError(
            f"monitoring.period is {config.monitoring.period} periods, but the champion forecasts "
            f"{spec.config.horizon}: set monitoring.period to at most that."
        )
    scaled = (*spec.past, *spec.shared_past, *spec.planned, *spec.calendar)
    channels = tuple(c.name for c in scaled) + ((PRICE,) if spec.has_price else ())
    trained = pd.DatetimeIndex([pd.Timestamp(spec.trained_until)])
    return Subject(
        champion,
        champion.features,
        Scoring(config.monitoring.period, _terms(panel, config, forecaster), spec.is_count),
        channels=channels,
        first_cutoff=min(spec.config.lookback, panel.num_periods) - 1,
        trained_stop=int(panel.timeline.index_of(trained)[0]) + 1,
        silent=spec.silent,
    )


def _terms(panel: Panel, config: Config, forecaster: OnnxForecaster) -> Terms | None:
    """Return costs of the series, None where the horizon cannot cover the protection interval."""
    price = None
    if PRICE in panel.channels:
        price = panel.channel_by_series(PRICE)[:, : panel.num_periods][:, -1].astype(np.float64)
    terms = terms_of(panel.series, price, config.inventory)
    covered = terms.protection_interval.max() <= forecaster.spec.config.horizon
    return terms if covered else None
