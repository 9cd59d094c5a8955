"""Numbers as a sentence for people has them."""

import functools


# The sentences of a review name the same few numbers over and over again.
@functools.lru_cache(maxsize=1 << 16)
def in_words(value: float, digits: int = 3) -> str:
    """Return a number with the digits that matter, never in powers of ten.

    Args:
        value: Units or money.
        digits: Shown of a number below a thousand; larger ones are shown whole.

    Example:
        >>> [in_words(value) for value in (21484.6, 999.7, 46.62, 0.00048, 4.8e-7, -8190.0)]
        ['21485', '1000', '46.6', '0.00048', '0', '-8190']
    """
    if abs(value) >= 999.5:  # three digits would round to 1e+03
        return f"{value:.0f}"
    return "0" if abs(value) < 1e-4 else f"{value:.{digits}g}"
