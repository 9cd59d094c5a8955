"""The season as it was a year ago: what a group sold against its own level, known a year ahead."""

import numpy as np
import numpy.typing as npt

from invopt.config import FeaturesConfig
from invopt.panel import UNOBSERVED, Channel, Panel, group_names

FloatArray = npt.NDArray[np.float64]
# Units of expected sales by which a group's index is drawn towards 1.
SHRINKAGE = 5.0
# Days and weeks come back after 52 weeks, on the same weekday; months after 12.
_YEARS = {"D": 364, "W": 52, "MS": 12}


def season_names(config: FeaturesConfig) -> list[str]:
    """Return the names of the channels of last year's season, one per configured group."""
    return [f"season@{'+'.join(columns)}" for columns in config.seasons]


class Seasons:
    """Sales and expected sales by group, added up over the partitions of a panel.

    The expectation of a series in a period is its own mean over the year around it, of observed
    periods only: a group's index neither follows launches nor stock-outs.

    Args:
        config: Names the groups.
    """

    def __init__(self, config: FeaturesConfig) -> None:
        self.levels = ["+".join(columns) for columns in config.seasons]
        self.names = season_names(config)
        self.sums: list[dict[str, FloatArray]] = [{} for _ in self.levels]
        self.year = 0

    def add(self, panel: Panel) -> None:
        """Count a partition's sales."""
        if not self.levels:
            return
        self.year = _YEARS[panel.timeline.freq.split("-")[0]]
        observed = (np.asarray(panel.flags) & UNOBSERVED) == 0
        sold = np.where(observed, np.asarray(panel.y, np.float64), 0)
        expected = _centred_mean(sold, observed, self.year // 2) * observed
        for level, sums in zip(self.levels, self.sums, strict=True):
            names = group_names(panel.series, level)
            for name in sorted(set(names)):
                rows = names == name
                both = np.stack([sold[rows].sum(axis=0), expected[rows].sum(axis=0)])
                sums[name] = sums.get(name, 0.0) + both

    def channels(self) -> list[Channel]:
        """Return per group log((sales + k) / (expected + k)) of the same period a year before.

        Known half a year past the panel: the year around the period that it looks back to has
        ended by then. NaN in the first year.
        """
        found = []
        for level, name, sums in zip(self.levels, self.names, self.sums, strict=True):
            groups = tuple(sorted(sums))
            stacked = np.stack([sums[group] for group in groups])
            index = np.log((stacked[:, 0] + SHRINKAGE) / (stacked[:, 1] + SHRINKAGE))
            known = index[:, : index.shape[1] - self.year // 2]
            values = np.full((len(groups), self.year + known.shape[1]), np.nan, np.float32)
            values[:, self.year :] = known
            found.append(Channel(name, "derived", level, groups, True, values))
        return found


def _centred_mean(sold: FloatArray, observed: npt.NDArray[np.bool_], reach: int) -> FloatArray:
    """Return the mean of observed periods up to `reach` to either side, 0 where there are none."""
    periods = sold.shape[1]
    first = np.maximum(np.arange(periods) - reach, 0)
    stop = np.minimum(np.arange(periods) + reach + 1, periods)
    sums = []
    for values in (sold, observed):
        total = np.zeros((len(sold), periods + 1))
        np.cumsum(values, axis=1, out=total[:, 1:])
        sums.append(total[:, stop] - total[:, first])
    mean: FloatArray = sums[0] / np.maximum(sums[1], 1)
    return mean
