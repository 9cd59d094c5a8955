"""Series looked at when there are too many: stratified, seeded, the same in every period."""

import numpy as np

from invopt.feeds import locations_of
from invopt.panel import Panel
from invopt.types import FloatArray, IntArray

_RECENT = 26  # seasons of sales that volume is judged by
_CLASSES = 3


def sample_series(panel: Panel, max_series: int, seed: int) -> IntArray:
    """Return the rows of at most max_series series, ascending.

    Every location and, inside it, every third of volume keeps its share of series, as far as
    whole numbers allow; within a stratum the draw is random. Memory is that of the sample: the
    panel may be a file.
    """
    num = panel.num_series
    if num <= max_series:
        return np.arange(num)
    stop = panel.num_periods
    recent = panel.y[:, max(0, stop - _RECENT * panel.timeline.season_length) : stop]
    volume = np.asarray(recent.sum(axis=1), np.float64)
    locations = np.unique(locations_of(panel), return_inverse=True)[1]
    # Systematic sampling along (location, volume): a random start, then every k-th series.
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(num), _volume_class(volume, locations), locations))
    at = np.floor(rng.random() + np.arange(max_series) * (num / max_series)).astype(np.int64)
    return np.sort(order[np.minimum(at, num - 1)])


def sampled(panel: Panel, max_series: int, seed: int) -> Panel:
    """Return the panel of a sample, or the panel itself where it is small enough."""
    rows = sample_series(panel, max_series, seed)
    return panel if len(rows) == panel.num_series else panel.select(rows)


def _volume_class(volume: FloatArray, locations: IntArray) -> IntArray:
    """Return each series' third of volume inside its location."""
    order = np.lexsort((volume, locations))
    sizes = np.bincount(locations)
    rank = np.empty(len(volume))
    rank[order] = np.concatenate([np.arange(size) / size for size in sizes])
    return (rank * _CLASSES).astype(np.int64)
