"""What tells another unit of measure from a jump of demand."""

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from invopt.types import BoolArray, Float32Array, FloatArray

_FACTORS = np.array([
    4, 5, 6, 8, 9, 10, 12, 14, 15, 16, 18, 20, 21, 24, 25, 28, 30, 32, 36, 40, 42, 45, 48, 50, 54,
    56, 60, 64, 72, 75, 80, 84, 90, 96, 100, 108, 120, 125, 128, 144, 150, 160, 180, 192, 200, 216,
    240, 250, 256, 288, 300, 360, 400, 480, 500, 600, 720, 750, 1000,
], np.float64)  # fmt: skip
_GRIDS = (1.0, 0.1, 0.01, 0.001)
_NEAR = 0.5  # of the log of a factor that the jump of the level may be from it
_OFF_GRID = 0.3  # share of quantities that leave the grid of before where they became fractions
_ALL = 0.98  # share of quantities that lie on a grid
_EXACT, _ROUNDED = 0.01, 0.1  # of a step that a quantity may be off its grid
_SINGLE = 6e-8  # what single precision rounds a quantity by, of itself
_CHANCE = 1e-3  # that any jump tried is called a unit by chance
_CONTINUOUS = 0.1  # of the log of factor times ratio of prices
_NO_SALE = 6.0  # factor of prices from which on it is no clearance
_ALIKE, _MOST = 0.7, 0.8  # distance of series' own jumps from the factor's, and share within it
_NO_DEMAND = 50.0  # factor that no demand reaches
_CLEAN = 0.2  # of the log of such a factor that it may be from 100 or 1,000
_EVEN = 1e-6  # chance of counts that vary as little
_HUNDREDS = (100.0, 1000.0)


@dataclass(frozen=True)
class Quantities:
    """What a group's series sent before and since a jump; (series, period).

    Attributes:
        before: Units, 0 where none.
        after: The same since.
        on_before: Whether a line could have come.
        on_after: The same since.
        prices: Before and since, NaN where unknown; None where none are recorded.
    """

    before: FloatArray = field(repr=False)
    after: FloatArray = field(repr=False)
    on_before: BoolArray = field(repr=False)
    on_after: BoolArray = field(repr=False)
    prices: tuple[Float32Array, Float32Array] | None = field(repr=False)


def proof_of(cells: Quantities, ratio: float, tried: int, period: int) -> tuple[float, str] | None:
    """Return the factor of another unit and what proves it; None where it may be demand.

    Args:
        cells: Of a group.
        ratio: Mean quantity since the jump over that before.
        tried: Jumps that are looked at beside this one; it takes the more to be sure.
        period: Periods of a monitoring period; of less of it only grids are a proof.
    """
    size = max(ratio, 1 / ratio)
    factors = _FACTORS[np.abs(np.log(_FACTORS / size)) <= _NEAR]
    if not len(factors):
        return None
    old, new = cells.before[cells.before > 0], cells.after[cells.after > 0]
    surprise = -np.log(_CHANCE / (max(tried, 1) * len(factors)))
    # Multiples of twelve are some of six, and twelfths some of twenty-fourths.
    for factor in factors[::-1] if ratio > 1 else factors:
        proof = (_finer if ratio > 1 else _coarser)(old, new, float(factor), surprise)
        if proof:
            return _directed(float(factor), ratio), proof
    if cells.after.shape[1] < period:
        return None
    nearest = factors[np.argmin(np.abs(np.log(factors / size)))]
    by_price = _continuous(cells, factors, ratio)
    if by_price is not None:
        return _directed(by_price, ratio), "and prices moved against them by the same factor"
    if ratio > 1 and _on_grid(old, 1.0, _EXACT).mean() >= _ALL:
        return None  # a multiple of whole numbers would lie on its grid
    if nearest >= _NO_SALE and ratio < 1 and _became_even(cells):
        return _directed(float(nearest), ratio), "and vary less than so few sales can"
    clean = [f for f in _HUNDREDS if abs(np.log(f / size)) <= _CLEAN]
    if clean and size >= _NO_DEMAND and _all_alike(cells, ratio):
        return _directed(clean[0], ratio), "sold as often, and no demand changes by that"
    return None


def _directed(factor: float, ratio: float) -> float:
    return factor if ratio > 1 else 1 / factor


def _finer(old: FloatArray, new: FloatArray, factor: float, surprise: float) -> str:
    """Return the proof that quantities are multiples of a factor and were not; "" for none."""
    for grid in _GRIDS:
        on = _on_grid(old, grid, _EXACT)
        if not len(on) or on.mean() < _ALL:
            continue
        before, now = (_on_grid(v, factor * grid, _EXACT) for v in (old, new))
        # Larger numbers are multiples more often than small ones: at least one in `factor`.
        usual = max((before.sum() + 1) / (len(before) + 2), 1 / factor)
        if len(now) and now.mean() >= _ALL and -len(now) * np.log(usual) >= surprise:
            return f"nearly every one a multiple of {factor * grid:g}, and sold as often"
        return ""  # finer grids hold these quantities too, and prove nothing
    return ""


def _coarser(old: FloatArray, new: FloatArray, factor: float, surprise: float) -> str:
    """Return the proof that quantities are those of before over a factor; "" for none."""
    held = (on for on in (factor, *_GRIDS) if _share(_on_grid(old, on, _EXACT)) >= _ALL)
    grid = next(held, None)
    now = _on_grid(new, grid, _EXACT) if grid is not None else np.zeros(0, bool)
    off = int((~now).sum())
    if grid is None or off < _OFF_GRID * len(now):
        return ""
    for within in (_EXACT, _ROUNDED):
        fits = _share(_on_grid(new * factor, grid, within)) >= _ALL
        if fits and -off * np.log(2 * within) >= surprise:
            return f"times {factor:g} they are multiples of {grid:g} as before, and sold as often"
    return ""


def _share(found: BoolArray) -> float:
    return float(found.mean()) if len(found) else 0.0


def _on_grid(values: FloatArray, grid: float, within: float) -> BoolArray:
    """Return which quantities are multiples of a step; those too large to tell are left out."""
    told = values[values * _SINGLE <= within * grid]
    steps = told / grid
    found: BoolArray = np.abs(steps - np.rint(steps)) <= within
    return found & (np.rint(steps) > 0)


def _continuous(cells: Quantities, factors: FloatArray, ratio: float) -> float | None:
    """Return the factor by which prices moved against quantities, None where they did not."""
    if cells.prices is None:
        return None
    with np.errstate(all="ignore"):
        moved = np.log(_medians(cells.prices[1]) / _medians(cells.prices[0]))
    known = moved[np.isfinite(moved) & (cells.after.sum(axis=1) > 0)]
    factors = factors[factors >= _NO_SALE]
    if not len(known) or not len(factors):
        return None
    wanted = np.log(factors) * (-1 if ratio > 1 else 1)
    apart = np.abs(known[:, None] - wanted[None])
    shares = (apart <= _CONTINUOUS).mean(axis=0)
    best = int(np.argmax(shares - apart.mean(axis=0) * 1e-3))
    if shares[best] < _MOST or not _all_alike(cells, ratio):
        return None
    return float(factors[best])


def _medians(prices: Float32Array) -> FloatArray:
    known = np.isfinite(prices).any(axis=1)
    found = np.full(len(prices), np.nan)
    if known.any():
        found[known] = np.nanmedian(prices[known], axis=1)
    return found


def _all_alike(cells: Quantities, ratio: float) -> bool:
    """Return whether nearly every series that sold before and since jumps by about the same."""
    means = [
        v.sum(axis=1) / np.maximum(on.sum(axis=1), 1)
        for v, on in ((cells.before, cells.on_before), (cells.after, cells.on_after))
    ]
    both = (means[0] > 0) & (means[1] > 0)
    if not both.any():
        return False
    apart = np.abs(np.log(means[1][both] / means[0][both]) - np.log(ratio))
    return bool((apart <= _ALIKE).mean() >= _MOST)


def _became_even(cells: Quantities) -> bool:
    """Return whether whole numbers vary less than sales to customers who come one by one.

    They may not have done so before: then it is how the product sells.

    Thirty pieces a day are 28 to 32 cases of twelve rounded; two and a half customers a day are
    none on some days and five on others.
    """
    counts = _share(_on_grid(cells.after[cells.after > 0], 1.0, _EXACT)) >= _ALL
    now, before = (
        _too_even(v, on)
        for v, on in ((cells.after, cells.on_after), (cells.before, cells.on_before))
    )
    return counts and now and not before


def _too_even(units: FloatArray, on: BoolArray) -> bool:
    """Return whether (series, period) counts vary less than those of independent customers."""
    counted = on.sum(axis=1)
    rows = (counted >= 2) & (units.sum(axis=1) > 0)
    if not rows.any():
        return False
    known = np.where(on, units, np.nan)[rows]
    mean = np.nanmean(known, axis=1)
    spread = np.nansum((known - mean[:, None]) ** 2, axis=1) / mean
    free = float((counted[rows] - 1).sum())
    return bool(stats.chi2.cdf(float(spread.sum()), free) <= _EVEN)
