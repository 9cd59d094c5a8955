"""Halving: the last value at which something still holds, for many series at once."""

from collections.abc import Callable

import numpy as np

from invopt.types import BoolArray, FloatArray

FINE = 2.0**-20  # of the range, where units are no whole numbers


def largest(
    holds: Callable[[FloatArray], BoolArray], low: FloatArray, high: FloatArray,
    *, whole: bool,
) -> FloatArray:  # fmt: skip
    """Return the largest value at which a falling condition holds; it does at low, not at high.

    Bounds that are no whole numbers are rounded outwards where the value is to be whole.

    Args:
        holds: Condition by series.
        low: (series,) where it holds.
        high: (series,) where it does not.
        whole: Only whole numbers are looked at; else to a millionth of the range.

    Example:
        >>> largest(lambda x: x**2 <= 30, np.zeros(1), np.full(1, 9.0), whole=True).tolist()
        [5.0]
    """
    if whole:
        low, high = np.floor(low), np.ceil(high)
    low, high = low.copy(), np.maximum(high, low + 1)
    gap = 1.0 if whole else (high - low) * FINE
    while True:
        middle = (low + high) / 2
        if whole:
            middle = np.floor(middle)
        # Of large numbers the next one may be further away than the gap.
        wide = (high - low > gap) & (low < middle) & (middle < high)
        if not wide.any():
            return low
        held = holds(middle)
        low, high = np.where(wide & held, middle, low), np.where(wide & ~held, middle, high)
