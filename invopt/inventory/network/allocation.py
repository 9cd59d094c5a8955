"""Stock that is not enough for all: packs go where they are worth most."""

import numpy as np

from invopt.types import FloatArray, IntArray

_TINY = 1e-9
_ROUNDS = 20


def allocate(
    gain: FloatArray, pack: FloatArray, source: IntArray, available: FloatArray
) -> IntArray:
    """Return (places,) packs that each place gets: the largest gain per unit first.

    Gains fall from pack to pack, so taking the best pack again and again costs least where the
    packs of a source are equal (a sum of concave gains under one limit); with unequal packs what
    does not fit is passed over, see allocate_exactly.

    Args:
        gain: (places, packs) money that each pack more saves, falling; NaN or 0 beyond the need.
        pack: (places,) units of a pack.
        source: (places,) row of its source.
        available: (sources,) units.

    Example:
        Three packs of 6 for two places: the second saves more with its first two:

        >>> gain = np.array([[5.0, 4.0, 3.0], [9.0, 4.5, 1.0]])
        >>> source, pack = np.array([0, 0]), np.array([6.0, 6.0])
        >>> allocate(gain, pack, source, np.array([18.0])).tolist()
        [1, 2]
    """
    places, number = np.nonzero(np.nan_to_num(gain) > 0)
    value = gain[places, number] / pack[places]
    order = np.lexsort((number, places, -value, source[places]))
    places, number = places[order], number[order]
    size, owner = pack[places], source[places]
    running = np.cumsum(size)
    first = np.searchsorted(owner, np.arange(len(available)))
    before = np.concatenate([[0.0], running])[np.minimum(first, len(running))]
    fits = running - before[owner] <= available[owner] + _TINY
    found = np.bincount(places[fits], minlength=len(gain)).astype(np.int64)
    left = available - np.bincount(source, found * pack, minlength=len(available))
    passed = np.flatnonzero(~fits)
    smallest = np.full(len(available), np.inf)
    np.minimum.at(smallest, source, pack)
    for at in passed[left[owner[passed]] >= smallest[owner[passed]] - _TINY]:
        row = places[at]
        # A place takes its packs in order.
        if number[at] == found[row] and size[at] <= left[owner[at]] + _TINY:
            found[row] += 1
            left[owner[at]] -= size[at]
    return found


def allocate_exactly(
    gain: FloatArray, pack: FloatArray, available: float, least: IntArray | None = None
) -> IntArray:
    """Return (places,) packs that save most, of one source, whatever its packs and minima are.

    Every amount of the common measure of the packs is looked at (the knapsack with several
    choices): for sources of few units.

    Args:
        gain: (places, packs) money that each pack more saves; NaN or 0 beyond the need.
        pack: (places,) units of a pack, whole numbers.
        available: Units.
        least: (places,) smallest number of packs that is not 0; 1 by default.

    Example:
        Ten units, packs of 4 and 6: one of each saves more than two of the first:

        >>> gain = np.array([[5.0, 3.0], [4.0, 0.0]])
        >>> allocate_exactly(gain, np.array([4.0, 6.0]), 10.0).tolist()
        [1, 1]
    """
    measure = float(np.gcd.reduce(np.rint(pack).astype(np.int64)))
    size = np.rint(pack / measure).astype(np.int64)
    room = int(available // measure)
    least = np.ones(len(gain), np.int64) if least is None else least
    best = np.zeros(room + 1)
    taken = np.zeros((len(gain), room + 1), np.int64)
    for row, own in enumerate(np.nan_to_num(gain)):
        total, now = own.cumsum(), best.copy()
        for packs in range(int(least[row]), len(own) + 1):
            units = packs * int(size[row])
            if units > room:
                break
            tried = best[: room + 1 - units] + total[packs - 1]
            better = tried > now[units:] + _TINY
            now[units:][better] = tried[better]
            taken[row, units:][better] = packs
        best = now
    found, left = np.zeros(len(gain), np.int64), room
    for row in range(len(gain) - 1, -1, -1):
        found[row] = taken[row, left]
        left -= int(found[row] * size[row])
    return found


def within_lanes(
    gain: FloatArray,
    pack: FloatArray,
    source: IntArray,
    available: FloatArray,
    lane: IntArray,
    capacity: FloatArray,
) -> IntArray:
    """Return (places,) packs within the stock of sources and the capacity of lanes.

    Each round gives out what is in stock, takes from a lane that is too full the packs that save
    least, and offers what they leave to others. With lanes that are not full it is `allocate`.

    Args:
        gain: As allocate.
        pack: As allocate.
        source: As allocate.
        available: As allocate.
        lane: (places,) row of the lane that supplies each.
        capacity: (lanes,) units that a lane takes, of all products; inf for any.

    Example:
        As for `allocate`, but the second's lane takes one pack: what it leaves goes to the first:

        >>> gain = np.array([[5.0, 4.0, 3.0], [9.0, 4.5, 1.0]])
        >>> source, pack = np.array([0, 0]), np.array([6.0, 6.0])
        >>> lane, capacity = np.array([0, 1]), np.array([np.inf, 6.0])
        >>> within_lanes(gain, pack, source, np.array([18.0]), lane, capacity).tolist()
        [2, 1]
    """
    gain = np.nan_to_num(gain).copy()
    found = allocate(gain, pack, source, available)
    for _ in range(_ROUNDS):
        used = np.bincount(lane, found * pack, minlength=len(capacity))
        full = used > capacity + _TINY
        if not full.any():
            break
        rows = np.flatnonzero(full[lane])
        own = np.where(np.arange(gain.shape[1]) < found[rows, None], gain[rows], 0)
        kept = allocate(own, pack[rows], lane[rows], capacity)
        for row, packs in zip(rows, kept, strict=True):
            gain[row, packs:] = 0
        found = allocate(gain, pack, source, available)
    return found
