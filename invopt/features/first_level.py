"""What a series sells at first, from its attributes: the level of a product without history."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from invopt.types import Float32Array, FloatArray, IntArray

# Of the ridge penalty, on sales divided by their mean: a category that one series in a thousand
# has is believed by half.
_PENALTY = 1e-3
_MAX_LEVEL = 50.0  # no product is believed to start above so many times the mean series


@dataclass(frozen=True)
class LaunchModel:
    """Expected sales per period of a new series: exp(log_mean + effects of its attributes).

    Attributes:
        log_mean: Log of the level of a series about which nothing is known, in model units.
        categories: Effect on the log level by column of static_ids and index; index 0, a value
            not seen in training, has none.
        numbers: Effect on the log level per standard deviation, by column of static_values.
    """

    log_mean: float
    categories: tuple[tuple[float, ...], ...] = ()
    numbers: tuple[float, ...] = ()

    def levels(self, static_ids: IntArray, static_values: Float32Array) -> Float32Array:
        """Return (N,) levels in model units.

        Args:
            static_ids: (N, S) category indices, 0 unknown.
            static_values: (N, F) standardised numbers.
        """
        effect = np.zeros(len(static_ids))
        for column, effects in enumerate(self.categories):
            effect += np.array(effects)[static_ids[:, column]]
        for column, slope in enumerate(self.numbers):
            effect += slope * static_values[:, column].astype(np.float64)
        most = np.log(_MAX_LEVEL)
        return np.exp(self.log_mean + np.clip(effect, -most, most)).astype(np.float32)


def fit_launch_model(
    levels: FloatArray,
    static_ids: IntArray,
    static_values: Float32Array,
    num_categories: tuple[int, ...],
) -> LaunchModel:
    """Return the Poisson regression (log link, ridge) of first sales on attributes.

    Args:
        levels: (N,) mean sales per period of each series' first periods, in model units; NaN
            where none was observed.
        static_ids: (N, S).
        static_values: (N, F).
        num_categories: Known values of each column of static_ids.
    """
    known = np.isfinite(levels)
    mean = float(levels[known].mean()) if known.any() else 0.0
    if mean <= 0:
        return LaunchModel(
            float(np.log(0.05)),
            tuple((0.0,) * (n + 1) for n in num_categories),
            (0.0,) * static_values.shape[1],
        )
    from sklearn.linear_model import PoissonRegressor  # noqa: PLC0415  (two seconds)

    design = _design(static_ids[known], static_values[known], num_categories)
    effects = np.zeros(design.shape[1])
    intercept = 0.0
    if design.shape[1]:
        fitted = PoissonRegressor(alpha=_PENALTY, max_iter=300).fit(design, levels[known] / mean)
        effects, intercept = fitted.coef_, float(fitted.intercept_)
    stops = np.cumsum(num_categories)
    blocks = np.split(effects, stops)
    return LaunchModel(
        float(np.log(mean)) + intercept,
        tuple((0.0, *map(float, block)) for block in blocks[:-1]),
        tuple(map(float, blocks[-1])),
    )


def _design(
    static_ids: IntArray,
    static_values: Float32Array,
    num_categories: tuple[int, ...],
) -> Any:
    """Return a sparse matrix: one column per known category, then the numbers."""
    from scipy import sparse  # noqa: PLC0415  (the server never fits)

    blocks = []
    for column, number in enumerate(num_categories):
        index = static_ids[:, column]
        rows = np.flatnonzero(index)
        ones = np.ones(len(rows))
        shape = (len(index), number)
        blocks.append(sparse.csr_matrix((ones, (rows, index[rows] - 1)), shape=shape))
    blocks.append(sparse.csr_matrix(static_values.astype(np.float64)))
    return sparse.hstack(blocks, format="csr")
