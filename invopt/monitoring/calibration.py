"""What a statistic does when nothing changes: limits learned by block bootstrap from history."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
_WINSOR = 3.5  # robust deviations at which single periods of a history are cut
_SPAN = (1, 2)  # periods a change is looked for in: the latest, and the latest two


@dataclass(frozen=True)
class Shift:
    """How far the latest periods of a statistic are from its history.

    Attributes:
        value: Mean of the latest periods looked at.
        expected: Median of the history.
        limit: Distance that has a p-value of one in a hundred.
        p_value: Two-sided, of the larger distance of the two spans, both looked at.
        periods: How many latest periods gave it.
    """

    value: float
    expected: float
    limit: float
    p_value: float
    periods: int


def recent_shift(
    values: FloatArray, min_history: int, num_bootstrap: int, seed: int
) -> Shift | None:
    """Return the shift of a statistic's latest values, None while its history is too short.

    The null law is that of block means under a circular block bootstrap (Politis and Romano,
    1992) of the history, so that neighbouring periods keep their dependence; single periods are
    cut at 3.5 robust deviations, lest one old alarm hides the next. Its tail beyond the
    resamples is Student's.

    Args:
        values: By period, the latest last; NaN where unknown.
        min_history: Known periods before the latest two that are needed.
        num_bootstrap: Resamples.
        seed: Of them.
    """
    if not len(values) or not np.isfinite(values[-1]):
        return None
    history = values[: -_SPAN[-1]]
    history = history[np.isfinite(history)]
    if len(history) < min_history:
        return None
    centre = float(np.median(history))
    cut = _WINSOR * max(float(stats.median_abs_deviation(history, scale="normal")), 1e-12)
    residuals = np.clip(history - centre, -cut, cut)
    rng = np.random.default_rng(seed)
    found = []
    for span in _SPAN:
        latest = values[-span:]
        latest = latest[np.isfinite(latest)]
        if len(latest) < span:
            continue
        scale = _scale_of_means(residuals, span, num_bootstrap, rng)
        distance = float(latest.mean()) - centre
        p = 2 * float(stats.t.sf(abs(distance) / scale, len(history) - 1))
        limit = scale * float(stats.t.isf(0.005, len(history) - 1))
        found.append(Shift(centre + distance, centre, limit, p, span))
    best = min(found, key=lambda shift: shift.p_value)
    # Two looks: Bonferroni.
    return Shift(
        best.value, best.expected, best.limit, min(1.0, best.p_value * len(found)), best.periods
    )


def _scale_of_means(
    residuals: FloatArray, span: int, num_bootstrap: int, rng: np.random.Generator
) -> float:
    """Return the deviation of means over `span` neighbouring periods, small-sample corrected."""
    num = len(residuals)
    starts = rng.integers(0, num, num_bootstrap)
    means = residuals[(starts[:, None] + np.arange(span)) % num].mean(axis=1)
    # The latest mean also differs from a centre that is itself estimated.
    return float(np.hypot(means.std(), residuals.std() / np.sqrt(num))) + 1e-9


def normed_wasserstein(reference: FloatArray, current: FloatArray) -> float:
    """Return the Wasserstein distance over the reference's deviation: an effect size.

    The number Evidently calls "Wasserstein distance (normed)". NaN are left out; NaN where
    either side is empty.
    """
    reference, current = reference[np.isfinite(reference)], current[np.isfinite(current)]
    if not len(reference) or not len(current):
        return float("nan")
    norm = max(float(reference.std()), 1e-3)
    return float(stats.wasserstein_distance(reference, current)) / norm
