"""Are the features served those the model was trained on? Recompute some and compare.

For a sample of served series the model's inputs are made twice: from the online windows, as a
request makes them, and from the whole histories of the offline store as of the same time, as
training makes them. Any difference beyond rounding is skew.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.features import INPUT_NAMES, FeatureEncoder, model_inputs
from serving.answers.forecasting import Forecasting
from serving.api import metrics
from serving.api.failures import StoreUnavailableError
from serving.stores.feature_store import training_panel
from serving.stores.online_features import OnlineWindows

# Prices are kept in half precision, averages are summed over windows of unlike lengths.
TOLERANCE = 5e-3
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Skew:
    """What a probe found.

    Attributes:
        series: Series compared.
        worst: Largest absolute difference of each input of the model.
        differing: Series with a difference beyond TOLERANCE.
    """

    series: int
    worst: dict[str, float]
    differing: tuple[str, ...]

    @property
    def largest(self) -> float:
        """Largest difference of all."""
        return max(self.worst.values(), default=0.0)


def probe_skew(model: Forecasting, names: Sequence[str]) -> Skew:
    """Compare the inputs of some series; those pushed since the last publication are left out.

    Args:
        model: At work.
        names: Series.

    Raises:
        StoreUnavailableError: If the online store does not answer.
    """
    features = model.features
    worst = dict.fromkeys(INPUT_NAMES, 0.0)
    series, differing = 0, []
    for windows in features.read(sorted(names)):
        if not _is_published(model, windows):
            continue
        series += len(windows.names)
        for name, gaps in _differences(model, windows):
            worst[name] = max(worst[name], float(gaps.max(initial=0.0)))
            differing += [n for n, gap in zip(windows.names, gaps, strict=True) if gap > TOLERANCE]
    return Skew(series, worst, tuple(sorted(set(differing))))


def watch_skew(model: Forecasting, names: Sequence[str]) -> None:
    """Probe, and tell the result to the metrics."""
    try:
        found = probe_skew(model, names)
    except StoreUnavailableError:
        return
    metrics.SKEW.set(found.largest)
    metrics.SKEW_SERIES.labels("different").inc(len(found.differing))
    metrics.SKEW_SERIES.labels("same").inc(found.series - len(found.differing))
    if found.differing:
        _logger.warning(
            "online features of %d of %d probed series differ from offline ones, by %g at most",
            len(found.differing), found.series, found.largest,
        )  # fmt: skip


def _is_published(model: Forecasting, windows: OnlineWindows) -> bool:
    date = f"{pd.Timestamp(windows.known_at, unit='s'):%Y%m%d}"
    folder = model.features.settings.feature_store / "series_history"
    return any(folder.glob(f"{date}-*.parquet"))


def _differences(model: Forecasting, windows: OnlineWindows) -> "Iterator[tuple[str, np.ndarray]]":  # type: ignore[type-arg]
    """Yield the largest difference of each input of each part, by series in the windows' order."""
    features = model.features
    known_at = pd.Timestamp(windows.known_at, unit="s", tz="UTC")
    panel = training_panel(features.store, features.settings, known_at, windows.names)
    place = {str(name): row for row, name in enumerate(panel.unique_ids)}
    rows = np.array([place[name] for name in windows.names])
    ends = np.full(len(rows), panel.num_periods - 1)
    for reader in model.readers.values():
        spec = reader.part.spec
        online = reader.inputs(windows, features.groups_version(windows))
        offline = model_inputs(spec, FeatureEncoder(spec).encode(panel), rows, ends)
        for name, a, b in zip(INPUT_NAMES, online, offline, strict=True):
            gaps = np.abs(a.astype(np.float64) - b).reshape(len(rows), -1)
            yield name, gaps.max(axis=1, initial=0.0)
