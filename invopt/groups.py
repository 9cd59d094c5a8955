"""Groups of series that are judged by themselves: what is right on the whole can fail a few."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from invopt.panel import Panel, group_names
from invopt.types import BoolArray

Names = npt.NDArray[np.object_]
NEW, SELLS, LOCATION = "new", "sells=", "location="
_MOST = {"category": 20, "location": 60}  # groups of a column that are still told apart
_LEAST = 10  # series of a group that says anything; of a category, whatever it has
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_QUIET = 0.1  # of a day's usual share, below which a place is closed on it


def groups_of(panel: Panel, stop: int) -> dict[str, BoolArray]:
    """Return masks of series by group; nothing where all are alike.

    Groups are of categories (by their name), places ("location=..."), the days of the week on which
    they sell ("sells=Mon-Fri"; daily data), and age ("new": on sale for less than half of what is
    known). Groups of less than ten series, but for categories, are left out.

    Args:
        panel: Cleaned.
        stop: Period from which on nothing is looked at.
    """
    found: dict[str, BoolArray] = {}
    for prefix, names in _groupings(panel, stop):
        values = sorted(set(names))
        if len(values) < 2:
            continue
        for value in filter(None, values):
            mask = names == value
            if mask.sum() >= (_LEAST if prefix or value == NEW else 1):
                found[f"{prefix}{value}"] = mask
    return found


def large_groups(groups: Mapping[str, BoolArray]) -> dict[str, BoolArray]:
    """Return the groups of ten series or more.

    Of the best of several candidates for one or two series chance decides, and resampling them
    shows nothing of it.

    Args:
        groups: Masks of series by group, as groups_of returns them.
    """
    return {name: mask for name, mask in groups.items() if mask.sum() >= _LEAST}


def _groupings(panel: Panel, stop: int) -> Iterator[tuple[str, Names]]:
    for column, prefix in (("category", ""), ("location", LOCATION)):
        if column in panel.series:
            names = group_names(panel.series, column)
            if len(set(names)) <= _MOST[column]:
                yield prefix, names
    if panel.timeline.freq == "D":
        yield SELLS, _selling_days(panel, stop)
    age = stop - panel.launch()
    yield "", np.where(age < stop / 2, NEW, "").astype(object)


def _selling_days(panel: Panel, stop: int) -> Names:
    """Return the days of the week on which each series sells, "Mon-Sat" or "Mon, Wed"."""
    weekday = panel.timeline.dates(0, stop).weekday.to_numpy()
    y = np.where(panel.is_observed[:, :stop], np.asarray(panel.y[:, :stop], np.float64), 0.0)
    totals = np.stack([y[:, weekday == day].sum(axis=1) for day in range(7)], axis=1)
    usual = totals.sum(axis=1, keepdims=True) / 7
    # Few sales say nothing of closed days.
    enough = (y > 0).sum(axis=1) >= 8 * 7
    open_ = (totals > _QUIET * usual) | ~enough[:, None]
    return np.array([_spelled(days) for days in open_], object)


def _spelled(days: BoolArray) -> str:
    places = np.flatnonzero(days)
    if len(places) > 1 and places[-1] - places[0] == len(places) - 1:
        return f"{_DAYS[places[0]]}-{_DAYS[places[-1]]}"
    return ", ".join(_DAYS[k] for k in places)
