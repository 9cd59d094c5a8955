"""Rows of an outline that add up the rows below them: a group of products above its products.

Reports of ERPs and pivot tables write them, under names that no word tells from products.
"""

import numpy as np
import numpy.typing as npt

from invopt.sources.duck import Reader
from invopt.sources.sales_facts import SalesFile
from invopt.sql import quote

_MOST_ROWS, _MOST_PARTS = 5_000, 400
_LOOKED_AT = 24  # columns of periods
_LEAST_PERIODS = 4  # with sales, in which a row is the sum of others
_LEAST_UNITS = 20
_NEAR = 0.001  # by which a sum may differ: it is written with fewer figures
_PAIR = 2  # rows that make a group
_ALONE = 0.05  # share of rows that may be in no group, as a sum of all below its rows is

FloatArray = npt.NDArray[np.float64]


def sums_of_groups(reader: Reader, sales: SalesFile, column: str) -> list[str]:
    """Return the names of a key whose rows are sums of the rows below, or above, each.

    Args:
        reader: Holds the file, its rows in their order.
        sales: Its file and columns; without columns of periods there is no outline.
        column: The key; rows of another place are apart.
    """
    file = sales.file
    if len(file.periods) < _LEAST_PERIODS or file.num_rows > _MOST_ROWS:
        return []
    if column not in (sales.keys.product, sales.keys.series):
        return []
    place = sales.keys.location
    periods = file.periods[:_LOOKED_AT]
    cells = ", ".join(
        f"coalesce({file.period_style.sql(quote(period))}, 0)::DOUBLE AS p{n}"
        for n, period in enumerate(periods)
    )
    rows = reader.fetch(
        f"SELECT trim({quote(column)}::VARCHAR) AS name, "
        f"{quote(place) if place is not None else 'NULL'}::VARCHAR AS place, {cells} "
        f"FROM {quote(file.name)}",
        file.name,
    )
    names = np.array([name or "" for name in rows["name"].to_pylist()], dtype=object)
    places = np.array([at or "" for at in rows["place"].to_pylist()], dtype=object)
    units = np.column_stack([rows[f"p{n}"].to_numpy() for n in range(len(periods))])
    return _sums(names, places, units)


def _sums(
    names: npt.NDArray[np.object_], places: npt.NDArray[np.object_], units: FloatArray
) -> list[str]:
    """Return the names that are sums wherever they stand."""
    is_sum = np.zeros(len(names), dtype=bool)
    for place in set(places):
        own = np.flatnonzero((places == place) & (names != ""))
        above, below = _heads(units[own]), _heads(units[own][::-1])[::-1]
        is_sum[own] = above if above.sum() >= below.sum() else below
    return sorted(set(names[is_sum]) - set(names[~is_sum]))


def _heads(units: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which rows are the sum of rows, or groups, that follow them; units (row, period).

    None are where rows are left that belong to no group: of many small numbers a few add up by
    chance. A group of one product is known where both rows belong to no other.
    """
    none = np.zeros(len(units), dtype=bool)
    known, alone = _outline(units, none)
    heads, left = _outline(units, alone)
    is_outline = known.any() and left.sum() <= max(1, _ALONE * len(units))
    return heads if is_outline else none


def _outline(
    units: FloatArray, may_pair: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows are sums, and which are in no group and none themselves.

    Args:
        units: By row and period.
        may_pair: Rows that may be the sum, or the product, of a group of one.
    """
    heads, alone = np.zeros(len(units), dtype=bool), np.zeros(len(units), dtype=bool)
    following: list[int] = []  # rows and heads of groups below, the nearest last
    for at in range(len(units) - 1, -1, -1):
        pairs = bool(following) and may_pair[at] and may_pair[following[-1]]
        nearest = units[following[: -_MOST_PARTS - 1 : -1]]
        parts = _num_parts(units[at], nearest, least=1 if pairs else _PAIR)
        if parts:
            heads[at] = True
            del following[-parts:]
        following.append(at)
    alone[following] = ~heads[following]
    return heads, alone


def _num_parts(row: FloatArray, nearest: FloatArray, least: int) -> int:
    """Return how many of the rows and groups below add up to a row; 0 where none do."""
    is_told = np.count_nonzero(row) >= _LEAST_PERIODS and np.abs(row).sum() >= _LEAST_UNITS
    if not is_told or len(nearest) < least:
        return 0
    apart = np.abs(np.cumsum(nearest, axis=0) - row) > _NEAR * np.abs(row) + 1e-9
    fitting = np.flatnonzero(~apart.any(axis=1)) + 1
    fitting = fitting[fitting >= least]
    return int(fitting[0]) if len(fitting) else 0
