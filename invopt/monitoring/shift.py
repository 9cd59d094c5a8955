"""What a statistic does when nothing changes: limits learned by block bootstrap from history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from invopt.types import FloatArray

_WINSOR = 3.5  # robust deviations at which single periods of a history are cut
_LOOKS = 2  # a change is looked for in the latest period, and in the latest two
_PRIOR, _STRONGEST = 0.3, 0.8  # of the weights that the past has in what is expected
_SEASON_KNOWN = 26  # periods with a year before them that the scale is taken from, if there are
_APART = 4  # periods between two changes that are not one and the same
_RARE = 0.01  # chance of a change at its limit
_FORGIVEN = 1  # change of the history that does not hide another: an old alarm


@dataclass(frozen=True)
class ShiftRules:
    """How limits are learned.

    Attributes:
        year: Periods after which a season comes again.
        min_history: Known periods before the latest two that are needed.
        num_bootstrap: Resamples.
        seed: Of them.
    """

    year: int
    min_history: int
    num_bootstrap: int
    seed: int


@dataclass(frozen=True)
class Shift:
    """How far the latest periods of a statistic are from what its history leads to expect.

    Attributes:
        value: The latest; the mean of the latest two where both are looked at.
        expected: The value less the change that was found.
        limit: Change that has a p-value of one in a hundred.
        p_value: Two-sided, of the larger change of the two looks, both looked at.
        periods: How many latest periods gave it.
    """

    value: float
    expected: float
    limit: float
    p_value: float
    periods: int


def recent_shift(
    values: FloatArray, rules: ShiftRules, beside: FloatArray | None = None
) -> Shift | None:
    """Return the shift of a statistic's latest values, None while its history is too short.

    What is off in one period is often off in the next, and again a year later (a holiday that
    the model does not know): each period is compared with its history's median plus a share of
    how far the period before it, and the one a year before it, were off. The shares are learned
    from the history by a ridge regression, 0 where the past says nothing. What is left is a
    surprise; a lasting change shows as one whole surprise and, in the period after, as what the
    first did not lead to expect, so the latest two are weighed accordingly. The null law is that
    of surprises under a circular block bootstrap (Politis and Romano, 1992) of the history,
    single periods cut at 3.5 robust deviations, lest one old alarm hides the next. Its tail
    beyond the resamples is Student's, and not rarer than changes as large were in the history: a
    company whose costs are ten times the plan twice a year is not surprised by it. One such change
    is forgiven; periods in a row are one.

    Args:
        values: By period, the latest last; NaN where unknown.
        rules: How limits are learned.
        beside: What moves with it and would not share its change, such as the median of sister
            stores: the share of it that history shows is expected too. NaN where unknown.
    """
    if not len(values) or not np.isfinite(values[-1]):
        return None
    num = len(values) - _LOOKS
    history = values[: max(num, 0)]
    known = history[np.isfinite(history)]
    if len(known) < rules.min_history:
        return None
    centre = float(np.median(known))
    off = _winsored(values - centre, num)
    others = [] if beside is None else _aside(beside, num)
    surprises, weights, uncut = _surprises(off, values - centre, num, rules.year, others)
    looks = [(1, np.ones(1))]
    if np.isfinite(values[-2]) and surprises[-2] * surprises[-1] > 0:
        # Of one odd period and one that takes it back, nothing lasts.
        looks.append((2, np.array([1.0, 1.0 - weights[0]])))
    rng = np.random.default_rng(rules.seed)
    alike = _alike(surprises[:num], rules.year)
    spread = _null_surprises(surprises[alike])
    error_of_centre = float(np.nanstd(off[:num])) / np.sqrt(len(known))
    found = []
    for span, shape in looks:
        change = float(shape @ surprises[-span:] / (shape @ shape))
        scale = _scale_of_changes(spread, shape, rules.num_bootstrap, rng)
        scale = float(np.hypot(scale, error_of_centre)) + 1e-9
        p = 2 * float(stats.t.sf(abs(change) / scale, len(known) - 1))
        limit = scale * float(stats.t.isf(0.005, len(known) - 1))
        usual = _share_of_history(uncut[alike], shape, change)
        if usual > max(p, _RARE):
            p, limit = usual, max(limit, abs(change))
        value = float(values[-span:].mean())
        found.append(Shift(value, value - change, limit, p, span))
    best = min(found, key=lambda shift: shift.p_value)
    return replace(best, p_value=min(1.0, best.p_value * _LOOKS))  # Bonferroni


def _share_of_history(surprises: FloatArray, shape: FloatArray, change: float) -> float:
    """Return the share of a history's periods that began a change as large, of the same sign.

    Args:
        surprises: Of the history, nothing cut; NaN where unknown.
        shape: Weights of the periods that a change is seen in.
        change: The change.
    """
    seen = np.correlate(surprises, shape, mode="valid") / (shape @ shape)
    at = np.flatnonzero(np.nan_to_num(seen) * np.sign(change) >= abs(change))
    began = int((np.diff(at) > _APART).sum()) + bool(len(at))
    return max(0, began - _FORGIVEN) / max(1, int(np.isfinite(seen).sum()))


def _winsored(off: FloatArray, num: int) -> FloatArray:
    """Return distances from the centre, those of the history cut."""
    spread = stats.median_abs_deviation(off[:num], scale="normal", nan_policy="omit")
    cut = _WINSOR * max(float(spread), 1e-12)
    found = off.copy()
    found[:num] = np.clip(off[:num], -cut, cut)
    return found


def _aside(beside: FloatArray, num: int) -> list[FloatArray]:
    """Return a companion's distances from its own centre, of the period and of the one before."""
    known = beside[:num][np.isfinite(beside[:num])]
    if len(known) < _LOOKS:
        return []
    off = np.nan_to_num(_winsored(beside - float(np.median(known)), num))
    return [off, np.concatenate([[0.0], off[:-1]])]


def _surprises(
    off: FloatArray,
    latest: FloatArray,
    num: int,
    year: int,
    others: Sequence[FloatArray] = (),
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what the period before and the one a year before do not explain, and their weights.

    The last are the surprises with nothing cut.

    Args:
        off: Distances from the centre, history cut.
        latest: The same, uncut: of the periods looked at, nothing is cut.
        num: Periods of history.
        year: Periods of a year.
        others: What else explains it, by period.
    """
    usual = np.nan_to_num(off)
    past = np.zeros((2 + len(others), len(off)))
    past[0, 1:] = usual[:-1]
    if year < len(off):
        past[1, year:] = usual[:-year]
    for row, other in enumerate(others):
        past[2 + row] = other
    seen, target = past[:, 1:num], usual[1:num]
    ridge = (float(usual[:num].var()) / _PRIOR**2 + 1e-12) * np.eye(len(past))
    weights = np.asarray(np.linalg.solve(seen @ seen.T + ridge, seen @ target), np.float64)
    weights[:2] = np.clip(weights[:2], 0, _STRONGEST)
    found: FloatArray = off - weights @ past
    uncut = latest - weights @ past
    found[num:] = uncut[num:]
    return found, weights, uncut


def _alike(surprises: FloatArray, year: int) -> slice:
    """Return the periods of a history that have a year before them, all where these are few."""
    enough = np.isfinite(surprises[year:]).sum() >= _SEASON_KNOWN
    return slice(year if enough else 1, len(surprises))


def _null_surprises(surprises: FloatArray) -> FloatArray:
    """Return the known surprises of a history, single ones cut."""
    used = surprises[np.isfinite(surprises)]
    return _winsored(used, len(used))


def _scale_of_changes(
    surprises: FloatArray, shape: FloatArray, num_bootstrap: int, rng: np.random.Generator
) -> float:
    """Return the deviation of the change that neighbouring surprises of history look like."""
    num = len(surprises)
    starts = rng.integers(0, num, num_bootstrap)
    drawn = surprises[(starts[:, None] + np.arange(len(shape))) % num]
    return float((drawn @ shape / (shape @ shape)).std())


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
