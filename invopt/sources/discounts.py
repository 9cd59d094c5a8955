"""Discounts that are written as the share of the price that is paid, 1 or 100 for none."""

from collections.abc import Mapping

import numpy as np

from invopt.panel import Panel
from invopt.sources.vocabulary import by_word

WHOLES = (1, 100)
_USUAL, _RARE, _HALF = 0.2, 0.05, 0.5
NEAR = 0.8  # of a whole: what most values are above where they say what is paid


def whole_that_is_paid(shares: Mapping[str, float]) -> int | None:
    """Return 1 or 100 where that seems to say that nothing is taken off; else None.

    Args:
        shares: Of the values that are 0 (`free`), and for each whole w those that are it
            (`usualW`), above it (`moreW`), and not below 0.8 of it (`mostW`).
    """
    if shares["free"] >= _RARE:
        return None
    for whole in WHOLES:
        usual, more, most = (shares[f"{name}{whole}"] for name in ("usual", "more", "most"))
        if most >= _HALF and usual >= _USUAL and more < _RARE:
            return whole
    return None


class DiscountCounts:
    """Counts the values of discounts that end after the last record, partition by partition."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, float]] = {}
        self._num: dict[str, int] = {}

    def add(self, panel: Panel) -> None:
        """Count the known values of a partition."""
        for channel in panel.channels.values():
            if channel.fill != "zero" or by_word([channel.name], "discount") is None:
                continue
            values = channel.values[np.isfinite(channel.values)]
            self._num[channel.name] = self._num.get(channel.name, 0) + values.size
            found = self._found.setdefault(channel.name, {})
            for name, number in _counts(values).items():
                found[name] = found.get(name, 0) + number

    def told(self) -> list[str]:
        """Return a sentence for each discount that says what is paid."""
        sentences = []
        for name, counts in self._found.items():
            number = self._num[name]
            shares = {key: count / number if number else 0.0 for key, count in counts.items()}
            if (whole := whole_that_is_paid(shares)) is not None:
                sentences.append(
                    f"{name} is {whole} in {shares[f'usual{whole}']:.0%} of {number:,} values, as "
                    "the share of the price that is paid is: it is read as what is taken off, and "
                    f"0 after the last record, so map it as {{expr: {whole} - …}} where {whole} "
                    "means no discount"
                )
        return sentences


def _counts(values: np.ndarray) -> dict[str, int]:
    found = {"free": int(np.count_nonzero(values == 0))}
    for whole in WHOLES:
        found[f"usual{whole}"] = int(np.count_nonzero(values == whole))
        found[f"more{whole}"] = int(np.count_nonzero(values > whole))
        found[f"most{whole}"] = int(np.count_nonzero(values >= NEAR * whole))
    return found
